"""Make or check the reference that the tests compare with, by running Meta's own modules.

    python plugins/vitequiv-imagebind/tests/make_reference.py           # writes tests/data
    python plugins/vitequiv-imagebind/tests/make_reference.py --check   # compares what is there with the original

The original (CC BY-NC) is fetched from PyPI into a temporary folder, by version and hash, and neither kept nor shipped:
what is kept are random numbers in its key names, what it makes of them, and the list of its full-size shapes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from imagebind_inputs import TEXTS, normalised
from safetensors.torch import load_file, save_file
from torch import Tensor

DATA = Path(__file__).parent / "data"
TINY, REFERENCE, HUGE = DATA / "tiny.safetensors", DATA / "reference.safetensors", DATA / "huge-keys.txt"
HEADS = {"vision_heads": 4, "text_heads": 2}
REQUIREMENTS = """\
imagebind_unofficial==0.1.1 --hash=sha256:6bf38620d3f5729d56b49f5b432c4f2758048f016207d4e99d77c6f26f956566
einops==0.8.2 --hash=sha256:54058201ac7087911181bfec4af6091bb59380360f069276601256a76af08193
"""
SMALL = {
    "kernel_size": (2, 28, 28),
    "vision_embed_dim": 16,
    "vision_num_blocks": 2,
    "vision_num_heads": HEADS["vision_heads"],
    "text_embed_dim": 8,
    "text_num_blocks": 2,
    "text_num_heads": HEADS["text_heads"],
    "out_embed_dim": 24,
    **{f"{other}_embed_dim": 8 for other in ("audio", "depth", "thermal", "imu")},
    **{f"{other}_num_blocks": 1 for other in ("audio", "depth", "thermal", "imu")},
    **{f"{other}_num_heads": 2 for other in ("audio", "depth", "thermal", "imu")},
}
TOLERANCE = 1e-6
"""Absolute, of unit vectors: float32 kernels of other machines and versions."""


def obtain(folder: Path) -> None:
    """Fetch and unpack the original, and make it importable."""
    (folder / "requirements.txt").write_text(REQUIREMENTS)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
    options = ["--require-hashes", "--target", str(folder), "--requirement", str(folder / "requirements.txt")]
    subprocess.run([*pip, *options], check=True)
    package = types.ModuleType("imagebind")  # its own __init__ imports audio and video libraries
    package.__path__ = [str(folder / "imagebind")]
    paths = types.ModuleType("iopath.common.file_io")
    paths.g_pathmgr = types.SimpleNamespace(open=open)  # opens the tokenizer's vocabulary
    stubs = {"iopath": types.ModuleType("iopath"), "iopath.common": types.ModuleType("iopath.common")}
    sys.modules.update({"imagebind": package, "iopath.common.file_io": paths, **stubs})
    sys.path.insert(0, str(folder))


def random_state(model: torch.nn.Module) -> dict[str, Tensor]:
    """Random weights that half precision holds exactly, so that the file is small and the numbers the same."""
    generator = torch.Generator().manual_seed(0)
    state = {}
    for name, tensor in model.state_dict().items():
        noise = 0.2 * torch.randn(tensor.shape, generator=generator)
        state[name] = (tensor if name.endswith(".mask") else tensor + noise).half()
    return state


def outputs(model: Any, folder: Path) -> dict[str, Tensor]:
    """What the original makes of the inputs: its tokens, its outputs, and its heads' outputs before normalising."""
    from imagebind.models.multimodal_preprocessors import SimpleTokenizer

    tokenizer = SimpleTokenizer(bpe_path=str(folder / "imagebind" / "bpe" / "bpe_simple_vocab_16e6.txt.gz"))
    tokens = torch.stack([tokenizer(text) for text in TEXTS])
    heads: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[..., None]:
        return lambda module, inputs, output: heads.update({f"{name}_projection": output.clone()})

    for name in ("vision", "text"):
        model.modality_heads[name].register_forward_hook(keep(name))
    with torch.no_grad():
        found = model({"vision": normalised(), "text": tokens})
    return {"tokens": tokens, "vision": found["vision"], "text_scaled": found["text"], **heads}


def huge_keys() -> str:
    """Name and shape of every tensor of the full-size model, which is built without memory."""
    from imagebind.models.imagebind_model import imagebind_huge

    linspace = torch.linspace
    torch.linspace = lambda *arguments: linspace(*arguments, device="cpu")  # whose numbers the constructor reads
    try:
        with torch.device("meta"):
            model = imagebind_huge(pretrained=False)
    finally:
        torch.linspace = linspace
    return "".join(f"{name} {'x'.join(map(str, t.shape))}\n" for name, t in sorted(model.state_dict().items()))


def check(found: dict[str, Tensor], keys: str, state: dict[str, Tensor], model: torch.nn.Module) -> None:
    """Compare with what is stored."""
    stored = load_file(REFERENCE)
    assert found.keys() == stored.keys()
    for name, tensor in found.items():
        worst = float((tensor - stored[name]).abs().max())
        print(f"{name} {tuple(tensor.shape)}: largest difference {worst:.2g}")
        assert worst <= TOLERANCE * max(1.0, float(stored[name].abs().max())), name
    assert keys == HUGE.read_text(encoding="utf-8"), "the full-size keys differ"
    assert state.keys() == model.state_dict().keys()
    print(f"{len(keys.splitlines())} full-size keys are the same")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the stored reference instead of writing it")
    checking = parser.parse_args().check
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        obtain(folder)
        from imagebind.models.imagebind_model import ImageBindModel

        torch.manual_seed(0)
        model = ImageBindModel(**SMALL).eval()
        state = load_file(TINY) if checking else random_state(model)
        model.load_state_dict({key: tensor.float() for key, tensor in state.items()})
        found, keys = outputs(model, folder), huge_keys()
    if checking:
        check(found, keys, state, model)
        return
    DATA.mkdir(exist_ok=True)
    save_file(state, TINY)
    TINY.with_suffix(".json").write_text(json.dumps(HEADS) + "\n", encoding="utf-8")
    save_file({key: tensor.contiguous() for key, tensor in found.items()}, REFERENCE)
    HUGE.write_text(keys, encoding="utf-8")


if __name__ == "__main__":
    main()
