"""The tables of docs/reference/exit-codes.md, made from enums; `python docs/_ext/code_tables.py` writes them anew."""

from __future__ import annotations

import ast
import inspect
import re
from enum import Enum
from itertools import pairwise
from pathlib import Path

from vitequiv.errors import ExitCode
from vitequiv.variables import Variable

PAGE = Path(__file__).resolve().parents[1] / "reference" / "exit-codes.md"
TABLES = {"exit codes": (ExitCode, "code | meaning", "{}"), "variables": (Variable, "variable | effect", "`{}`")}


def described(members: type[Enum]) -> dict[Enum, str]:
    """Returns the members of an enum, in order, with the string that stands below each."""
    (body,) = (node.body for node in ast.parse(inspect.getsource(members)).body if isinstance(node, ast.ClassDef))
    found = {}
    for assigned, said in pairwise(body):
        if isinstance(assigned, ast.Assign) and isinstance(said, ast.Expr) and isinstance(said.value, ast.Constant):
            (name,) = assigned.targets
            found[members[ast.unparse(name)]] = " ".join(str(said.value.value).split())
    return found


def table(name: str) -> str:
    """Returns one table in Markdown, with the comments that it stands between in the page."""
    members, heads, value = TABLES[name]
    says = {member: text.removesuffix(".").replace("|", r"\|") for member, text in described(members).items()}
    rows = [f"| {value.format(member.value)} | {text} |" for member, text in says.items()]
    return "\n".join([f"<!-- {name}: generated -->", f"| {heads} |", "| --- | --- |", *rows, f"<!-- {name}: end -->"])


def renewed(page: str) -> str:
    """Returns the page with its tables as the code has them now."""
    for name in TABLES:
        old = re.compile(f"<!-- {name}: generated -->.*?<!-- {name}: end -->", re.DOTALL)
        page = old.sub(table(name).replace("\\", r"\\"), page)
    return page


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
