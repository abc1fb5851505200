"""The table of `vitequiv match`."""

from __future__ import annotations

from vitequiv.cli.render import Column, cell
from vitequiv.results.envelope import Envelope


def _column(heading: str, group: str, name: str, form: str) -> Column:
    def show(envelope: Envelope) -> str:
        value = ((envelope.result or {}).get(group) or {}).get(name)
        return cell(value, form)

    return heading, show


COLUMNS: tuple[Column, ...] = (
    _column("cos start", "cosine", "initial", ".4f"),
    _column("cos saved", "cosine", "saved", ".4f"),
    _column("L2", "perturbation", "l2", ".3f"),
    _column("levels", "perturbation", "mean_abs_8bit", ".2f"),
    _column("PSNR", "perturbation", "psnr_db", ".1f"),
    _column("SSIM", "perturbation", "ssim", ".3f"),
    ("passes", lambda envelope: str(envelope.cost.passes)),
)
WITH_JPEG = (*COLUMNS[:2], _column("cos jpeg", "cosine", "jpeg", ".4f"), *COLUMNS[2:])
