"""No code of a checkpoint runs, and it reaches for no other files, asks nobody and makes nothing that is too large."""

from __future__ import annotations

import builtins
import socket
import sys
from pathlib import Path

import pytest

from tests.checkpoints import build
from tests.hostile.make_checkpoints import CORPUS
from tests.hostile.tricks import CANARY
from vitequiv.encoders.load import load_encoder
from vitequiv.errors import ExitCode, ModelError

GROWTH = 1 << 20
"""KiB that a trick may take at its height; the imports of the libraries may be in it."""


class Height:
    """How much more memory than at the start the process has had at its height, in KiB (Linux)."""

    def __init__(self) -> None:
        Path("/proc/self/clear_refs").write_text("5")  # the height begins anew
        self.start = self._read("VmRSS")

    def grown(self) -> int:
        return self._read("VmHWM") - self.start

    def _read(self, name: str) -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1])


class Opened:
    """The files that Python opens, by an audit hook, which cannot be taken off again."""

    def __init__(self) -> None:
        self.watching: Path | None = None
        self.found: list[str] = []
        sys.addaudithook(self)

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.watching is not None and event in {"open", "os.listdir", "os.scandir"}:
            path = str(arguments[0])
            if path.startswith(str(self.watching)):
                self.found.append(path)


@pytest.fixture(scope="module")
def opened() -> Opened:
    return Opened()


@pytest.fixture(scope="module")
def honest(tmp_path_factory) -> dict[str, str]:
    """Digests of the models without tricks, by the name of the variant."""
    root = tmp_path_factory.mktemp("honest")
    bases = sorted({trick.base for trick in CORPUS.values() if trick.refused is None})
    return {base: load_encoder(build(base, root / base)).weights_sha256 for base in bases}


@pytest.fixture(autouse=True)
def nobody_asked(monkeypatch) -> None:
    """Standard input and the network are not there to be asked."""

    def refuse(*arguments: object, **_: object) -> None:
        raise AssertionError(f"asked: {arguments}")

    class NoInput:
        read = readline = fileno = __iter__ = refuse

    monkeypatch.setattr(builtins, "input", refuse)
    monkeypatch.setattr(sys, "stdin", NoInput())
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)


@pytest.mark.parametrize("name", CORPUS)
def test_trick(name, tmp_path, opened, honest):
    trick = CORPUS[name]
    spec = trick.make(tmp_path)
    opened.found.clear()
    opened.watching = tmp_path / "elsewhere"
    height = Height()
    try:
        if trick.text or trick.refused is None:
            encoder = load_encoder(spec)
            assert encoder.weights_sha256 == honest[trick.base]
        if trick.refused is not None:
            with pytest.raises(ModelError, match=trick.refused) as error:
                encoder.embed_text(["a cat"]) if trick.text else load_encoder(spec)
            assert "\n" not in error.value.message
            assert "vitequiv-" not in error.value.message
            assert error.value.exit_code is ExitCode.MODEL_UNAVAILABLE
        elif trick.text:
            assert encoder.embed_text(["a cat"]).isfinite().all()
        assert not encoder_processors_fail(spec, trick.refused)
    finally:
        opened.watching = None
    assert not (tmp_path / CANARY).exists()
    assert opened.found == []
    assert height.grown() < GROWTH


def encoder_processors_fail(spec: str, refused: str | None) -> bool:
    """The official processors are made later, from the same files."""
    return refused is None and not load_encoder(spec).tower.processors()


def test_memory_that_is_given_back_is_seen():
    height = Height()
    bytearray(2**28)
    assert height.grown() > 2**17


def test_what_is_opened_is_seen(tmp_path, opened):
    opened.found.clear()
    opened.watching = tmp_path
    (tmp_path / "file").touch()
    opened.watching = None
    assert opened.found == [str(tmp_path / "file")]


def test_the_corpus_can_bite(tmp_path):
    """Given to the library by itself, the first trick runs its code."""
    from transformers import AutoConfig

    CORPUS["transformers-auto_map-unknown-type"].make(tmp_path)
    with pytest.raises(AttributeError):  # the class is none, but by then the module has been run
        AutoConfig.from_pretrained(tmp_path / "checkpoint", trust_remote_code=True)
    assert (tmp_path / CANARY).exists()
