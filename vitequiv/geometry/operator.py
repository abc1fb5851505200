"""The Jacobian of an embedding at one image as a linear operator: products, no matrix."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vitequiv.errors import ModelError
from vitequiv.geometry.attention import plain_attention
from vitequiv.geometry.forward_mode import forward_mode
from vitequiv.maps import Embed
from vitequiv.memory import allocated_bytes
from vitequiv.precision import in_float64

if TYPE_CHECKING:
    from scipy.sparse.linalg import LinearOperator


NON_FINITE = "The embedding or its Jacobian is NaN or infinite at this image: try float32 or float64."


class Jacobian:
    """J = df/dx at one image, n x m with m = 3 H W, by reverse mode through one graph.

    `J @ v` and `J.T @ u` take vectors or matrices of columns. A product with J^T is a backward pass. A product with J
    is one too: J^T u is linear in u, so its own gradient with respect to u, for the cotangent v, is J v; the graph for
    that is built on the first such product (one more pass). Where a layer has no second derivative, forward mode is
    used, which recomputes the forward and counts as two passes.

    Args:
        embed: The map.
        pixels: The point, (3, H, W). Cost: 1 forward.

    Attributes:
        shape: (n, m).
        embedding: f(x), (n,).
        forwards: Forward passes so far.
        vjps: Products with J^T so far.
        jvps: Products with J so far, those by forward mode counted twice.
        graph_bytes: What the graph holds on an accelerator; None on the CPU, where nobody counts.
    """

    def __init__(self, embed: Embed, pixels: Tensor) -> None:
        if pixels.ndim != 3:
            raise ValueError(f"The Jacobian is taken at one image (3, H, W), got shape {tuple(pixels.shape)}.")
        self._embed = embed
        self._pixels = pixels.detach().clone()[None].requires_grad_()
        before = allocated_bytes(self._pixels.device)
        with plain_attention():
            self._output = embed(self._pixels)  # (1, n)
        after = allocated_bytes(self._pixels.device)
        self.graph_bytes = None if before is None or after is None else after - before
        self.embedding = self._output.detach()[0]
        self.shape = (self._output.shape[1], pixels.numel())
        self.forwards, self.vjps, self.jvps = 1, 0, 0
        self._dual: tuple[Tensor, Tensor] | None = None
        self._forward_mode = False

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the products."""
        return self._output.dtype

    @property
    def device(self) -> torch.device:
        """Where the products are."""
        return self._output.device

    @property
    def passes(self) -> int:
        """All passes so far."""
        return self.forwards + self.vjps + self.jvps

    @property
    def T(self) -> Transposed:  # noqa: N802 - the field's name, as in NumPy and torch
        """The transposed operator, m x n."""
        return Transposed(self)

    def __matmul__(self, vectors: Tensor) -> Tensor:
        """J v, for v (m,) or (m, k). Cost: 1 jvp a column."""
        return _columns(self._push, vectors, self.shape[1], self)

    def pull(self, vectors: Tensor) -> Tensor:
        """J^T u, for u (n,) or (n, k). Cost: 1 vjp a column."""
        return _columns(self._pull, vectors, self.shape[0], self)

    def rows(self, cotangents: Tensor) -> Tensor:
        """J^T u for several u in one batched backward pass.

        Args:
            cotangents: (k, n).

        Returns:
            (k, m). Cost: k vjps. Memory: k times that of one backward pass.

        Raises:
            RuntimeError: If a layer's backward has no batching rule.
        """
        cotangents = cotangents.to(self.device, self.dtype)
        if len(cotangents) == 1:
            return self._pull(cotangents[0])[None]
        (products,) = torch.autograd.grad(
            self._output, self._pixels, cotangents[:, None], retain_graph=True, is_grads_batched=True
        )
        self.vjps += len(cotangents)
        return products.flatten(1)

    def to_scipy(self) -> LinearOperator:
        """Export to SciPy, for float64 NumPy vectors.

        Returns:
            A `scipy.sparse.linalg.LinearOperator` with `matvec` and `rmatvec`, which count as products here.
        """
        from scipy.sparse.linalg import LinearOperator

        def product(apply: Callable[[Tensor], Tensor]) -> Callable[[object], object]:
            return lambda v: in_float64(apply(torch.as_tensor(v).reshape(-1))).cpu().numpy()

        return LinearOperator(self.shape, matvec=product(self.__matmul__), rmatvec=product(self.pull), dtype="float64")

    def _pull(self, cotangent: Tensor) -> Tensor:
        self.vjps += 1
        (product,) = torch.autograd.grad(self._output, self._pixels, cotangent[None], retain_graph=True)
        return product.flatten()

    def _push(self, tangent: Tensor) -> Tensor:
        tangent = tangent.view_as(self._pixels)
        if not self._forward_mode:
            try:
                cotangent, pulled = self._dual = self._dual or self._build_dual()
                (product,) = torch.autograd.grad(pulled, cotangent, tangent, retain_graph=True)
            except torch.OutOfMemoryError:
                raise
            except RuntimeError:
                self._forward_mode, self._dual = True, None
            else:
                self.jvps += 1
                return product[0]
        return self._push_forward(tangent)

    def _build_dual(self) -> tuple[Tensor, Tensor]:
        cotangent = torch.zeros_like(self._output, requires_grad=True)
        (pulled,) = torch.autograd.grad(self._output, self._pixels, cotangent, create_graph=True)
        self.vjps += 1
        return cotangent, pulled

    def _push_forward(self, tangent: Tensor) -> Tensor:
        try:
            product = forward_mode(self._embed, self._pixels, tangent)[0]
        except (RuntimeError, NotImplementedError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise ModelError(
                f"Products with this model's Jacobian cannot be computed, neither by a second backward pass nor in "
                f"forward mode ({reason}): only products with its transpose can, as in jacobian --method full."
            ) from error
        self.jvps += 2
        return product


class Transposed:
    """J^T, m x n; see `Jacobian`."""

    def __init__(self, jacobian: Jacobian) -> None:
        self.T = jacobian
        self.shape = (jacobian.shape[1], jacobian.shape[0])

    def __matmul__(self, vectors: Tensor) -> Tensor:
        """J^T u, for u (n,) or (n, k). Cost: 1 vjp a column."""
        return self.T.pull(vectors)


def _columns(product: Callable[[Tensor], Tensor], vectors: Tensor, length: int, jacobian: Jacobian) -> Tensor:
    """Apply a product to a vector or to each column of a matrix."""
    if vectors.ndim not in {1, 2} or vectors.shape[0] != length:
        raise ValueError(f"Expected ({length},) or ({length}, k), got {tuple(vectors.shape)}.")
    vectors = vectors.to(jacobian.device, jacobian.dtype)
    if vectors.ndim == 1:
        return product(vectors)
    return torch.stack([product(column) for column in vectors.T], dim=1)
