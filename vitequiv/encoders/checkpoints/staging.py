"""What a library is shown of a checkpoint: a folder of ours, with the configuration as it was read and checked files.

The libraries find much by themselves in a directory that they are given: code, adapters, other names of weights,
templates. In this folder there is nothing but what was put there.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vitequiv.errors import ModelError


@contextmanager
def staged(contents: Mapping[str, Mapping[str, Any] | Path], instead_of: str | Path) -> Iterator[Path]:
    """Make the folder, for as long as the library reads it.

    Args:
        contents: By file name (which may begin with one folder), the object of a JSON file, or a file to link to.
        instead_of: What stands in messages in place of the folder.

    Yields:
        The folder, in the system's directory for temporary files and for this user only.

    Raises:
        ModelError: As inside, or if the folder cannot be made.
    """
    try:
        folder = tempfile.TemporaryDirectory(prefix="vitequiv-", ignore_cleanup_errors=True)
    except OSError as error:
        raise ModelError(
            f"No temporary directory can be made to load {instead_of} ({error.strerror}): set TMPDIR."
        ) from None
    with folder as name:
        for file, content in contents.items():
            _put(Path(name) / file, content)
        try:
            yield Path(name)
        except ModelError as error:
            raise ModelError(error.message.replace(name, str(instead_of))) from error


def _put(path: Path, content: Mapping[str, Any] | Path) -> None:
    path.parent.mkdir(exist_ok=True)
    if not isinstance(content, Path):
        path.write_text(json.dumps(content), encoding="utf-8")
        return
    try:
        path.symlink_to(content)
    except OSError:  # Windows grants links to few
        shutil.copyfile(content, path)
