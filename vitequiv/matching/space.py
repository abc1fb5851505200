"""Which pixels a match changes: the encoder's own input, or the picture at its own resolution."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from PIL import Image
from torch import Tensor

from vitequiv.encoders.base import Encoder
from vitequiv.encoders.official import OfficialProcessor, embed_through
from vitequiv.images.differentiable import differentiable
from vitequiv.images.jpeg import decode_jpeg, encode_jpeg, through_jpeg, through_picture_jpeg
from vitequiv.images.lattice import to_uint8
from vitequiv.images.preprocessing import resized_shape
from vitequiv.maps import Embed
from vitequiv.matching.names import SpaceName
from vitequiv.matching.solver import Solver
from vitequiv.matching.solvers.gd import GradientDescent


@dataclass(frozen=True, eq=False)
class PixelSpace:
    """The pixels that a match changes, and how the encoder comes to see them.

    Args:
        name: Which.
        see: The pixels (B, 3, h, w) in [0, 1] to the encoder's input (B, 3, H, W), differentiable; without a JPEG.
        embed: The pixels to embeddings, differentiable; through the JPEG, where one was asked for.
        saved: Maps under which the pixels rounded to 8 bits must meet the goal, so that their file does; the first is
            `embed`.
        scale: Pixels to change for each pixel that the resize leaves.
    """

    name: SpaceName
    see: Callable[[Tensor], Tensor]
    embed: Embed
    saved: tuple[Embed, ...]
    scale: float = 1.0

    def adapt(self, solver: Solver) -> Solver:
        """Let a step size mean the same in all spaces.

        An average over m pixels has a gradient of 1/m in each, so that a constant step on many pixels would move what
        the encoder sees m times less. Solvers that measure the gradient are blind to that; gradient descent is not.

        Args:
            solver: The solver.

        Returns:
            The solver for these pixels.
        """
        if self.scale != 1 and isinstance(solver, GradientDescent):
            return replace(solver, step_size=solver.step_size * self.scale)
        return solver


def model_space(encoder: Encoder, jpeg: int | None = None) -> PixelSpace:
    """The encoder's own input (the paper's setting).

    Args:
        encoder: The encoder.
        jpeg: Quality of the JPEG of the canvas that is to meet the goal; None for the pixels themselves.

    Returns:
        The space.

    Raises:
        ValueError: If the quality is out of range, or the preprocessing has no canvas for a JPEG.
    """
    embed: Embed = encoder.embed
    if jpeg is not None:
        embed = _chain(through_jpeg(encoder.preprocessing, jpeg), embed)
    return PixelSpace(SpaceName.MODEL, _as_it_is, embed, (embed,))


def image_space(encoder: Encoder, height: int, width: int, jpeg: int | None = None) -> PixelSpace:
    """Pictures at their own resolution, with the checkpoint's resize and crop between them and the encoder.

    The resize and crop are the exact ones (see `differentiable`), so `embed` is constant between 8-bit levels and what
    it says of an image holds for its file. Official processors that resize by other roundings, which the torchvision
    backend of transformers does, are further maps of `saved`.

    Args:
        encoder: The encoder.
        height: Height of the pictures in pixels.
        width: Their width.
        jpeg: Quality of the JPEG of the whole picture that is to meet the goal; None for the picture itself.

    Returns:
        The space.

    Raises:
        ImageError: If pictures of this shape are too narrow for the model.
        ModelError: If an official processor cannot be loaded.
        ValueError: If the quality is out of range.
    """
    see = differentiable(encoder.preprocessing, height, width)
    embed = _chain(see, encoder.embed)
    if jpeg is not None:
        embed = _chain(through_picture_jpeg(jpeg), embed)
    others = (_official(encoder, one, jpeg) for one in encoder.tower.processors() if not one.exact)
    rows, columns = resized_shape(encoder.preprocessing, height, width)
    return PixelSpace(SpaceName.IMAGE, see, embed, (embed, *others), height * width / (rows * columns))


def space_of(encoder: Encoder, name: SpaceName, shape: Sequence[int], jpeg: int | None = None) -> PixelSpace:
    """The space of a name.

    Args:
        encoder: The encoder.
        name: Which.
        shape: Of the pixels, (..., h, w).
        jpeg: Quality of a JPEG; None for none.

    Returns:
        `model_space` or `image_space`.
    """
    if name is SpaceName.MODEL:
        return model_space(encoder, jpeg)
    return image_space(encoder, shape[-2], shape[-1], jpeg)


def pictures(encoder: Encoder, pixels: Tensor, name: str = "sources") -> Tensor:
    """Check pictures of any one size and bring them to the encoder's device and dtype.

    Args:
        encoder: The encoder.
        pixels: (B, 3, h, w) in [0, 1], or one picture (3, h, w).
        name: What to call them in an error.

    Returns:
        (B, 3, h, w), detached.

    Raises:
        ValueError: If the shape, dtype or range is another.
    """
    batch = pixels[None] if pixels.ndim == 3 else pixels
    if batch.ndim != 4 or batch.shape[1] != 3 or not batch.is_floating_point():
        raise ValueError(
            f"{name} must be floating point of shape (B, 3, h, w), got {pixels.dtype} of shape {tuple(pixels.shape)}: "
            "in image space they are pictures of one size, at their own resolution."
        )
    if not bool(((batch >= 0) & (batch <= 1)).all()):
        raise ValueError(f"{name} must lie in [0, 1] and hold no NaN, got {batch.min():.3g} to {batch.max():.3g}.")
    return batch.detach().to(encoder.device, encoder.pixel_dtype).contiguous()


def _as_it_is(pixels: Tensor) -> Tensor:
    return pixels


def _chain(first: Callable[[Tensor], Tensor], then: Embed) -> Embed:
    return lambda pixels: then(first(pixels))


def _official(encoder: Encoder, processor: OfficialProcessor, jpeg: int | None) -> Embed:
    """Embed the 8-bit file of each picture through a processor, without gradients."""

    def embed(pixels: Tensor) -> Tensor:
        levels = [to_uint8(picture) for picture in pixels]
        if jpeg is not None:
            levels = [decode_jpeg(encode_jpeg(one, jpeg)) for one in levels]
        return embed_through(encoder, processor, [Image.fromarray(one) for one in levels])

    return embed
