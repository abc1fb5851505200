"""The gradient with respect to pixels equals finite differences."""

from __future__ import annotations

import pytest
import torch

from tests.checkpoints import BUILDERS

TINY = ("tiny-clip", "tiny-beit", "tiny-swin", "tiny-deit", "tiny-vitmae", "tiny-vitmsn")

STEP = 1e-8
"""So small because ReLU networks have kinks: 50,000 units, of which a step of 1e-5 carries some across theirs."""

TOLERANCE = 1e-6
"""Relative to the derivative's typical size. Beside it stands the rounding of the two values, 1e-16 / step of their
size (8 times, for the length of the sums); a softmax in float32, or anything rounded, would be off by 1 or more."""


@pytest.mark.parametrize("name", [*BUILDERS, *TINY])
def test_gradient_equals_central_differences(name, encoder):
    model = encoder(name, "mean" if name == "beit-mim" else None, torch.float64)
    generator = torch.Generator().manual_seed(1)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    pixels = (0.5 + 0.1 * draw(1, 3, *model.input_size)).requires_grad_()
    cotangent = draw(model.embedding_dim)
    embedding = model.embed(pixels)
    assert embedding.dtype == torch.float64
    (gradient,) = torch.autograd.grad(embedding[0] @ cotangent, pixels)
    for _ in range(3):
        direction = draw(*pixels.shape)
        with torch.no_grad():
            ahead, behind = (model.embed(pixels + sign * STEP * direction)[0] @ cotangent for sign in (1, -1))
        expected = (ahead - behind) / (2 * STEP)
        typical = gradient.norm() * direction.norm() / direction.numel() ** 0.5
        rounding = 8 * torch.finfo(torch.float64).eps / STEP * embedding.detach().norm() * cotangent.norm()
        assert abs(float((gradient * direction).sum() - expected)) < float(TOLERANCE * typical + rounding)


# torch scripts its own decompositions when forward mode is first used in a process.
@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning", "ignore:.torch.jit:DeprecationWarning")
@pytest.mark.parametrize("name", [*BUILDERS, *TINY])
def test_forward_mode_agrees_with_backward_mode(name, encoder):
    from torch.nn.attention import SDPBackend, sdpa_kernel

    model = encoder(name, "mean" if name == "beit-mim" else None, torch.float64)
    generator = torch.Generator().manual_seed(2)
    pixels, tangent = (torch.rand(1, 3, *model.input_size, generator=generator, dtype=torch.float64) for _ in range(2))
    with sdpa_kernel(SDPBackend.MATH):
        output, pushed = torch.func.jvp(model.embed, (pixels,), (tangent,))
        _, pull = torch.func.vjp(model.embed, pixels)
        (pulled,) = pull(torch.ones_like(output))
    # The adjoint identity <1, J v> = <J^T 1, v>; both sides are float64 sums of a few thousand terms.
    assert float(pushed.sum()) == pytest.approx(float((pulled * tangent).sum()), rel=1e-9)
