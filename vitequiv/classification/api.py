"""`vitequiv.classify`: pixels in, a matrix of probabilities out."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from vitequiv.batching import BatchSize, batch_size_of, in_batches, settle
from vitequiv.classification.cosine import Classifier
from vitequiv.classification.head import head_classifier
from vitequiv.classification.prototypes import prototype_classifier
from vitequiv.classification.zero_shot import zero_shot_classifier
from vitequiv.encoders.base import Encoder
from vitequiv.errors import UsageError
from vitequiv.results.classify import Classification
from vitequiv.results.cost import Cost


def classify(
    encoder: Encoder,
    pixels: Tensor,
    *,
    labels: Sequence[str] | None = None,
    templates: Sequence[str] = (),
    head: bool = False,
    prototypes: Mapping[str, Tensor] | None = None,
    temperature: float | None = None,
    batch_size: int | None = None,
) -> Classification:
    """Classify images in one of three ways; by default with the checkpoint's own head.

    Args:
        encoder: The encoder, from `load_encoder`.
        pixels: (B, 3, H, W) in [0, 1] at the encoder's input size, or one image (3, H, W).
        labels: Class names, for zero-shot classification by the encoder's text tower.
        templates: Sentences with `{}` that each name is put into, ensembled; none for "a photo of a {}.".
        head: Use the checkpoint's own classifier.
        prototypes: By class, example images (K, 3, H, W), for the nearest class mean.
        temperature: Of the softmax over cosines; None for the checkpoint's own (text), where it has none 0.01.
        batch_size: Images embedded together; None to go by the free memory, which takes 3 forwards that are not
            counted. Where it runs out all the same, they are halved and a warning is logged.

    Returns:
        Logits and probabilities, image by class, and the embeddings. Cost: a forward an image, with a head two,
        beside one an example or a text.

    Raises:
        UsageError: If the encoder has no such classifier, or none is named and the checkpoint has no head.
        ValueError: If more than one classifier is named or a shape or range is not as described.
    """
    together = batch_size_of(batch_size)
    if (labels is not None) + head + (prototypes is not None) > 1:
        raise ValueError("Give one of labels, head and prototypes, not several.")
    if temperature is not None and not 0 < temperature < float("inf"):
        raise ValueError(f"temperature must be above 0, got {temperature}.")
    if temperature is not None and labels is None and prototypes is None:
        raise ValueError("temperature is for cosines (labels, prototypes): a head has logits of its own.")
    if templates and labels is None:
        raise ValueError("templates go with labels.")
    images = encoder.batch(pixels)
    if len(images):
        settle(together, encoder.embed, images[0])
    classifier: Classifier
    if labels is not None:
        classifier = zero_shot_classifier(encoder, labels, templates, temperature)
    elif prototypes is not None:
        examples = {name: embed_all(encoder, encoder.batch(x, name), together) for name, x in prototypes.items()}
        classifier = prototype_classifier(examples, temperature)
    else:
        require_some_classifier(encoder, head)
        classifier = head_classifier(encoder)
    return apply(encoder, classifier, images, together)


def require_some_classifier(encoder: Encoder, named: bool) -> None:
    """Refuse to guess where no classifier is named.

    Args:
        encoder: The encoder.
        named: Whether one is.

    Raises:
        UsageError: If none is and the checkpoint has no head to fall back on.
    """
    if named or encoder.tower.head is not None:
        return
    text = "--labels 'a cat,a dog'" if encoder.tower.text else "--labels with another model that reads text"
    raise UsageError(
        f"The checkpoint of {encoder.spec} has no head, so say how to classify: {text}, --prototypes DIR (a folder of "
        "images a class), or --head with a checkpoint that has one."
    )


def apply(encoder: Encoder, classifier: Classifier, pixels: Tensor, batch_size: int | BatchSize) -> Classification:
    """Run a classifier.

    Args:
        encoder: The encoder it was made for.
        classifier: The classifier.
        pixels: (B, 3, H, W) in [0, 1] at the input size.
        batch_size: Images at once; fewer where they do not fit into the memory.

    Returns:
        Its logits, probabilities, and the embeddings.
    """
    began = time.perf_counter()
    logits: list[Tensor] = []
    embeddings: list[Tensor] = []

    def look(part: Sequence[int]) -> None:
        chunk = pixels[part[0] : part[-1] + 1]
        with torch.no_grad():
            embedded = encoder.embed(chunk)
        logits.append(classifier.logits(encoder, chunk, embedded))
        embeddings.append(embedded)

    in_batches(look, range(len(pixels)), batch_size)
    together = torch.cat(logits)
    forwards = len(pixels) * (1 + classifier.forwards)
    return Classification(
        classifier=classifier.record,
        logits=together,
        probabilities=together.softmax(1),
        embeddings=torch.cat(embeddings),
        cost=Cost(forwards=forwards, seconds=time.perf_counter() - began),
    )


def embed_all(encoder: Encoder, pixels: Tensor, batch_size: int | BatchSize) -> Tensor:
    """Embed images without a graph.

    Args:
        encoder: The encoder.
        pixels: (B, 3, H, W) in [0, 1] at the input size.
        batch_size: Images at once; fewer where they do not fit into the memory.

    Returns:
        (B, n).
    """
    if not len(pixels):
        return pixels.new_zeros((0, encoder.embedding_dim))
    with torch.no_grad():
        return torch.cat(
            in_batches(lambda part: encoder.embed(pixels[part[0] : part[-1] + 1]), range(len(pixels)), batch_size)
        )
