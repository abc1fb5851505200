"""The Jacobian of each image of a list: decode, decompose, compare, write."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vitequiv.encoders.base import Encoder
from vitequiv.geometry.api import jacobian
from vitequiv.geometry.budget import Preflight
from vitequiv.images.decode import load_image
from vitequiv.results.envelope import Envelope, InputRecord
from vitequiv.results.jacobian import JacobianResult
from vitequiv.results.status import Status
from vitequiv.runs.context import RunContext
from vitequiv.runs.directory import RunDirectory
from vitequiv.runs.failures import explain
from vitequiv.runs.jacobian_artifacts import write_jacobian
from vitequiv.runs.worklist import Item


@dataclass(frozen=True)
class JacobianPlan:
    """How the images of a run are looked at.

    Args:
        method: `full` or `topk`.
        k: Triplets for `topk`; None for the default.
        tolerance: Relative residual to reach, for `topk`.
        verify: For `topk`, look for copies of repeated singular values too.
        drawn: Right singular vectors to draw.
        compare: An image whose Jacobian is compared with each; None for none.
        seed: Seed of `topk`.
    """

    method: str
    k: int | None
    tolerance: float
    verify: bool
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
            verify=plan.verify,
            seed=plan.seed,
            before=before,
            observe=observe,
        )
        return InputRecord(role, str(path), image.sha256, image.notes), result

    other: tuple[InputRecord, JacobianResult] | None = None
    unusable = ""
    if plan.compare:
        # First, and once for all items: a mistyped name must not cost a Jacobian.
        try:
            other = decompose("compare", plan.compare)
        except Exception as error:
            unusable = explain(error, f"The model {encoder.spec} failed on {plan.compare}, the image to compare with")
    for item in items:
        # Saving a figure leaves a cycle of frames behind, and in it the last image's V, which need not live beside
        # the next one's.
        gc.collect()
        inputs = [InputRecord("image", str(item.path))]
        if plan.compare:
            inputs.append(other[0] if other else InputRecord("compare", str(plan.compare)))
        if unusable:
            yield context.envelope(item.name, Status.FAILED, unusable, tuple(inputs))
            continue
        try:
            # Not given a name, which would keep it.
            envelope = write_jacobian(
                encoder, item.name, decompose("image", item.path), other, plan.drawn, context, out
            )
        except Exception as error:
            message = explain(error, f"The model {encoder.spec} failed on this image")
            envelope = context.envelope(item.name, Status.FAILED, message, tuple(inputs))
        yield envelope
