"""The Jacobian of each image of a list: decode, decompose, compare, write."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from torch import Tensor

from vitequiv.encoders.base import Encoder
from vitequiv.geometry.api import jacobian
from vitequiv.geometry.budget import Preflight
from vitequiv.images.decode import load_image
from vitequiv.results.envelope import Envelope, InputRecord
from vitequiv.results.jacobian import JacobianResult
from vitequiv.runs.context import RunContext
from vitequiv.runs.directory import RunDirectory
from vitequiv.runs.engine.task import Elsewhere, Failure, Prepared, Task, Work
from vitequiv.runs.failures import explain
from vitequiv.runs.jacobian_artifacts import Compared, Found, compare, write_jacobian
from vitequiv.runs.worklist.items import Item


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


@dataclass(frozen=True, eq=False)
class Decomposed:
    """An image's Jacobian, compared with another's.

    Args:
        result: The Jacobian.
        compared: How it compares; None if there is no other image.
    """

    result: JacobianResult
    compared: Compared | None


def jacobian_task(
    encoder: Encoder,
    plan: JacobianPlan,
    context: RunContext,
    out: RunDirectory,
    before: Callable[[Preflight], None] | None = None,
    observe: Callable[[int, int], None] | None = None,
) -> Task[Item, Tensor, Decomposed]:
    """What is done to each image: its Jacobian is decomposed, compared and written.

    Args:
        encoder: The encoder.
        plan: How.
        context: What the items share.
        out: Where to write.
        before: Told what a full Jacobian will take.
        observe: Told of rows done and rows in all.

    Returns:
        The task, for one item at a time. The image to compare with is decomposed with the first.
    """
    other = _load_other(encoder, plan)
    work = jacobian_work(encoder, plan, other, before, observe)

    def inputs(item: Item) -> tuple[InputRecord, ...]:
        compare = (InputRecord("compare", str(plan.compare)),) if plan.compare else ()
        return (InputRecord("image", str(item.path)), *compare)

    def prepare(item: Item) -> Prepared[Tensor]:
        record, pixels = _load(encoder, "image", item.path)
        return Prepared((record, *inputs(item)[1:]), pixels)

    def write(item: Item, prepared: Prepared[Tensor], found: Decomposed) -> Envelope:
        return write_jacobian(
            encoder, item.name, (prepared.inputs[0], found.result), found.compared, plan.drawn, context, out
        )

    return Task(
        context,
        inputs,
        prepare,
        work.compute,
        write,
        work.blame,
        overlap=False,
        elsewhere=Elsewhere(partial(jacobian_work, plan=plan, other=other)),
    )


Loaded = tuple[InputRecord, Tensor]


def jacobian_work(
    encoder: Encoder,
    plan: JacobianPlan,
    other: Loaded | Failure | None,
    before: Callable[[Preflight], None] | None = None,
    observe: Callable[[int, int], None] | None = None,
) -> Work[Tensor, Decomposed]:
    """What is done to images that were read.

    Args:
        encoder: The encoder.
        plan: How.
        other: The image to compare with, why there is none, or None if none is wanted.
        before: Told what a full Jacobian will take.
        observe: Told of rows done and rows in all.

    Returns:
        The work. It decomposes the image to compare with once, before the first.
    """

    def decompose(pixels: Tensor) -> JacobianResult:
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
        return result

    @cache
    def reference() -> Found | Failure | None:
        # Before the first image and once for all: a mistyped name must not cost a Jacobian.
        if other is None or isinstance(other, Failure):
            return other
        try:
            return other[0], decompose(other[1])
        except Exception as error:
            return Failure(explain(error, _blame_other(encoder, plan)))

    def compute(batch: Sequence[Tensor]) -> list[Decomposed | Failure]:
        # Saving a figure leaves a cycle of frames behind, and in it the last image's V, which need not live beside
        # the next one's.
        gc.collect()
        found = reference()
        if isinstance(found, Failure):
            return [found for _ in batch]
        results = (decompose(pixels) for pixels in batch)
        return [Decomposed(result, None if found is None else compare(result, found)) for result in results]

    return Work(compute, f"The model {encoder.spec} failed on this image")


def _load_other(encoder: Encoder, plan: JacobianPlan) -> Loaded | Failure | None:
    if plan.compare is None:
        return None
    try:
        return _load(encoder, "compare", plan.compare)
    except Exception as error:
        return Failure(explain(error, _blame_other(encoder, plan)))


def _blame_other(encoder: Encoder, plan: JacobianPlan) -> str:
    return f"The model {encoder.spec} failed on {plan.compare}, the image to compare with"


def _load(encoder: Encoder, role: str, path: Path) -> Loaded:
    image = load_image(path)
    return InputRecord(role, str(path), image.sha256, image.notes), encoder.preprocess(image.image)
