"""Where the checkpoint is, under which licence, and reading it without running code."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from zipfile import is_zipfile

import torch
from torch import Tensor

from vitequiv.encoders.checkpoints.files import check_weight_file
from vitequiv.encoders.checkpoints.quiet import reason
from vitequiv.errors import ModelError
from vitequiv_imagebind.keys import IGNORED
from vitequiv_imagebind.plugin import PUBLISHED

URL = "https://dl.fbaipublicfiles.com/imagebind/imagebind_huge.pth"
LICENCE = "CC-BY-NC-4.0"
CONSENT = "VITEQUIV_IMAGEBIND_LICENCE"
NOTICE = (
    "vitequiv-imagebind: the weights of ImageBind are licensed under CC BY-NC 4.0, which allows no commercial use "
    "(https://creativecommons.org/licenses/by-nc/4.0/). This is said once."
)


def find(checkpoint: str, spec: str) -> Path:
    """Find a checkpoint's file, downloading the published one if its licence was accepted.

    Args:
        checkpoint: `imagebind_huge`, or a path.
        spec: The encoder spec, for messages.

    Returns:
        The file, whole and without code. The licence was named on standard error, the first time.

    Raises:
        ModelError: If there is no such file, it is damaged, or it would have to be downloaded without consent.
    """
    path = _published(spec) if checkpoint == PUBLISHED else Path(checkpoint).expanduser()
    if path.is_dir():
        raise ModelError(f"{checkpoint} is a directory: name the file in it, as in imagebind:{path / PUBLISHED}.pth.")
    if not path.is_file():
        raise ModelError(
            f"There is no file {checkpoint}: check the path in {spec}, or use imagebind for the published weights."
        )
    _check(path, spec)
    _name_licence()
    return path


def _check(path: Path, spec: str) -> None:
    """Refuse what is damaged, before it is opened: of torch's files all but zips, which end in their contents."""
    if path.suffix == ".safetensors":
        check_weight_file(path, spec)
    elif not is_zipfile(path):
        raise ModelError(
            f"The weight file {path} of {spec} is damaged or no file of torch.save (since torch 1.6): "
            "download or copy it again."
        )


def _published(spec: str) -> Path:
    path = cache() / "checkpoints" / f"{PUBLISHED}.pth"
    if path.is_file():
        return path
    if os.environ.get(CONSENT, "").strip().lower() != LICENCE.lower():
        raise ModelError(
            f"The weights of {spec} (4.5 GB) are not on this machine, and are licensed under CC BY-NC 4.0, which "
            f"allows no commercial use: to accept that and download them to {path} set {CONSENT}={LICENCE}, or name "
            "a file, imagebind:PATH.pth."
        )
    print(f"{NOTICE}\nDownloading {URL} to {path}", file=sys.stderr, flush=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        # To a temporary name, then renamed.
        torch.hub.download_url_to_file(URL, str(path), progress=sys.stderr.isatty())
    except OSError as error:
        raise ModelError(
            f"The weights of {spec} cannot be downloaded ({reason(error)}): fetch {URL} by other means and name the "
            "file, imagebind:PATH.pth."
        ) from error
    try:
        _check(path, spec)
    except ModelError:
        path.unlink()  # a connection that broke off; the next call shall not take it for the checkpoint
        raise
    _remember()
    return path


def cache() -> Path:
    """Returns torch hub's directory, which TORCH_HOME moves."""
    return Path(torch.hub.get_dir())


def _name_licence() -> None:
    if not _marker().exists():
        print(NOTICE, file=sys.stderr, flush=True)
        _remember()


def _remember() -> None:
    try:
        _marker().parent.mkdir(parents=True, exist_ok=True)
        _marker().touch()
    except OSError:
        pass  # a cache that cannot be written to: it is said each time


def _marker() -> Path:
    return cache() / "vitequiv-imagebind" / "licence-named"


def read(path: Path, spec: str) -> tuple[dict[str, Tensor], list[str]]:
    """Read the tensors of a checkpoint, but for those of the modalities that are not used.

    Args:
        path: A file of `torch.save` or a safetensors file, checked already.
        spec: The encoder spec, for messages.

    Returns:
        The tensors by name, mapped from the file rather than copied, and the names of those left out.

    Raises:
        ModelError: If the file holds something else than tensors by name.
    """
    if path.suffix == ".safetensors":
        from safetensors import safe_open

        with safe_open(path, framework="pt") as file:
            names = list(file.keys())
            return {n: file.get_tensor(n) for n in names if not IGNORED.match(n)}, list(filter(IGNORED.match, names))
    # The one place of vitequiv that opens a pickle, since ImageBind is published as one: by torch's reader that knows
    # tensors and plain containers and looks up nothing else.
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception:  # not torch's own words: they advise to load the file all the same
        raise ModelError(
            f"The weight file {path} of {spec} holds something else than tensors, or is damaged, and is not loaded: "
            "download it again, or convert it to safetensors where you trust its origin."
        ) from None
    if not (isinstance(state, dict) and all(isinstance(tensor, Tensor) for tensor in state.values())):
        raise ModelError(
            f"The file {path} of {spec} is no plain state dict of ImageBind: save model.state_dict() itself."
        )
    return {n: t for n, t in state.items() if not IGNORED.match(n)}, [n for n in state if IGNORED.match(n)]
