"""Directional Lipschitz constants of each image of a list: decode, measure, write."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from vitequiv.encoders.base import Encoder
from vitequiv.errors import ImageError
from vitequiv.geometry.budget import Preflight
from vitequiv.geometry.ldlc import ldlc
from vitequiv.images.decode import load_image
from vitequiv.images.save import atomic_write_bytes, save_tensors
from vitequiv.matching.api import match
from vitequiv.plots.ldlc import ldlc_png
from vitequiv.results.envelope import Envelope, InputRecord
from vitequiv.results.ldlc import Directions, LdlcResult
from vitequiv.results.status import Status
from vitequiv.runs.context import RunContext
from vitequiv.runs.directory import RunDirectory
from vitequiv.runs.failures import explain, reason
from vitequiv.runs.match_artifacts import ARTIFACTS as MATCH_ARTIFACTS
from vitequiv.runs.worklist import Item


@dataclass(frozen=True)
class LdlcPlan:
    """How the images of a run are measured; see `vitequiv.geometry.ldlc.ldlc`.

    Args:
        directions: The groups.
        target: For the group `match`: the image to match each one to, or the folder of a saved match.
        count: Random and null directions for |J d|.
        measured: Random and null directions for Eq. 7.
        along: Directions of each group for |J(x + a d) d|.
        epsilon: Half the range; None to choose it.
        points: Grid points.
        sweep: Look along epsilon even where it is given.
        seed: Seed of the directions.
        batch_size: Images embedded together.
    """

    directions: tuple[Directions, ...]
    target: Path | None
    count: int
    measured: int
    along: int
    epsilon: float | None
    points: int
    sweep: bool
    seed: int
    batch_size: int


def run_ldlc(
    encoder: Encoder,
    items: Sequence[Item],
    plan: LdlcPlan,
    context: RunContext,
    out: RunDirectory,
    before: Callable[[Preflight], None] | None = None,
    observe: Callable[[int, int], None] | None = None,
) -> Iterator[Envelope]:
    """Measure each image and write its folder.

    Args:
        encoder: The encoder.
        items: The images.
        plan: How.
        context: What the items share.
        out: Where to write.
        before: Told what a full Jacobian will take.
        observe: Told of rows of it done and rows in all.

    Yields:
        An envelope an image, as it ends; one that failed has no folder, only its envelope.
    """
    for item in items:
        inputs = [InputRecord("image", str(item.path))]
        try:
            image = load_image(item.path)
            inputs[0] = InputRecord("image", str(item.path), image.sha256, image.notes)
            pixels = encoder.preprocess(image.image)
            matched = None
            if plan.target and plan.target.is_dir():
                inputs.append(InputRecord("match", str(plan.target)))
                matched = saved_match(encoder, plan.target, pixels, item)
            elif plan.target:
                target = load_image(plan.target)
                inputs.append(InputRecord("target", str(plan.target), target.sha256, target.notes))
                matched = _match(encoder, pixels, encoder.preprocess(target.image), item, plan.target)
            result = ldlc(
                encoder,
                pixels,
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
            yield _write(encoder, item, tuple(inputs), result, context, out)
        except Exception as error:
            message = explain(error, "The constants of this image could not be measured")
            yield context.envelope(item.name, Status.FAILED, message, tuple(inputs))


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
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            start, matched = (file.get_tensor(name).to(pixels) for name in ("start", "pixels"))
    except (OSError, SafetensorError) as error:
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


def _write(
    encoder: Encoder,
    item: Item,
    inputs: tuple[InputRecord, ...],
    result: LdlcResult,
    context: RunContext,
    out: RunDirectory,
) -> Envelope:
    # All that can fail comes before the folder, so that an item which fails leaves none.
    png = ldlc_png(result, f"{item.name} — {encoder.spec}")
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
        artifacts={"plot": "ldlc.png", "tensors": "ldlc.safetensors"},
    )

    folder = out.begin(item.name)
    atomic_write_bytes(folder / "ldlc.png", png)
    save_tensors(folder / "ldlc.safetensors", tensors, metadata)
    out.finish(envelope)
    return envelope
