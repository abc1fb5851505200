"""Completion in the three shells, each run for real."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.cli.conftest import PROGRAM
from tests.programs import need
from vitequiv.cli.completion import model_names

# The script is what the shell's own start-up file would have; then the shell is asked what it would offer.
ASK = {
    "bash": """
eval "$(vitequiv --show-completion)"
COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_vitequiv_completion vitequiv
printf '%s\\n' "${{COMPREPLY[@]}}"
""",
    "zsh": """
compdef() {{ }}
eval "$(vitequiv --show-completion)"
_arguments() {{ print -r -- "$@" }}
words=({words}); CURRENT=$#words
_vitequiv_completion
""",
    "fish": """
vitequiv --show-completion | source
complete -C "{words}"
""",
}


@pytest.mark.parametrize("shell", list(ASK))
@pytest.mark.parametrize(
    ("words", "offered", "others"),
    [
        ("vitequiv ja", ["jacobian"], ["match"]),
        ("vitequiv match --so", ["--solver"], ["--model"]),
        ("vitequiv match --solver ", ["nystrom", "polyak"], []),
        ("vitequiv match --model tiny-", ["tiny-clip", "tiny-swin"], ["timm"]),
        ("vitequiv classify --model vit", ["vitmae", "vitmsn"], ["beit"]),
        ("vitequiv models show bei", ["beit"], ["swin"]),
    ],
)
def test_shell(tmp_path, shell, words, offered, others):
    need(shell)
    last = " ''" if words.endswith(" ") and shell != "fish" else ""
    script = ASK[shell].format(words=words + last)
    environment = {**os.environ, "PATH": f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}", "HOME": str(tmp_path)}
    done = subprocess.run(
        [shell, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    for word in offered:
        assert word in done.stdout, done.stderr + done.stdout
    for word in others:
        assert word not in done.stdout


def test_names_come_from_the_registry():
    assert [name for name, _ in model_names("TINY-C")] == ["tiny-clip"]
    assert {"clip", "beit", "timm", "hf"} <= {name for name, _ in model_names("")}
    assert model_names("beit:DI") == []
    assert all(summary for _, summary in model_names(""))


def test_completion_needs_no_torch(tmp_path):
    code = (
        "import sys\nfrom vitequiv.cli.app import main\nsys.argv = ['vitequiv']\ntry:\n    main()\nexcept SystemExit:\n"
        "    print({'torch', 'transformers', 'matplotlib'} & set(sys.modules))"
    )
    asked = {"_VITEQUIV_COMPLETE": "complete_bash", "COMP_WORDS": "vitequiv match --model ti", "COMP_CWORD": "3"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **asked}, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "set()" in done.stdout
