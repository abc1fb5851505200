"""The report as one HTML page that needs nothing else: images inlined, no script, no network."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from typing import TYPE_CHECKING

from PIL import Image

from vitequiv._version import __version__
from vitequiv.images.difference import DIFFERENCE_GAIN
from vitequiv.images.naming import shown
from vitequiv.runs.failures import reason

if TYPE_CHECKING:
    from vitequiv.results.classify import Guess
    from vitequiv.runs.report_data import ClassView, Levels, MatchView, ModelView, Report, StatisticsView

PICTURED = 60
"""Matches of a model whose images are inlined; the table has all."""

STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.25rem; margin-top: 2.5rem; } h3 { font-size: 1.05rem; margin-top: 2rem; }
.match { border-top: 1px solid #8888; padding: .75rem 0; }
.images { display: flex; flex-wrap: wrap; gap: .6rem; }
figure { margin: 0; flex: 0 1 14rem; width: 14rem; min-width: 9rem; max-width: 47%; }
figcaption { font-size: .85rem; }
.images img { width: 100%; image-rendering: pixelated; }
.plot { width: 100%; max-width: 44rem; background: white; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .9rem; }
th, td { padding: .25rem .6rem; text-align: left; border-bottom: 1px solid #8884; white-space: nowrap; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
.bad { color: #d55e00; font-weight: 600; } td.bad { white-space: normal; min-width: 14rem; }
footer { margin-top: 3rem; font-size: .85rem; }
"""


@dataclass(frozen=True)
class Page:
    """A report's page.

    Args:
        html: HTML 5 in ASCII and character references.
        failures: What failed or could not be shown, folder and message, with what could not be drawn.
    """

    html: str
    failures: Sequence[tuple[str, str]]


class _Guard:
    """Draws the views of a page one by one: what cannot be drawn is a failure of its own, and the others stand."""

    def __init__(self) -> None:
        self.failures: list[tuple[str, str]] = []

    def __call__(self, where: str, what: str, draw: Callable[[], str]) -> str:
        try:
            return draw()
        except Exception as error:  # whatever edited results make of a page or of matplotlib
            self.failures.append((where, f"{what} cannot be drawn: {reason(error)}"))
            return ""


def report_page(report: Report, failures: Sequence[tuple[str, str]] = ()) -> Page:
    """Write the page.

    Args:
        report: What to show.
        failures: More that could not be drawn, folder and message.

    Returns:
        The page.
    """
    name = shown(report.directory.resolve().name or report.directory)
    guard = _Guard()
    models = [_model(model, guard) for model in report.models]
    found = [*report.failures, *failures, *guard.failures]
    counts = counted(
        sum(len(model.matches) for model in report.models),
        sum(len(model.classes) for model in report.models),
        sum(len(model.statistics) for model in report.models),
        len(found),
    )
    parts = [f"<h1>vitequiv: {_text(name)}</h1>", f"<p>{counts}.</p>"]
    parts += [_failures(found)] if found else []
    parts += models
    body = "\n".join(parts)
    page = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>vitequiv: {_text(name)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n"
        f"<footer>Made by vitequiv {escape(__version__)} from the JSON and safetensors of the runs.</footer>\n"
        "</body>\n</html>\n"
    )
    # Names may hold what UTF-8 cannot; a reference to it shows a mark in its place.
    return Page(page.encode("ascii", "xmlcharrefreplace").decode("ascii"), found)


LONGEST = 1000
"""Letters of a text, which edited results can make of any length."""


def _text(text: str) -> str:
    """A text for HTML, cut if it is long."""
    return escape(text if len(text) <= LONGEST else f"{text[:LONGEST]}…")


def counted(matches: int, classifications: int, statistics: int, failures: int) -> str:
    """Say what there is, as in "2 matches, 1 failure"."""
    things = ((matches, "match", "es"), (classifications, "classification", "s"), (statistics, "set", "s"))
    words = [f"{number} {one}{ending if number != 1 else ''}" for number, one, ending in things if number]
    if statistics:
        words[-1] += " of random pairs"
    if failures:
        words.append(f"{failures} failure{'s' if failures != 1 else ''}")
    return ", ".join(words)


def _failures(failures: Sequence[tuple[str, str]]) -> str:
    rows = [[_cell(where), f'<td class="bad">{_text(message)}</td>'] for where, message in failures]
    return f"<h2>Failures</h2>\n{_table(('folder', 'what happened'), rows)}"


def _model(model: ModelView, guard: _Guard) -> str:
    parts = [
        f"<h2>{_text(model.spec)}</h2>",
        f"<p>Readout {_text(model.readout)}; weights {escape(model.weights_sha256[:12])}.</p>",
    ]
    if model.matches:
        parts += [guard(view.where, "the match", partial(_match, view)) for view in model.matches[:PICTURED]]
        if len(model.matches) > PICTURED:
            parts.append(f"<p>The images of the first {PICTURED} matches are shown; the table has all.</p>")
        parts.append(guard(shown(model.spec), "the table of matches", lambda: _match_table(model.matches)))
        parts.append(guard(shown(model.spec), "the figure of embeddings", lambda: _embeddings(model)))
    for view in model.classes:
        heading = f"<h3>Classification ({escape(view.kind)})</h3>\n"
        parts.append(heading + guard(view.where, "the table of classes", partial(_class_table, view)))
        parts.append(guard(view.where, "the matrix of classes", partial(_class_plot, model, view)))
    for statistics in model.statistics:
        parts.append(guard(statistics.where, "the statistics", partial(_statistics, statistics)))
    return "\n".join(part for part in parts if part)


def _embeddings(model: ModelView) -> str:
    from vitequiv.plots.report import embeddings_png

    alt = "Projected embeddings and cosine matrices before and after"
    return f"<h3>Embeddings</h3>\n{_plot(embeddings_png(model.matches), alt)}"


def _class_plot(model: ModelView, view: ClassView) -> str:
    from vitequiv.plots.report import classes_png

    return _plot(classes_png(model, view), "Class probabilities, image by class, before and after")


def _match(view: MatchView) -> str:
    source, target = view.source_name, view.target_name
    images = (
        (view.start, f"original: {source}"),
        (view.matched, f"matched: {source} → {target}"),
        (view.difference, f"difference x {DIFFERENCE_GAIN}"),
    )
    pictures = [_picture(image, text) for image, text in images]
    if view.match.target:
        pictures.append(_picture(view.target, f"target: {target}"))
    return (
        f'<section class="match"><h3>{_text(f"{source} → {target}")}</h3>\n<p>{_sentence(view)}</p>\n'
        f'<div class="images">{"".join(pictures)}</div></section>'
    )


def _sentence(view: MatchView) -> str:
    cosines = " to ".join(_number(view.number("cosine", key), ".4f") for key in ("initial", "saved"))
    size = _number(view.number("perturbation", "mean_abs_8bit"), ".2f")
    alike = f"PSNR {_number(view.number('perturbation', 'psnr_db'), '.1f')} dB"
    for name, text in (("ssim", "SSIM"), ("lpips", "LPIPS")):
        value = view.number("perturbation", name)
        alike += "" if value is None else f"; {text} {_number(value, '.3f')}"
    jpeg = view.number("cosine", "jpeg")
    cosines += "" if jpeg is None else f" (as JPEG {_number(jpeg, '.4f')})"
    mark = view.status if view.status == "converged" else f'<span class="bad">{view.status}</span>'
    return f"{mark}; cosine {cosines}; mean change {size} of 255 levels; {alike}"


def _picture(image: Levels | None, caption: str) -> str:
    if image is None:
        return f"<figure><figcaption>{_text(caption)}: the file has moved or changed.</figcaption></figure>"
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", optimize=True)
    height, width = image.shape[:2]
    return (
        f'<figure><img src="{_data_uri(buffer.getvalue())}" alt="{_text(caption)}" width="{width}" height="{height}" '
        f'style="height:auto"><figcaption>{_text(caption)}</figcaption></figure>'
    )


MEASURES = (
    ("cosine before", ("cosine", "initial"), ".4f"),
    ("cosine saved", ("cosine", "saved"), ".4f"),
    ("cosine JPEG", ("cosine", "jpeg"), ".4f"),
    ("L2", ("perturbation", "l2"), ".3f"),
    ("levels", ("perturbation", "mean_abs_8bit"), ".2f"),
    ("PSNR (dB)", ("perturbation", "psnr_db"), ".1f"),
    ("SSIM", ("perturbation", "ssim"), ".3f"),
    ("LPIPS", ("perturbation", "lpips"), ".3f"),
)
"""Columns of the table of matches."""
BEYOND = 1e9
"""From which a number is written in powers of ten, so that it cannot fill a page."""
OPTIONAL = {"cosine JPEG", "SSIM", "LPIPS"}
"""Those left out where no match has them: without a JPEG, from an older run, without the weights."""


def _match_table(matches: Sequence[MatchView]) -> str:
    measures = [
        (heading, keys, form)
        for heading, keys, form in MEASURES
        if heading not in OPTIONAL or any(view.number(*keys) is not None for view in matches)
    ]
    rows = []
    for view in matches:
        numbers = [_number(view.number(*keys), form) for _, keys, form in measures]
        rows.append([_cell(view.match.name), _cell(view.status), *(_cell(number, "n") for number in numbers)])
    return _table(("match", "status", *(heading for heading, *_ in measures)), rows)


def _class_table(view: ClassView) -> str:
    if not view.matches:
        return ""
    rows = []
    for match in view.matches:
        classes = [_guess(guess) for guess in (match.before, match.after, match.target)]
        verdict = {True: "yes", False: "no", None: "-"}[match.takes_target_class]
        rows.append([_cell(match.name), *(_cell(text) for text in classes), _cell(verdict)])
    return _table(("match", "before", "after", "target", "takes the target's class"), rows)


def _guess(guess: Guess | None) -> str:
    return "-" if guess is None else f"{shown(guess.label)} {_number(guess.probability, '.2f')}"


def _statistics(view: StatisticsView) -> str:
    rows = []
    for name, rate in view.rates.items():
        if rate.low is not None and rate.high is not None:
            interval = f"{_number(rate.low, '.3f')} to {_number(rate.high, '.3f')}"
            count = f"{rate.successes} of {rate.trials}"
            rows.append([_cell(name.replace("_", " ")), _cell(count, "n"), _cell(interval, "n")])
    plot = _plot(view.figure, "Distributions of cosines, sizes of the change, and rates") if view.figure else ""
    table = _table(("rate", "count", "95 % interval"), rows)
    return f"<h3>Random pairs</h3>\n<p>{_text(view.message)}</p>\n{table}\n{plot}"


def _number(value: float | None, form: str) -> str:
    if value is None or not math.isfinite(value):
        return "-"
    return format(value, form) if abs(value) < BEYOND else f"{value:.3g}"


def _cell(text: str, kind: str = "") -> str:
    return f"<td{f' class={chr(34)}{kind}{chr(34)}' if kind else ''}>{_text(text)}</td>"


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    body = "\n".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>'


def _plot(png: bytes, alt: str) -> str:
    return f'<p><img class="plot" src="{_data_uri(png)}" alt="{escape(alt)}"></p>'


def _data_uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
