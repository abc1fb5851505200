"""The model cards of the zoo, filled in from what the training run recorded."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

CARD_NAME = "MODEL_CARD.md"
"""Name of the card beside the weights."""

PROVENANCE_NAME = "training.json"
"""Name of the record of the training run beside the weights."""


@dataclass(frozen=True)
class Story:
    """What the numbers do not say.

    Attributes:
        title: The family's name as its authors write it.
        paper: Where architecture and objective come from.
        architecture: The network in one line.
        objective: What it was trained to do, in one line.
        uses_labels: Whether the objective looks at the class of a scene.
    """

    title: str
    paper: str
    architecture: str
    objective: str
    uses_labels: bool


_PLAIN = "8 x 8 patches of 8 px, 5 blocks of width 128"

STORIES: Mapping[str, Story] = MappingProxyType({
    "beit": Story(
        "BEiT",
        "Bao et al. 2021, arXiv 2106.08254",
        f"{_PLAIN}, 8 heads, relative position bias, layer scale; mean of patches, layer norm, linear to 64",
        "cross-entropy over the 64 classes (BEiT's fine-tuning; there was no masked pre-training)",
        uses_labels=True,
    ),
    "swin": Story(
        "Swin Transformer",
        "Liu et al. 2021, arXiv 2103.14030",
        "16 x 16 patches of 4 px, three stages of 2 blocks of width 36, 72, 144, windows of 4 x 4, shifted in turn; "
        "mean of positions, linear to 64",
        "cross-entropy over the 64 classes",
        uses_labels=True,
    ),
    "deit": Story(
        "DeiT",
        "Touvron et al. 2020, arXiv 2012.12877",
        f"{_PLAIN}, 4 heads, class and distillation token, linear from each to 64",
        "hard distillation: the class token learns the label, the distillation token what the teacher says, half the "
        "loss each; the teacher is the embedded tiny-clip, classifying by its 64 captions (99.4 %). Half of each batch "
        "is seen as the image processor shows it, enlarged and cropped",
        uses_labels=True,
    ),
    "vitmae": Story(
        "ViTMAE",
        "He et al. 2021, arXiv 2111.06377",
        "8 x 8 patches of 8 px, 4 blocks of width 128, 4 heads, class token, fixed positions (waves of a few patches); "
        "decoder of 2 blocks of width 64",
        "masked reconstruction: 75 % of the patches hidden, mean squared error of their pixels (of whole images, not "
        "normalised by patch: most patches are flat, and their noise is nothing to learn)",
        uses_labels=False,
    ),
    "vitmsn": Story(
        "ViTMSN",
        "Assran et al. 2022, arXiv 2204.07141",
        "8 x 8 patches of 8 px, 4 blocks of width 128, 4 heads, class token",
        "masked siamese matching, from the weights of tiny-vitmae: a masked view falls among 128 prototypes where a "
        "whole view falls, by a target encoder that follows as a moving average; sharpened, balanced targets and the "
        "entropy of the mean assignment. A view is the object turned, scaled and moved before the background of "
        "another scene, cut out by the mask it was rendered with, half of the time in grey; no class is looked at",
        uses_labels=False,
    ),
})
"""By the name of the family."""

_CARD = """\
# tiny-{family}

A {title} of {parameters:,} parameters for 64 px images, trained on procedural scenes, made so that every command and
test of vitequiv can run on trained weights of this family in seconds, offline. It is a genuine checkpoint of
transformers, written by `save_pretrained`; `{model_class}.from_pretrained` loads this directory.

| | |
| --- | --- |
| class | `{model_class}` |
| architecture | {architecture} |
| parameters | {parameters:,}, float32 |
| input | 64 x 64 sRGB; see `preprocessor_config.json` |
| objective | {objective} |
| source | {paper} |
| labels | {labels} |
| data | procedural scenes (`vitequiv/tiny/scenes.py`): 8 shapes x 8 colours, 6 backgrounds, any rotation, clutter |
| optimiser | Muon for hidden matrices (peak rate {muon_rate:g}), AdamW for the rest ({adamw_rate:g}); warm-up, cosine |
| steps | {steps:,} of {batch_size} scenes, from {bank_scenes:,} in eight orientations{curriculum} |
| seed | {seed} |
| torch, transformers | {torch}, {transformers} |
| licence | {licence} |

## Accuracy

{scenes:,} held-out scenes (their seeds are disjoint from training by construction), named by {by}:

| | accuracy | chance |
| --- | --- | --- |
| top-1 over the 64 classes | {top1:.2%} | 1.56% |
| shape right | {shape:.2%} | 12.5% |
| colour right | {colour:.2%} | 12.5% |

## Made by

    python -m vitequiv.tiny.zoo.train --family {family} --out vitequiv/tiny/zoo/{family} \\
        --seed {seed} --steps {steps} --threads {threads}

This took {minutes:.0f} minutes on one core. The same seed, steps and threads on the same machine and versions give the
same weights, bit for bit; `training.json` has these numbers for programs.

## Limits

It knows shapes and colours, not objects. A photograph is far from anything it was trained on, so its embedding of one
means only what its colours and outlines suggest; the equivalences found in it are real, but they say nothing about a
large encoder of the family. For claims about vision models choose a pretrained one with `--model`.
"""

_HEAD = "the model's own head"
_PROBE = (
    "a linear probe (logistic regression on the standardised class token, the default readout, of {probe_scenes:,} "
    "training scenes; the encoder frozen)"
)


def model_card(provenance: Mapping[str, Any]) -> str:
    """Write the card.

    Args:
        provenance: The record of the run, as in `training.json`.

    Returns:
        The text, in Markdown.
    """
    accuracy = provenance["accuracy"]
    story = STORIES[provenance["family"]]
    by = _PROBE.format(**accuracy) if accuracy["probe_scenes"] else _HEAD
    labels = "64, such as `red circle`" if story.uses_labels else "none in training, and no head"
    fade_in = provenance["fade_in"]
    curriculum = f"; backgrounds fade in over the first {fade_in:.0%} of the run" if fade_in else ""
    return _CARD.format(**{
        **provenance,
        **accuracy,
        "by": by,
        "curriculum": curriculum,
        "labels": labels,
        "model_class": provenance["class"],
        "title": story.title,
        "paper": story.paper,
        "architecture": story.architecture,
        "objective": story.objective,
    })
