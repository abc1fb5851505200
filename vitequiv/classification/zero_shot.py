"""Zero-shot classification by text (Radford et al. 2021, arXiv 2103.00020, sections 3.1.2 and 3.1.4)."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from vitequiv.classification.choice import check_labels
from vitequiv.classification.cosine import DEFAULT_TEMPERATURE, CosineClassifier, unit
from vitequiv.classification.templates import DEFAULT_TEMPLATE, check_templates, prompts
from vitequiv.encoders.base import Encoder, TextTower
from vitequiv.errors import UsageError
from vitequiv.results.classify import ClassifierRecord
from vitequiv.results.names import ClassifierKind

TEXTS_AT_ONCE = 256


def require_text_tower(encoder: Encoder, wish: str, instead: str) -> TextTower:
    """Make sure that an encoder reads text.

    Args:
        encoder: The encoder.
        wish: What it is to do, for the message.
        instead: What any encoder can do.

    Returns:
        Its text tower.

    Raises:
        UsageError: If it has none.
    """
    if encoder.tower.text is None:
        raise UsageError(
            f"The model {encoder.spec} has no text tower, so it cannot {wish}: tiny-clip and clip (open_clip) have "
            f"one; {instead}."
        )
    return encoder.tower.text


def zero_shot_classifier(
    encoder: Encoder, labels: Sequence[str], templates: Sequence[str] = (), temperature: float | None = None
) -> CosineClassifier:
    """Make a classifier of class names.

    Each name is put into every template; the normalised text embeddings are averaged and normalised again.

    Args:
        encoder: An encoder with a text tower.
        labels: The C class names.
        templates: Sentences with `{}`; none for "a photo of a {}.".
        temperature: Of the softmax; None for the checkpoint's own, where it has none 0.01.

    Returns:
        The classifier. Cost: a forward of the text tower a name and template.

    Raises:
        UsageError: If the encoder has no text tower, a name comes twice or a template has no place for it.
    """
    text = require_text_tower(encoder, "read labels", "every model takes --prototypes DIR, a folder of images a class")
    check_labels(labels, "The list of labels")
    check_templates(templates)
    texts = [sentence for sentences in prompts(labels, templates) for sentence in sentences]
    parts = [encoder.embed_text(texts[i : i + TEXTS_AT_ONCE]) for i in range(0, len(texts), TEXTS_AT_ONCE)]
    each = unit(torch.cat(parts)).reshape(len(labels), -1, encoder.embedding_dim)  # (C, templates, n)
    own = text.logit_scale
    scale = 1 / temperature if temperature else own if own is not None else 1 / DEFAULT_TEMPERATURE
    record = ClassifierRecord(
        ClassifierKind.ZERO_SHOT, tuple(labels), tuple(templates) or (DEFAULT_TEMPLATE,), float(scale)
    )
    return CosineClassifier(record, unit(each.mean(1)))
