"""`python -m vitequiv.results.schemas [DIR]`: write the schema files, by default where the package has them."""

from __future__ import annotations

import sys
from pathlib import Path

from vitequiv.results.schemas.outputs import make_schemas

folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
folder.mkdir(parents=True, exist_ok=True)
for name, text in make_schemas().items():
    (folder / name).write_text(text, encoding="utf-8")
