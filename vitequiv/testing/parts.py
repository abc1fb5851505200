"""Checks of the optional parts: a text tower and a classification head."""

from __future__ import annotations

import math

import torch

from vitequiv.testing.subject import CheckError, InapplicableError, Subject

_TEXTS = ("a photo of a red square", "a blue circle", "a green star")
"""Of words that small vocabularies have too, and of different lengths."""


def text(subject: Subject) -> None:
    """Texts become one finite vector each in the images' space, the same alone as in a batch.

    Raises:
        CheckError: If they do not.
        InapplicableError: If there is no text tower.
    """
    encoder = subject.encoder
    tower = encoder.tower.text
    if tower is None:
        raise InapplicableError("the encoder has no text tower")
    found = encoder.embed_text(_TEXTS)
    expected = (len(_TEXTS), encoder.embedding_dim)
    if tuple(found.shape) != expected or not bool(found.isfinite().all()):
        raise CheckError(
            f"{len(_TEXTS)} texts gave shape {tuple(found.shape)}, {int((~found.isfinite()).sum())} numbers not "
            f"finite; expected {expected}, all finite",
            "TextTower.module must return (N, n) with the n of the image embedding",
        )
    if not torch.equal(found, encoder.embed_text(_TEXTS)):
        raise CheckError("the same texts gave two results", "turn off dropout in the text tower")
    alone = torch.cat([encoder.embed_text([sentence]) for sentence in _TEXTS])
    subject.agree(
        alone, found, "text embeddings alone and in a batch", "padding must not be seen by a text's own tokens"
    )
    if torch.equal(found[0], found[1]):
        raise CheckError("two different texts have the same embedding", "check tokenize and the pooling of tokens")
    if tower.logit_scale is not None and not (math.isfinite(tower.logit_scale) and tower.logit_scale > 0):
        raise CheckError(
            f"logit_scale is {tower.logit_scale}", "give the factor on the cosine itself, not its logarithm"
        )


def head(subject: Subject) -> None:
    """The classifier gives one finite logit for each label.

    Raises:
        CheckError: If it does not.
        InapplicableError: If there is no classifier.
    """
    encoder = subject.encoder
    if encoder.tower.head is None:
        raise InapplicableError("the encoder has no classification head")
    with torch.no_grad():
        found = encoder.logits(subject.noise(2))
    if tuple(found.shape) != (2, len(encoder.labels)) or not bool(found.isfinite().all()):
        raise CheckError(
            f"two images gave logits of shape {tuple(found.shape)}, {int((~found.isfinite()).sum())} not finite, for "
            f"{len(encoder.labels)} labels",
            "ClassificationHead.module must return (B, C) and labels hold C names in that order",
        )
