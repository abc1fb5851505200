"""Products against the dense Jacobian, from both sides, vector and matrix, on toys and on every family."""

from __future__ import annotations

import pytest
import torch

from tests.geometry.maps import M, curved, image, linear, orthonormal, reference, with_singular_values
from tests.loaded import loaded
from vitequiv.errors import ModelError
from vitequiv.geometry.operator import Jacobian
from vitequiv.geometry.rows import dense

MAPS = {"linear": linear(with_singular_values([2.0, 1.0, 1.0, 0.0])), "curved": curved}
FAMILIES = ["clip", "clip-resnet", "beit", "swin", "deit", "vitmae", "vitmsn", "timm", "timm-resnet", "hf-dinov2"]


@pytest.mark.parametrize("name", list(MAPS))
@pytest.mark.parametrize("columns", [None, 1, 3])
def test_products_are_those_of_the_dense_matrix(name, columns):
    matrix = reference(MAPS[name], image())
    jacobian = Jacobian(MAPS[name], image())
    assert jacobian.shape == tuple(matrix.shape)
    assert jacobian.T.shape == tuple(matrix.T.shape)
    v = torch.randn((M, columns) if columns else (M,), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    u = torch.randn(
        (len(matrix), columns) if columns else (len(matrix),),
        generator=torch.Generator().manual_seed(2),
        dtype=torch.float64,
    )
    # Sums of 60 products in float64.
    torch.testing.assert_close(jacobian @ v, matrix @ v, rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(jacobian.T @ u, matrix.T @ u, rtol=1e-12, atol=1e-13)


def test_passes_are_counted():
    jacobian = Jacobian(curved, image())
    assert (jacobian.forwards, jacobian.vjps, jacobian.jvps) == (1, 0, 0)
    jacobian.T @ torch.ones(5, 3)
    assert (jacobian.forwards, jacobian.vjps, jacobian.jvps) == (1, 3, 0)
    jacobian @ torch.ones(M, 2)
    assert (jacobian.forwards, jacobian.vjps, jacobian.jvps) == (1, 4, 2), (
        "one vjp more for the graph of the products with J"
    )
    assert jacobian.passes == 7


@pytest.mark.parametrize("family", FAMILIES)
def test_adjoint_identity_and_dense_rows_in_every_family(checkpoints, family):
    encoder = loaded(checkpoints[family], dtype=torch.float64)
    height, width = encoder.input_size
    generator = torch.Generator().manual_seed(3)
    pixels = torch.rand((3, height, width), generator=generator, dtype=torch.float64)
    jacobian = Jacobian(encoder.embed, pixels)
    n, m = jacobian.shape
    assert (n, m) == (encoder.embedding_dim, pixels.numel())
    u, v = (torch.randn(size, generator=generator, dtype=torch.float64) for size in (n, m))
    pushed, pulled = jacobian @ v, jacobian.T @ u
    # <J v, u> = <v, J^T u>, to rounding of the two sums.
    assert abs(pushed @ u - v @ pulled) <= 1e-12 * pushed.norm() * u.norm()
    assert jacobian.jvps == 1, "a second backward pass must do, at the price of one"
    matrix = dense(jacobian)
    torch.testing.assert_close(matrix.T @ u, pulled, rtol=1e-9, atol=1e-12 * float(pulled.abs().max()))


def test_the_attention_setting_is_put_back(checkpoints):
    before = (torch.backends.cuda.flash_sdp_enabled(), torch.backends.mha.get_fastpath_enabled())
    Jacobian(loaded(checkpoints["clip"]).embed, torch.rand(3, 32, 32))
    assert (torch.backends.cuda.flash_sdp_enabled(), torch.backends.mha.get_fastpath_enabled()) == before


class OnceDifferentiable(torch.autograd.Function):
    """A layer with a backward pass and a forward mode, but no second derivative."""

    @staticmethod
    def forward(x):
        return x.sin()

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[0])
        ctx.save_for_forward(inputs[0])

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, cotangent):
        return cotangent * ctx.saved_tensors[0].cos()

    @staticmethod
    def jvp(ctx, tangent):
        return tangent * ctx.saved_tensors[0].cos()


def test_forward_mode_where_there_is_no_second_derivative():
    a = with_singular_values([2.0, 1.0])
    jacobian = Jacobian(lambda x: OnceDifferentiable.apply(x.flatten(1)) @ a.T, image())
    v = orthonormal(M, 1, 5)[:, 0]
    torch.testing.assert_close(jacobian @ v, a @ (image().flatten().cos() * v), rtol=1e-12, atol=1e-14)
    assert jacobian.jvps == 2


class BackwardOnly(torch.autograd.Function):
    """A layer with a backward pass alone, like a fused kernel."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.sin()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, cotangent):
        return cotangent * ctx.saved_tensors[0].cos()


def test_a_model_without_either_is_told_what_is_left():
    jacobian = Jacobian(lambda x: BackwardOnly.apply(x.flatten(1))[:, :4], image())
    with pytest.raises(ModelError, match="only products with its transpose"):
        jacobian @ torch.ones(M, dtype=torch.float64)
    torch.testing.assert_close(dense(jacobian)[1, 1], image().flatten()[1].cos())


@pytest.mark.parametrize("shape", [(M + 1,), (5,), (M, 2, 2), ()])
def test_wrong_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="Expected"):
        Jacobian(curved, image()) @ torch.ones(shape)


def test_one_image_only():
    with pytest.raises(ValueError, match="one image"):
        Jacobian(curved, image()[None])


def test_scipy_takes_it():
    from scipy.sparse.linalg import svds

    a = with_singular_values([3.0, 2.0, 1.0, 0.5, 0.25])
    operator = Jacobian(linear(a), image()).to_scipy()
    assert operator.shape == (5, M)
    assert sorted(svds(operator, k=2, return_singular_vectors=False, random_state=0)) == pytest.approx(
        [2.0, 3.0], rel=1e-10
    )
