"""LPIPS against the package itself, with random weights where torch.hub would put the trained ones."""

from __future__ import annotations

import importlib
import warnings

import pytest
import torch

from vitequiv.matching.lpips import BACKBONE, lpips, weight_files


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A torch.hub folder of its own, still without weights."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub/checkpoints"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def backbone(home):
    """Only what LPIPS looks at, of both networks."""
    draw = torch.Generator().manual_seed(0)
    shapes = {0: (64, 3, 11, 11), 3: (192, 64, 5, 5), 6: (384, 192, 3, 3), 8: (256, 384, 3, 3), 10: (256, 256, 3, 3)}
    weights = {f"features.{i}.weight": 0.1 * torch.randn(shape, generator=draw) for i, shape in shapes.items()}
    weights |= {f"features.{i}.bias": 0.1 * torch.randn(shape[0], generator=draw) for i, shape in shapes.items()}
    torch.save(weights, home / BACKBONE)
    return home / BACKBONE


@pytest.fixture(scope="module")
def reference():
    """The package's network, but for AlexNet's weights, which it would download."""
    package = importlib.import_module("lpips")
    with warnings.catch_warnings():  # it calls torchvision and torch as they were years ago
        warnings.simplefilter("ignore")
        return package.LPIPS(net="alex", pnet_rand=True, verbose=False)


def images(side: int) -> torch.Tensor:
    return torch.rand((2, 3, side, side), generator=torch.Generator().manual_seed(side)).mul(255).round() / 255


@pytest.mark.parametrize("side", [64, 97, 224])
def test_it_is_what_the_package_says(backbone, reference, side):
    weights = torch.load(backbone, weights_only=True)
    for name, value in reference.net.state_dict().items():  # slice2.3.weight, of torchvision's features.3.weight
        value.copy_(weights["features." + name.partition(".")[2]])
    a, b = images(side)
    with torch.no_grad():
        expected = reference(2 * a[None] - 1, 2 * b[None] - 1).item()
    assert expected > 1e-3
    assert lpips(a, b) == pytest.approx(expected, rel=1e-5)  # float32 sums in another order
    assert lpips(b, a) == pytest.approx(expected, rel=1e-5)
    assert lpips(a, a) == 0


def test_it_sees_the_8_bit_images(backbone):
    a, b = images(64)
    assert lpips(a + 0.4 / 255 * (a < 1), b) == lpips(a, b)


def test_without_weights_there_is_none(home):
    assert weight_files() is None
    assert lpips(*images(64)) is None


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", "code", {"other": torch.ones(1)}, [1]])
def test_a_file_that_is_something_else_counts_as_absent(backbone, content):
    if isinstance(content, bytes):
        backbone.write_bytes(content)
    else:
        torch.save(Evil() if content == "code" else content, backbone)
    assert lpips(*images(64)) is None
    assert not Evil.ran


class Evil:
    """What pickle would run."""

    ran = False

    def __reduce__(self):
        return (setattr, (Evil, "ran", True))


def test_an_image_too_small_for_the_network_has_none(backbone):
    assert lpips(*images(62)) is None
    assert lpips(*images(63)) is not None
