"""Results to disk, whole or not at all: written to a temporary name beside the target, then renamed."""

from __future__ import annotations

import errno
import io
import json
import math
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitequiv.errors import OutputError
from vitequiv.images.naming import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor
    from typing_extensions import Buffer

_REMEDIES = {
    errno.ENOSPC: "free space or choose another --out",
    errno.EDQUOT: "free space or choose another --out",
    errno.EFBIG: "raise the limit on file sizes (ulimit -f) or choose another --out",
    errno.EACCES: "change the permissions or choose another --out",
    errno.EPERM: "change the permissions or choose another --out",
    errno.EROFS: "choose another --out",
    errno.ENOTDIR: "a file is where a folder should be; move it or choose another --out",
    errno.EEXIST: "a file is where a folder should be; move it or choose another --out",
    errno.EISDIR: "a folder is where the file should be; move it or choose another --out",
    errno.ENAMETOOLONG: "choose a shorter --out",
}


TEMPORARY = ".vitequiv-*.tmp"
"""Pattern of the files that are being written; one that is left was being written when its process was killed."""


def atomic_write_bytes(path: str | Path, *data: Buffer) -> None:
    """Write a file so that it is either whole or not there; makes its folder if needed.

    Args:
        path: Where to; an existing file is replaced in one step.
        data: The content, in parts or in one.

    Raises:
        OutputError: If the system refuses; nothing is left behind.
    """
    target = Path(path)
    # Not derived from the target's name, which may already be as long as the file system allows.
    temporary = target.parent / f".vitequiv-{os.getpid()}-{secrets.token_hex(4)}.tmp"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as file:
                for part in data:
                    file.write(part)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
        finally:
            with suppress(OSError):
                temporary.unlink()
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        number = error.errno if isinstance(error, OSError) else None
        reason = (isinstance(error, OSError) and error.strerror) or str(error)
        remedy = _REMEDIES.get(number or 0, "choose another --out")
        raise OutputError(f"cannot write {shown(path)}: {reason}; {remedy}") from None


def save_png(path: str | Path, levels: NDArray[np.uint8]) -> None:
    """Write an 8-bit PNG; the same levels give the same bytes.

    Args:
        path: Where to.
        levels: (H, W, 3) of uint8.

    Raises:
        ValueError: If the shape or dtype is another.
    """
    # Imported here, for every command writes, and --help does not wait for it.
    from PIL import Image

    if levels.ndim != 3 or levels.shape[2] != 3 or levels.dtype != "uint8":
        raise ValueError(f"expected uint8 of shape (H, W, 3), got {levels.dtype} of shape {levels.shape}")
    buffer = io.BytesIO()
    Image.fromarray(levels).save(buffer, "PNG", compress_level=6)
    atomic_write_bytes(path, buffer.getvalue())


def save_tensors(path: str | Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors as safetensors; the same content gives the same bytes.

    Args:
        path: Where to.
        tensors: By name; any shapes, dtypes and devices.
        metadata: Strings for the file's header.
    """
    import torch
    from safetensors.torch import save

    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    # The library would copy all tensors into one string of bytes, and write the metadata in an order that changes from
    # process to process. It names the dtypes and decides the order, for empty tensors; the values go straight to disk.
    empty = save({name: tensor.new_empty(0) for name, tensor in plain.items()})
    order = json.loads(empty[8 : 8 + int.from_bytes(empty[:8], "little")])
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name, entry in order.items():
        begin, end = end, end + plain[name].nbytes
        header[name] = {"dtype": entry["dtype"], "shape": list(plain[name].shape), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the format aligns the tensors to 8 bytes
    values = (plain[name].flatten().view(torch.uint8).numpy().data for name in order)
    atomic_write_bytes(path, len(text).to_bytes(8, "little"), text, *values)


def _strict(value: Any) -> Any:
    # JSON has no NaN or infinity; what is not a number is null.
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(item) for item in value]
    return value


def save_json(path: str | Path, value: Any) -> None:
    """Write JSON that every parser reads: two spaces, keys as inserted, a newline at the end, NaN and infinity as null.

    Args:
        path: Where to.
        value: Dictionaries, lists, tuples, strings, numbers, booleans and None.
    """
    text = json.dumps(_strict(value), indent=2, allow_nan=False)
    atomic_write_bytes(path, (text + "\n").encode())
