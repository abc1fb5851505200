"""Directional Lipschitz constants of each image of a list: decode, measure, write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from vitequiv.batching import BatchSize
from vitequiv.encoders.base import Encoder
from vitequiv.errors import ImageError
from vitequiv.files.reading import open_regular
from vitequiv.geometry.budget import Preflight
from vitequiv.geometry.ldlc import ldlc
from vitequiv.geometry.named import NamedDirections
from vitequiv.images.decode import load_image
from vitequiv.images.save import save_tensors
from vitequiv.matching.api import match
from vitequiv.results.artifacts import LDLC as ARTIFACTS
from vitequiv.results.artifacts import MATCH as MATCH_ARTIFACTS
from vitequiv.results.envelope import Envelope, InputRecord
from vitequiv.results.ldlc import LdlcResult
from vitequiv.results.reading import artifact
from vitequiv.results.status import Status
from vitequiv.runs.context import RunContext
from vitequiv.runs.directory import RunDirectory
from vitequiv.runs.engine.task import Elsewhere, Prepared, Task, Work
from vitequiv.runs.failures import reason
from vitequiv.runs.figures import Figures
from vitequiv.runs.resume import digest
from vitequiv.runs.worklist.items import Item


@dataclass(frozen=True, eq=False)
class LdlcData:
    """An image to measure.

    Args:
        item: The item.
        pixels: The image, (3, H, W).
        matched: The match that was saved, (3, H, W), if its direction is wanted.
        target: The image to match to, (3, H, W), if that is wanted.
    """

    item: Item
    pixels: Tensor
    matched: Tensor | None = None
    target: Tensor | None = None


@dataclass(frozen=True)
class LdlcPlan:
    """How the images of a run are measured; see `vitequiv.geometry.ldlc.ldlc`.

    Args:
        directions: The groups: names of built-in ones, or plugins'.
        target: For the group `match`: the image to match each one to, or the folder of a saved match.
        count: Random and null directions for |J d|.
        measured: Random and null directions for Eq. 7.
        along: Directions of each group for |J(x + a d) d|.
        epsilon: Half the range; None to choose it.
        points: Grid points.
        sweep: Look along epsilon even where it is given.
        seed: Seed of the directions.
        batch_size: Images embedded together; shared by the items, for what does not fit once does not fit again.
    """

    directions: tuple[str | NamedDirections, ...]
    target: Path | None
    count: int
    measured: int
    along: int
    epsilon: float | None
    points: int
    sweep: bool
    seed: int
    batch_size: BatchSize


def ldlc_task(
    encoder: Encoder,
    plan: LdlcPlan,
    context: RunContext,
    out: RunDirectory,
    before: Callable[[Preflight], None] | None = None,
    observe: Callable[[int, int], None] | None = None,
) -> Task[Item, LdlcData, LdlcResult]:
    """What is done to each image: its constants are measured and written.

    Args:
        encoder: The encoder.
        plan: How.
        context: What the items share.
        out: Where to write.
        before: Told what a full Jacobian will take.
        observe: Told of rows of it done and rows in all.

    Returns:
        The task, for one item at a time.
    """
    saved = plan.target / MATCH_ARTIFACTS["tensors"] if plan.target and plan.target.is_dir() else None

    def inputs(item: Item) -> tuple[InputRecord, ...]:
        image = InputRecord("image", str(item.path))
        if saved is not None:
            return (image, InputRecord("match", str(plan.target), digest(str(saved))))
        return (image, InputRecord("target", str(plan.target))) if plan.target else (image,)

    def prepare(item: Item) -> Prepared[LdlcData]:
        image = load_image(item.path)
        first = InputRecord("image", str(item.path), image.sha256, image.notes)
        pixels = encoder.preprocess(image.image)
        if plan.target is None:
            return Prepared((first,), LdlcData(item, pixels))
        if saved is not None:
            matched = saved_match(encoder, plan.target, pixels, item)
            return Prepared((first, inputs(item)[1]), LdlcData(item, pixels, matched=matched))
        target = load_image(plan.target)
        second = InputRecord("target", str(plan.target), target.sha256, target.notes)
        return Prepared((first, second), LdlcData(item, pixels, target=encoder.preprocess(target.image)))

    work = ldlc_work(encoder, plan, before, observe)
    return Task(
        context,
        inputs,
        prepare,
        work.compute,
        lambda item, prepared, result: _write(encoder, item, prepared.inputs, result, context, out),
        work.blame,
        elsewhere=Elsewhere(partial(ldlc_work, plan=plan)),
    )


def ldlc_work(
    encoder: Encoder,
    plan: LdlcPlan,
    before: Callable[[Preflight], None] | None = None,
    observe: Callable[[int, int], None] | None = None,
) -> Work[LdlcData, LdlcResult]:
    """What is done to images that were read.

    Args:
        encoder: The encoder.
        plan: How.
        before: Told what a full Jacobian will take.
        observe: Told of rows of it done and rows in all.

    Returns:
        The work.
    """

    def measure(data: LdlcData) -> LdlcResult:
        matched = data.matched
        if data.target is not None and plan.target is not None:
            matched = _match(encoder, data.pixels, data.target, data.item, plan.target)
        return ldlc(
            encoder,
            data.pixels,
            directions=plan.directions,
            match=matched,
            count=plan.count,
            measured=plan.measured,
            along=plan.along,
            epsilon=plan.epsilon,
            points=plan.points,
            sweep=plan.sweep,
            seed=plan.seed,
            batch_size=plan.batch_size,
            before=before,
            observe=observe,
        )

    blame = "The constants of this image could not be measured"
    return Work(lambda batch: [measure(data) for data in batch], blame, within=plan.batch_size)


def _match(encoder: Encoder, pixels: Tensor, target: Tensor, item: Item, path: Path) -> Tensor:
    """The image matched to the target; an `ImageError` if there is no match or nothing to do."""
    (result,) = match(encoder, pixels, target, on_lattice=False)
    if result.status is not Status.CONVERGED or result.perturbation.l2 == 0:
        raise ImageError(f"There is no direction of a match from {item.path} to {path}: {result.message}")
    return result.pixels


def saved_match(encoder: Encoder, folder: Path, pixels: Tensor, item: Item) -> Tensor:
    """Read the result of an earlier match.

    Args:
        encoder: The encoder that it must have been found in.
        folder: An item's folder, as `vitequiv match` wrote it.
        pixels: The image that it must have begun from, (3, H, W).
        item: The image's item, for messages.

    Returns:
        The matched pixels, (3, H, W).

    Raises:
        ImageError: If there is no match in the folder, or it is one of another model or began from another image.
    """
    from safetensors import SafetensorError, safe_open

    path = folder / MATCH_ARTIFACTS["tensors"]
    try:
        open_regular(artifact(folder, path.name)).close()  # a pipe would be waited for
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            start, matched = (file.get_tensor(name).to(pixels) for name in ("start", "pixels"))
    except (OSError, ValueError, SafetensorError) as error:
        raise ImageError(
            f"There is no match to read in {path} ({reason(error)}): name a folder of vitequiv match."
        ) from None
    if about.get("weights_sha256") != encoder.weights_sha256:
        spec = about.get("spec", "a model that it does not name")
        other = f"other weights of {spec}" if spec == encoder.spec else f"{spec}, not in {encoder.spec}"
        raise ImageError(f"The match in {folder} was found in {other}: name a match of this model.")
    if not start.shape == matched.shape == pixels.shape or not torch.allclose(start, pixels, atol=1e-3):
        raise ImageError(
            f"The match in {folder} did not begin from {item.path} at this model's input size: name its source."
        )
    found: Tensor = matched
    return found


def _figure(result: LdlcResult, title: str) -> bytes:
    from vitequiv.plots.ldlc import ldlc_png

    return ldlc_png(result, title)


def _write(
    encoder: Encoder,
    item: Item,
    inputs: tuple[InputRecord, ...],
    result: LdlcResult,
    context: RunContext,
    out: RunDirectory,
) -> Envelope:
    # All that can fail comes before the folder, so that an item which fails leaves none.
    figures = Figures()
    figures.draw(ARTIFACTS["plot"], lambda: _figure(result, f"{item.name} — {encoder.spec}"))
    tensors = {"singular_values": result.singular_values}
    for name, group in result.groups.items():
        tensors[f"{name}.measured"] = group.measured
        tensors[f"{name}.truncation"] = group.truncation
        tensors[f"{name}.derivatives"] = group.derivatives
        tensors[f"{name}.along"] = group.along
    metadata = {"spec": encoder.spec, "weights_sha256": encoder.weights_sha256}
    envelope = context.envelope(
        item.name,
        result.status,
        result.message,
        inputs,
        cost=result.cost,
        result=result.to_dict(),
        artifacts=figures.artifacts(ARTIFACTS),
        notes=figures.notes,
    )

    folder = out.begin(item.name)
    figures.write(folder)
    save_tensors(folder / ARTIFACTS["tensors"], tensors, metadata)
    out.finish(envelope)
    return envelope
