"""What a match found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vitequiv.matching.names import SpaceName
from vitequiv.results.cost import Cost
from vitequiv.results.envelope import jsonable
from vitequiv.results.status import Status

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Measured:
    """One quantity at the start, at the end, and as measured on the saved file.

    Args:
        initial: At the start.
        final: At the result's pixels, before they are saved.
        saved: On the 8-bit file, reloaded from disk through the checkpoint's own preprocessing; None before that.
        jpeg: The same on the JPEG, where one was asked for. Then the initial and final are seen through that JPEG too.
    """

    initial: float
    final: float
    saved: float | None = None
    jpeg: float | None = None


@dataclass(frozen=True)
class Verified:
    """A saved file, reloaded and shown to one image processor.

    Args:
        file: Its name.
        processor: The processor's class or function.
        library: Where it comes from; `vitequiv` for the encoder's own preprocessing.
        backend: What resizes in it: `pil` or `torchvision`.
        cosine: Cosine similarity to the target embedding.
        relative_residual: Distance to the target embedding over the target's norm.
    """

    file: str
    processor: str
    library: str
    backend: str
    cosine: float
    relative_residual: float


@dataclass(frozen=True)
class Perturbation:
    """How far the result is from its start.

    Args:
        l2: Euclidean norm of the change, pixels in [0, 1].
        mean_abs: Mean absolute change of a pixel's channel, in [0, 1].
        linf: Largest absolute change, in [0, 1].
        mean_abs_8bit: Mean absolute change of the 8-bit image, in levels.
        linf_8bit: Largest change of the 8-bit image, in levels.
        psnr_db: Peak signal-to-noise ratio of the 8-bit image in decibels; infinite if nothing changed.
        ssim: Structural similarity of the 8-bit images (Wang et al. 2004), at most 1; see `matching.similarity.ssim`.
        lpips: Learned perceptual distance of the 8-bit images (Zhang et al. 2018), at least 0; None without its
            weights, see `matching.lpips`.
    """

    l2: float
    mean_abs: float
    linf: float
    mean_abs_8bit: float
    linf_8bit: int
    psnr_db: float
    ssim: float
    lpips: float | None = None


@dataclass(frozen=True)
class TrajectoryRow:
    """The state at one evaluation.

    Args:
        passes: Passes spent up to and including this evaluation.
        loss: Half the squared distance to the target embedding (paper, Eq. 3), or 1 - cosine, as was asked for.
        cosine: Cosine similarity to the target embedding.
        mean_abs: Mean absolute pixel change so far, in [0, 1].
    """

    passes: int
    loss: float
    cosine: float
    mean_abs: float


@dataclass(frozen=True)
class Canvas:
    """The size of `matched.png` and `matched.jpg`.

    Args:
        height: In pixels.
        width: In pixels.
    """

    height: int
    width: int


@dataclass(frozen=True)
class MatchRecord:
    """The `result` of `match.json`.

    Args:
        space: Which pixels were changed: those of the model's input, or of the image at its own resolution.
        cosine: Cosine similarity to the target's embedding.
        relative_residual: Distance to the target's embedding over its norm.
        verified: What the saved files came to, an entry a file and image processor.
        perturbation: How far the result is from its start.
        trajectory: A row an evaluation.
        canvas: The size of the files.
    """

    space: SpaceName
    cosine: Measured
    relative_residual: Measured
    verified: tuple[Verified, ...]
    perturbation: Perturbation
    trajectory: tuple[TrajectoryRow, ...]
    canvas: Canvas


@dataclass(frozen=True, eq=False)
class MatchResult:
    """One source matched to one target.

    Args:
        status: How it ended.
        message: The same in a sentence.
        target: The embedding to match, (n,).
        start: The image it began from, (3, H, W) in [0, 1]; in image space the picture at its own resolution.
        pixels: The result, (3, H, W) in [0, 1]: the point that met the goal, else the best one seen. Of
            levels k/255 where the match went on among 8-bit images (see `match`'s `on_lattice`).
        cosine: Cosine similarity to the target embedding.
        relative_residual: Distance to the target embedding over the target's norm.
        perturbation: How far `pixels` is from `start`.
        trajectory: A row an evaluation.
        cost: What it took.
        space: Which pixels were changed.
        verified: What the saved files came to, processor by processor; empty before they were saved.
    """

    status: Status
    message: str
    target: Tensor
    start: Tensor
    pixels: Tensor
    cosine: Measured
    relative_residual: Measured
    perturbation: Perturbation
    trajectory: tuple[TrajectoryRow, ...]
    cost: Cost
    space: SpaceName = SpaceName.MODEL
    verified: tuple[Verified, ...] = ()

    def to_dict(self, canvas: Canvas) -> dict[str, Any]:
        """Write down the `result` object of `match.json`.

        Args:
            canvas: The size of the files.

        Returns:
            A `MatchRecord` as plain JSON types.
        """
        record = MatchRecord(
            space=self.space,
            cosine=self.cosine,
            relative_residual=self.relative_residual,
            verified=self.verified,
            perturbation=self.perturbation,
            trajectory=self.trajectory,
            canvas=canvas,
        )
        plain: dict[str, Any] = jsonable(record)
        return plain
