"""Writing one Jacobian: its spectrum, its vectors, and how it compares with another image's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from vitequiv.encoders.base import Encoder
from vitequiv.errors import OutputError
from vitequiv.geometry.subspaces import grassmann_distance, principal_angles
from vitequiv.images.save import save_tensors
from vitequiv.results.artifacts import JACOBIAN as ARTIFACTS
from vitequiv.results.envelope import Envelope, InputRecord
from vitequiv.results.jacobian import Comparison, JacobianResult
from vitequiv.runs.context import RunContext
from vitequiv.runs.directory import RunDirectory, clear_temporary
from vitequiv.runs.figures import Figures
from vitequiv.runs.inside import make_inside

Found = tuple[InputRecord, JacobianResult]


@dataclass(frozen=True)
class Compared:
    """How the Jacobian of an image compares with another's.

    Args:
        record: The other image.
        singular_values: Its singular values, falling.
        comparison: See `compare_spaces`.
    """

    record: InputRecord
    singular_values: tuple[float, ...]
    comparison: Comparison


def write_jacobian(
    encoder: Encoder,
    item: str,
    found: Found,
    other: Compared | None,
    drawn: int,
    context: RunContext,
    out: RunDirectory,
) -> Envelope:
    """Write an item's folder: spectrum, vectors as images, tensors, and last the JSON.

    Args:
        encoder: The encoder.
        item: The item's name.
        found: The image and its Jacobian.
        other: The image it is compared with and how they compare; None for none.
        drawn: Right singular vectors to draw.
        context: What the items share.
        out: The run's directory.

    Returns:
        The envelope written.

    Raises:
        OutputError: If a file cannot be written.
    """
    record, result = found
    # All that can fail comes before the folder, so that an item which fails leaves none.
    spectra = {record.path: result.singular_values.tolist()}
    comparison = None
    if other:
        spectra[other.record.path] = list(other.singular_values)
        comparison = other.comparison
    rank, tolerance = (result.rank.rank, result.rank.tolerance) if result.rank else (None, None)
    title = f"Jacobian of {encoder.spec}, {result.shape[0]} x {result.shape[1]}"
    figures = Figures()
    figures.draw(ARTIFACTS["spectrum"], lambda: _spectrum(spectra, title, rank, tolerance))
    for i in range(min(drawn, result.right.shape[1])):
        figures.draw(f"{ARTIFACTS['vectors']}/{i + 1:03}.png", partial(_vector, encoder, result, i))
    # In float32, as nothing that is shown of V needs more; a vector a row, as V lies in memory, so without a copy.
    tensors = {
        "singular_values": result.singular_values,
        "left": result.left.float(),
        "right": result.right.T.float(),
    }
    metadata = {"spec": encoder.spec, "weights_sha256": encoder.weights_sha256, "image_sha256": record.sha256 or ""}
    envelope = context.envelope(
        item,
        result.status,
        result.message,
        (record, other.record) if other else (record,),
        cost=result.cost,
        result=result.to_dict(comparison),
        artifacts=figures.artifacts(ARTIFACTS),
        notes=figures.notes,
    )

    folder = out.begin(item)
    vectors = folder / ARTIFACTS["vectors"]
    try:
        make_inside(vectors, out.path)
        for stale in vectors.glob("*.png"):
            stale.unlink()
        clear_temporary(vectors)
    except OSError as error:
        raise OutputError(f"Cannot write to {vectors}: {error.strerror}; choose another --out.") from None
    figures.write(folder)
    save_tensors(folder / ARTIFACTS["tensors"], tensors, metadata)
    out.finish(envelope)
    return envelope


def _spectrum(spectra: Mapping[str, Sequence[float]], title: str, rank: int | None, tolerance: float | None) -> bytes:
    from vitequiv.plots.jacobian import spectrum_png

    return spectrum_png(spectra, title, rank, tolerance)


def _vector(encoder: Encoder, result: JacobianResult, i: int) -> bytes:
    from vitequiv.plots.jacobian import vector_png

    image = result.right[:, i].reshape(3, *encoder.input_size).cpu().numpy()
    return vector_png(image, f"right singular vector {i + 1}, singular value {float(result.singular_values[i]):.4g}")


def compare(result: JacobianResult, other: Found) -> Compared:
    """Compare an image's Jacobian with another's.

    Args:
        result: The image's.
        other: The other image and its Jacobian, in the same encoder.

    Returns:
        What is written of the other.
    """
    record, second = other
    return Compared(record, tuple(second.singular_values.tolist()), compare_spaces(result, second))


def compare_spaces(first: JacobianResult, second: JacobianResult) -> Comparison:
    """Compare the normal spaces of two images, or of `topk` the spans of the k leading right singular vectors.

    Args:
        first: One Jacobian.
        second: Another, of the same encoder.

    Returns:
        The comparison; where the dimensions differ, over the angles there are.
    """
    angles = principal_angles(first.right, second.right)
    dimensions = (first.right.shape[1], second.right.shape[1])
    return Comparison(dimensions, tuple(angles.tolist()), grassmann_distance(angles))
