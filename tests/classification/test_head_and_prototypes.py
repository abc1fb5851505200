"""The checkpoint's head against the official model; nearest class mean against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vitequiv import classify, load_encoder
from vitequiv.errors import UsageError

HEADS = {
    "beit": "BeitForImageClassification",
    "swin": "SwinForImageClassification",
    "deit": "DeiTForImageClassificationWithTeacher",
    "hf-vit": "ViTForImageClassification",
}


@pytest.mark.parametrize("name", list(HEADS))
def test_head_is_the_official_softmax(checkpoints, name):
    import transformers

    spec = checkpoints[name]
    encoder = load_encoder(spec)
    pixels = torch.rand((5, 3, 32, 32), generator=torch.Generator().manual_seed(1))
    found = classify(encoder, pixels, batch_size=2)
    model = getattr(transformers, HEADS[name]).from_pretrained(spec.partition(":")[2]).eval()
    with torch.no_grad():
        expected = model(encoder.normalise(pixels)).logits.softmax(-1)
    # The batches of two and of five sum in different orders.
    torch.testing.assert_close(found.probabilities.float(), expected, rtol=1e-5, atol=1e-6)
    assert found.labels == ("cat", "dog", "eel")
    assert found.cost.forwards == 10
    for guesses, row in zip(found.best(2), expected, strict=True):
        assert [guess.index for guess in guesses] == row.topk(2).indices.tolist()


@pytest.mark.parametrize("spec", ["tiny-clip", "vitmae", "vitmsn", "swin-model"])
@pytest.mark.parametrize("temperature", [None, 0.5])
def test_prototypes_are_the_nearest_class_mean(checkpoints, spec, temperature):
    encoder = load_encoder(checkpoints.get(spec, spec))
    generator = torch.Generator().manual_seed(2)
    size = encoder.input_size
    examples = {"dark": 0.3 * torch.rand((3, 3, *size), generator=generator)}
    examples["bright"] = 0.7 + 0.3 * torch.rand((5, 3, *size), generator=generator)
    pixels = torch.rand((4, 3, *size), generator=generator)
    found = classify(encoder, pixels, prototypes=examples, temperature=temperature)

    def unit(x: np.ndarray) -> np.ndarray:
        return x / np.linalg.norm(x, axis=-1, keepdims=True)

    def embed(x: torch.Tensor) -> np.ndarray:
        with torch.no_grad():
            return encoder.embed(x).double().numpy()

    means = np.stack([unit(unit(embed(x)).mean(axis=0)) for x in examples.values()])
    logits = unit(embed(pixels)) @ means.T / (temperature or 0.01)
    expected = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected /= expected.sum(axis=1, keepdims=True)
    # Embeddings in float32 differ by 1e-7 with the batch, times 1/temperature = 100.
    np.testing.assert_allclose(found.probabilities.numpy(), expected, atol=1e-4)
    np.testing.assert_array_equal(found.probabilities.argmax(1).numpy(), logits.argmax(axis=1))
    assert found.classifier.examples == (3, 5)


def test_prototypes_recognise_their_own_examples(clip, scenes):
    pixels, classes = scenes
    chosen = np.unique(classes)[:4]
    examples = {str(c): pixels[torch.from_numpy(np.flatnonzero(classes == c))] for c in chosen}
    for name, images in examples.items():
        found = classify(clip, images, prototypes=examples)
        assert {guesses[0].label for guesses in found.best()} == {name}


@pytest.mark.parametrize(
    ("options", "fragments"),
    [
        ({}, ["--labels", "--prototypes", "--head"]),
        ({"head": True}, ["no classification head"]),
        ({"prototypes": {"one": torch.rand(2, 3, 64, 64)}}, ["at least two"]),
    ],
)
def test_no_such_classifier(clip, scenes, options, fragments):
    with pytest.raises(UsageError) as caught:
        classify(clip, scenes[0][:1], **options)
    for fragment in fragments:
        assert fragment in str(caught.value)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"labels": ("a", "b"), "head": True}, "one of labels"),
        ({"head": True, "templates": ("{}",)}, "go with labels"),
        ({"head": True, "temperature": 0.0}, "temperature"),
        ({"head": True, "temperature": 0.1}, "logits of its own"),
        ({"prototypes": {"a": torch.rand(2, 3, 64, 64), "b": torch.rand(2, 3, 8, 8)}}, "b must be"),
        ({"prototypes": {"a": torch.rand(2, 3, 64, 64), "b": torch.rand(0, 3, 64, 64)}}, "'b'"),
    ],
)
def test_misuse(clip, scenes, options, match):
    with pytest.raises(ValueError, match=match):
        classify(clip, scenes[0][:1], **options)
