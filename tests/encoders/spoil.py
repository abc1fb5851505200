"""Ways to spoil a checkpoint's directory."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file


def weights(directory: Path) -> Path:
    (path,) = directory.glob("*.safetensors")
    return path


def truncate(directory: Path) -> None:
    path = weights(directory)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def garble(directory: Path) -> None:
    weights(directory).write_bytes(b"\xff" * 4096)


def empty(directory: Path) -> None:
    weights(directory).write_bytes(b"")


def web_page(directory: Path) -> None:
    weights(directory).write_text("\n<!DOCTYPE html><html><body>404: Not Found</body></html>")


def lfs_pointer(directory: Path) -> None:
    weights(directory).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")


def no_weights(directory: Path) -> None:
    weights(directory).unlink()


class Bomb:
    """A pickle that would write a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.target,)


BIN = {"clip": "open_clip_pytorch_model.bin"}


def bomb(directory: Path) -> None:
    path = weights(directory)
    state = {**load_file(path), "bomb": Bomb(directory / "exploded")}
    path.unlink()
    torch.save(state, directory / BIN.get(directory.name, "pytorch_model.bin"))


def plain_pickle(directory: Path) -> None:
    weights(directory).unlink()
    with (directory / BIN.get(directory.name, "pytorch_model.bin")).open("wb") as file:
        pickle.dump(Bomb(directory / "exploded"), file)


def honest_pickle(directory: Path, keep: Path | None = None) -> Path:
    """Nothing but tensors, as `save_pretrained` wrote them once."""
    path = next(path for path in directory.glob("*.safetensors") if path != keep)
    pickled = directory / BIN.get(directory.name, "pytorch_model.bin")
    torch.save(load_file(path), pickled)
    path.unlink()
    return pickled


def lose_a_tensor(directory: Path) -> None:
    path = weights(directory)
    state = load_file(path)
    inner = [name for name in state if "decoder" not in name and ("layer" in name or "block" in name)]
    del state[min(name for name in inner if name.endswith("weight"))]
    save_file(state, path, metadata={"format": "pt"})


def nan_weights(directory: Path) -> None:
    path = weights(directory)
    state = {k: torch.full_like(v, torch.nan) if v.is_floating_point() else v for k, v in load_file(path).items()}
    save_file(state, path, metadata={"format": "pt"})


def bad_json(directory: Path) -> None:
    (config(directory)).write_text('{"model_type": ')


def config(directory: Path) -> Path:
    path = directory / "open_clip_config.json"
    return path if path.exists() else directory / "config.json"


def no_config(directory: Path) -> None:
    config(directory).unlink()
