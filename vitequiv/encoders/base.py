"""What an encoder is: a deterministic, frozen map from pixels in [0, 1] to an embedding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from vitequiv.encoders.official import Processors, no_processors
from vitequiv.images.preprocessing import Preprocessing, preprocess_uint8

if TYPE_CHECKING:
    from PIL import Image

    from vitequiv.encoders.families import Readout


@dataclass(frozen=True, eq=False)
class ClassificationHead:
    """A supervised classifier that came with the checkpoint.

    Args:
        module: Normalised images (B, 3, H, W) to logits (B, C). May share parameters with the tower's module.
        labels: The C class names, in the order of the logits.
    """

    module: nn.Module
    labels: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class TextTower:
    """The text half of a two-tower model.

    Args:
        module: Token tensor to embeddings (N, n) in the image embedding's space, of the length the model gives them.
        tokenize: N texts to the token tensor of `module`.
        logit_scale: Factor on the cosine of image and text before the softmax, if the checkpoint learned one.
    """

    module: nn.Module
    tokenize: Callable[[Sequence[str]], Tensor]
    logit_scale: float | None = None


@dataclass(frozen=True, eq=False)
class VisionTower:
    """What an adapter returns: the parts of an encoder, on the CPU in float32.

    Args:
        module: Normalised images (B, 3, H, W), at the input size, to embeddings (B, n).
        preprocessing: The checkpoint's own geometry, mean and standard deviation.
        head: The checkpoint's classifier, if it has one.
        text: The text half, if there is one.
        readout: Which vector `module` returns, if that is for the checkpoint to decide (`Readout.AUTO`); None for the
            one asked for.
        processors: Makes the official image processors, called when a file is to be verified through them.
    """

    module: nn.Module
    preprocessing: Preprocessing
    head: ClassificationHead | None = None
    text: TextTower | None = None
    readout: Readout | None = None
    processors: Processors = no_processors

    def modules(self) -> list[nn.Module]:
        """Returns the network modules of all parts."""
        return [part for part in (self.module, self.head and self.head.module, self.text and self.text.module) if part]


@dataclass(frozen=True, eq=False)
class Encoder:
    """An image encoder in the one space everything works in: sRGB pixels in [0, 1] at the input size.

    Made by `load_encoder`; parameters are frozen and the modules in eval mode, so `embed` is a deterministic function.

    Args:
        spec: The spec it was made from, for example `beit:DIR`.
        family: The registered family's name.
        checkpoint: The checkpoint loaded.
        readout: Which vector is the embedding.
        tower: The network, moved to `device` and `dtype`.
        embedding_dim: n.
        device: Where the network is.
        dtype: float32 or float64; bfloat16 means float32 parameters under bfloat16 autocast.
        weights_sha256: Digest of the vision module's tensors as loaded (see `encoders.weights`).
    """

    spec: str
    family: str
    checkpoint: str
    readout: Readout
    tower: VisionTower
    embedding_dim: int
    device: torch.device
    dtype: torch.dtype
    weights_sha256: str

    @property
    def preprocessing(self) -> Preprocessing:
        """The checkpoint's own preprocessing."""
        return self.tower.preprocessing

    @property
    def input_size(self) -> tuple[int, int]:
        """Height and width of the network's input in pixels."""
        return self.tower.preprocessing.input_size

    @property
    def pixel_dtype(self) -> torch.dtype:
        """The dtype of pixels and embeddings: float64 for a float64 encoder, else float32."""
        return torch.float64 if self.dtype == torch.float64 else torch.float32

    def preprocess(self, image: Image.Image) -> Tensor:
        """Do what the checkpoint's own processor does, short of normalising.

        Args:
            image: A Pillow image of any size; converted to RGB as the official processors do.

        Returns:
            Pixels (3, H, W) in [0, 1], multiples of 1/255, on the CPU.
        """
        levels = torch.from_numpy(preprocess_uint8(self.preprocessing, image).copy())  # (H, W, 3)
        return levels.permute(2, 0, 1).contiguous().to(self.pixel_dtype).div(255)

    def normalise(self, pixels: Tensor) -> Tensor:
        """Map pixels (B, 3, H, W) in [0, 1] to the network's own input range.

        Args:
            pixels: (B, 3, H, W) in [0, 1], at the input size.

        Returns:
            (B, 3, H, W), on the encoder's device.

        Raises:
            ValueError: If the shape is not (B, 3, H, W) at the input size.
        """
        expected = (3, *self.input_size)
        if pixels.ndim != 4 or tuple(pixels.shape[1:]) != expected:
            raise ValueError(
                f"Pixels must have shape (B, {', '.join(map(str, expected))}), got {tuple(pixels.shape)}: "
                "make them with encoder.preprocess(image) and stack them."
            )
        pixels = pixels.to(self.device, self.pixel_dtype)
        mean, std = (
            torch.tensor(v, device=self.device, dtype=self.pixel_dtype).view(1, 3, 1, 1)
            for v in (self.preprocessing.mean, self.preprocessing.std)
        )
        return (pixels - mean) / std

    def batch(self, pixels: Tensor, name: str = "pixels") -> Tensor:
        """Check pixels and bring them to the encoder's device and dtype.

        Args:
            pixels: (B, 3, H, W) in [0, 1] at the input size, or one image (3, H, W).
            name: What to call them in an error.

        Returns:
            (B, 3, H, W), detached.

        Raises:
            ValueError: If the shape, dtype or range is another.
        """
        batch = pixels[None] if pixels.ndim == 3 else pixels
        expected = (3, *self.input_size)
        if batch.ndim != 4 or tuple(batch.shape[1:]) != expected or not batch.is_floating_point():
            raise ValueError(
                f"{name} must be floating point of shape (B, {', '.join(map(str, expected))}), got {pixels.dtype} of "
                f"shape {tuple(pixels.shape)}: make them with encoder.preprocess(image) and torch.stack."
            )
        if not bool(((batch >= 0) & (batch <= 1)).all()):
            raise ValueError(f"{name} must lie in [0, 1] and hold no NaN, got {batch.min():.3g} to {batch.max():.3g}.")
        # One memory layout: another sums in another order, and the same pixels shall take the same way.
        return batch.detach().to(self.device, self.pixel_dtype).contiguous()

    def embed(self, pixels: Tensor) -> Tensor:
        """Embed images; differentiable with respect to `pixels`.

        Args:
            pixels: (B, 3, H, W) in [0, 1], at the input size.

        Returns:
            Embeddings (B, n) on the encoder's device, float32 (float64 for a float64 encoder). Cost: B forwards.
        """
        return self._run(self.tower.module, self.normalise(pixels))

    def embed_normalised(self, inputs: Tensor) -> Tensor:
        """Embed what an official processor made.

        Args:
            inputs: (B, 3, H, W) in the network's own input range.

        Returns:
            As `embed`.
        """
        return self._run(self.tower.module, inputs.to(self.device, self.pixel_dtype))

    def logits(self, pixels: Tensor) -> Tensor:
        """Classify images with the checkpoint's own head.

        Args:
            pixels: (B, 3, H, W) in [0, 1], at the input size.

        Returns:
            Logits (B, C) in the order of `encoder.labels`. Cost: B forwards.

        Raises:
            ValueError: If the checkpoint has no head.
        """
        if self.tower.head is None:
            raise ValueError(f"The checkpoint of {self.spec} has no classification head.")
        return self._run(self.tower.head.module, self.normalise(pixels))

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names of the checkpoint's head; empty if it has none."""
        return self.tower.head.labels if self.tower.head else ()

    def embed_text(self, texts: Sequence[str]) -> Tensor:
        """Embed texts into the images' space.

        Args:
            texts: N strings.

        Returns:
            Embeddings (N, n), not normalised.

        Raises:
            ValueError: If the encoder has no text tower.
        """
        if self.tower.text is None:
            raise ValueError(f"The encoder {self.spec} has no text tower.")
        with torch.no_grad():
            return self._run(self.tower.text.module, self.tower.text.tokenize(list(texts)).to(self.device))

    def _run(self, module: nn.Module, inputs: Tensor) -> Tensor:
        try:
            with self._precision():
                output = module(inputs)
        except SystemExit as error:  # a plugin's; the process is not its to end
            raise RuntimeError(f"its forward called sys.exit({error.code!r})") from error
        if not isinstance(output, Tensor):
            raise TypeError(f"its forward returned a {type(output).__name__}: return one tensor, a row for each image")
        return output.to(self.pixel_dtype)

    def _precision(self) -> AbstractContextManager[object]:
        if self.dtype == torch.bfloat16:
            return torch.autocast(self.device.type, dtype=torch.bfloat16)
        return nullcontext()
