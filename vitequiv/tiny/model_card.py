"""The model card of the embedded default, filled in by the training run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

CARD_NAME = "MODEL_CARD.md"
"""Name of the file beside the weights."""

_CARD = """\
# tiny-clip

The embedded default encoder of vitequiv: a two-tower image and text model of {parameters:,} parameters for 64 px
images, made so that every command runs in seconds, offline, on a laptop. It is a trained encoder of a toy world.

| | |
| --- | --- |
| image tower | 4-convolution stem, 8 x 8 tokens, 3 transformer blocks of width 128, mean of tokens, linear to 128 |
| text tower | words of the scenes' captions, 2 transformer blocks of width 64, mean of words, linear to 128 |
| input | 64 x 64 sRGB, mean 0.5, standard deviation 0.5 |
| objective | CLIP's symmetric cross-entropy on cosines; pairs of scene and caption that agree share the target |
| data | procedural scenes (`scenes.py`): 8 shapes x 8 colours, 6 backgrounds, any rotation, clutter, texture |
| captions | colour and shape (2/3 of batches), with background (1/6), shape alone (1/12), colour alone (1/12) |
| optimiser | AdamW, peak rate 1e-3, warm-up and cosine, {steps:,} steps of 64 new scenes |
| seed | {seed} |
| torch | {torch} |
| licence | {licence} |

## Accuracy

Zero-shot, {held_out_scenes:,} held-out scenes (their seeds are disjoint from training by construction):

| | accuracy | chance |
| --- | --- | --- |
| top-1 over the 64 captions "a photo of a COLOUR SHAPE" | {zero_shot_top1:.2%} | 1.56% |
| shape right | {zero_shot_shape:.2%} | 12.5% |
| colour right | {zero_shot_colour:.2%} | 12.5% |

## Made by

    python -m vitequiv.tiny.train --out vitequiv/tiny --seed {seed} --steps {steps} --threads {threads}

This took {minutes:.0f} minutes. The same seed, steps and threads on the same machine and versions give the same
weights, bit for bit.

## Limits

It knows shapes and colours, not objects. A photograph is far from anything it was trained on, so its embedding of one
means only what its colours and outlines suggest; the equivalences found in it are real, but they say nothing about a
large encoder. Its text tower refuses words that are not in the captions. For claims about vision models choose a
pretrained one with `--model`.
"""


def model_card(provenance: Mapping[str, object], parameters: int, minutes: float) -> str:
    """Write the card.

    Args:
        provenance: What the run recorded with the weights.
        parameters: Number of parameters.
        minutes: Duration of the run.

    Returns:
        The text, in Markdown.
    """
    return _CARD.format(**provenance, parameters=parameters, minutes=minutes)
