"""The Jacobian of each image of a list: decode, decompose, compare, write."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vitequiv.encoders.base import Encoder
from vitequiv.errors import VitequivError
from vitequiv.geometry.api import jacobian
from vitequiv.geometry.budget import Preflight
from vitequiv.images.decode import load_image
from vitequiv.results.envelope import Envelope, InputRecord
from vitequiv.results.jacobian import JacobianResult
from vitequiv.results.status import Status
from vitequiv.runs.context import RunContext
from vitequiv.runs.directory import RunDirectory
from vitequiv.runs.failures import reason
from vitequiv.runs.jacobian_artifacts import write_jacobian
from vitequiv.runs.worklist import Item


@dataclass(frozen=True)
class JacobianPlan:
    """How the images of a run are looked at.

    Args:
        method: `full` or `topk`.
        k: Triplets for `topk`; None for the default.
        tolerance: Relative residual to reach, for `topk`.
        drawn: Right singular vectors to draw.
        compare: An image whose Jacobian is compared with each; None for none.
        seed: Seed of `topk`.
    """

    method: str
    k: int | None
    tolerance: float
    drawn: int
    compare: Path | None
    seed: int


def run_jacobians(
    encoder: Encoder,
    items: Sequence[Item],
    plan: JacobianPlan,
    context: RunContext,
    out: RunDirectory,
    before: Callable[[Preflight], None] | None = None,
    observe: Callable[[int, int], None] | None = None,
) -> Iterator[Envelope]:
    """Decompose the Jacobian at each image and write each one's folder.

    Args:
        encoder: The encoder.
        items: The images.
        plan: How.
        context: What the items share.
        out: Where to write.
        before: Told what a full Jacobian will take.
        observe: Told of rows done and rows in all.

    Yields:
        An envelope an image, as it ends; one that failed has no folder, only its envelope.
    """

    def decompose(role: str, path: Path) -> tuple[InputRecord, JacobianResult]:
        image = load_image(path)
        pixels = encoder.preprocess(image.image)
        (result,) = jacobian(
            encoder,
            pixels,
            plan.method,
            plan.k,
            tolerance=plan.tolerance,
            seed=plan.seed,
            before=before,
            observe=observe,
        )
        return InputRecord(role, str(path), image.sha256, image.notes), result

    other: tuple[InputRecord, JacobianResult] | None = None
    for item in items:
        named = [InputRecord("image", str(item.path))]
        try:
            found = decompose("image", item.path)
            if plan.compare:
                named.append(InputRecord("compare", str(plan.compare)))
                other = other or decompose("compare", plan.compare)
            yield write_jacobian(encoder, item.name, found, other, plan.drawn, context, out)
        except VitequivError as error:
            yield context.envelope(item.name, Status.FAILED, error.message, tuple(named))
        except Exception as error:
            message = f"The model {encoder.spec} failed on this image: {reason(error)}"
            yield context.envelope(item.name, Status.FAILED, message, tuple(named))
