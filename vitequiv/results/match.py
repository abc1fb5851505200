"""What a match found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from vitequiv.results.cost import Cost
from vitequiv.results.status import Status

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Measured:
    """One quantity at the start, at the end, and as measured on the saved file.

    Args:
        initial: At the start.
        final: At the floating-point result.
        saved: On the 8-bit file, reloaded from disk through the checkpoint's own preprocessing; None before that.
        jpeg: The same on the JPEG, where one was asked for. Then the initial and final are seen through that JPEG too.
    """

    initial: float
    final: float
    saved: float | None = None
    jpeg: float | None = None


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
    """

    l2: float
    mean_abs: float
    linf: float
    mean_abs_8bit: float
    linf_8bit: int
    psnr_db: float
    ssim: float


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


@dataclass(frozen=True, eq=False)
class MatchResult:
    """One source matched to one target.

    Args:
        status: How it ended.
        message: The same in a sentence.
        target: The embedding to match, (n,).
        start: The image it began from, (3, H, W) in [0, 1].
        pixels: The result, (3, H, W) in [0, 1]: the point that met the goal, else the best one seen.
        cosine: Cosine similarity to the target embedding.
        relative_residual: Distance to the target embedding over the target's norm.
        perturbation: How far `pixels` is from `start`.
        trajectory: A row an evaluation.
        cost: What it took.
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

    def to_dict(self) -> dict[str, Any]:
        """Returns the `result` object of `match.json`."""
        return {
            "cosine": asdict(self.cosine),
            "relative_residual": asdict(self.relative_residual),
            "perturbation": asdict(self.perturbation),
            "trajectory": [asdict(row) for row in self.trajectory],
        }
