"""The checkpoint's head against the official model; prototypes against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vitequiv import classify, load_encoder
from vitequiv.classification.prototypes import prototype_classifier
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


def numpy_prototypes(classes: list[np.ndarray], embeddings: np.ndarray) -> np.ndarray:
    """Cosines to class means after centring and whitening, by eigenvalues where the library uses a triangle."""
    units = [unit(each) for each in classes]
    n, freedom = units[0].shape[1], sum(map(len, units)) - len(units)
    centre = np.mean([each.mean(axis=0) for each in units], axis=0)
    covariance = sum((each - each.mean(axis=0)).T @ (each - each.mean(axis=0)) for each in units) / max(freedom, 1)
    weight = 1.0
    if freedom:
        values = np.linalg.eigvalsh(covariance)
        squares, square = np.sum(values**2), np.sum(values) ** 2
        weight = min(1, ((1 - 2 / n) * squares + square) / ((freedom + 1 - 2 / n) * (squares - square / n)))
    whiten = np.eye(n)
    if weight < 1:
        values, vectors = np.linalg.eigh((1 - weight) * covariance + weight * np.trace(covariance) / n * np.eye(n))
        whiten = vectors / np.sqrt(values) @ vectors.T
    means = unit(np.stack([unit((each - centre) @ whiten).mean(axis=0) for each in units]))
    return unit((unit(embeddings) - centre) @ whiten) @ means.T


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


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

    def embed(x: torch.Tensor) -> np.ndarray:
        with torch.no_grad():
            return encoder.embed(x).double().numpy()

    cosines = numpy_prototypes([embed(x) for x in examples.values()], embed(pixels))
    # Embeddings in float32 differ by 1e-7 with the batch; whitening can enlarge that a thousandfold.
    np.testing.assert_allclose(found.logits.numpy() * (temperature or 0.01), cosines, atol=1e-3)
    np.testing.assert_array_equal(found.probabilities.argmax(1).numpy(), cosines.argmax(axis=1))
    torch.testing.assert_close(found.probabilities, found.logits.softmax(1))
    assert found.classifier.examples == (3, 5)


@pytest.mark.parametrize(
    ("counts", "n"),
    [((1, 1), 4), ((1, 1, 1), 2), ((2, 1), 5), ((3, 5, 2), 3), ((2, 2), 40), ((40, 60, 50), 8)],
)
def test_whitened_cosines(counts, n):
    generator = np.random.default_rng(7)
    mixing = generator.normal(size=(n, n))
    shared = 20 * generator.normal(size=n)
    classes = [shared + generator.normal(size=n) + generator.normal(size=(count, n)) @ mixing for count in counts]
    embeddings = shared + 2 * generator.normal(size=(9, n))
    classifier = prototype_classifier({str(i): torch.from_numpy(each) for i, each in enumerate(classes)})
    # All in float64; the condition number of the shrunk covariance is below 1e6.
    np.testing.assert_allclose(
        classifier.weights @ classifier.view(torch.from_numpy(embeddings)).T,
        numpy_prototypes(classes, embeddings).T,
        atol=1e-8,
    )
    shrinkage = classifier.record.shrinkage
    assert 0 < shrinkage <= 1
    assert (shrinkage == 1) == (sum(counts) - len(counts) < 2)


def test_examples_that_repeat_are_centred_alone():
    a, b = torch.tensor([[1.0, 0.2, 0.0]]), torch.tensor([[1.0, -0.2, 0.3]])
    classifier = prototype_classifier({"a": a.repeat(4, 1), "b": b.repeat(3, 1)})
    assert classifier.record.shrinkage == 1
    # Two centred means are opposite.
    torch.testing.assert_close(classifier.weights[0], -classifier.weights[1])


def test_a_shared_part_and_the_spread_within_classes_do_not_count():
    """All embeddings share a large part, classes differ in one coordinate, and images more in two others."""
    generator = torch.Generator().manual_seed(3)
    spread = torch.tensor([3.0, 3.0, 0.1, 0.1], dtype=torch.float64)

    def draw(sign: float, count: int) -> torch.Tensor:
        noise = torch.randn((count, 4), generator=generator, dtype=torch.float64) * spread
        return noise + torch.tensor([0.0, 0.0, 30.0, sign])

    examples = {"up": draw(1, 30), "down": draw(-1, 30)}
    classifier = prototype_classifier(examples)
    plain = torch.nn.functional.normalize(torch.stack([x.mean(0) for x in examples.values()]), dim=1)
    images = torch.cat([draw(1, 100), draw(-1, 100)])
    right = torch.tensor([0] * 100 + [1] * 100)
    # Ten standard deviations off the border; the plain means differ by chance in the two others.
    assert torch.equal(classifier.logits(None, images, images).argmax(1), right)
    assert ((images @ plain.T).argmax(1) == right).double().mean() < 0.95


def test_examples_that_are_not_finite():
    with pytest.raises(UsageError, match="not finite for an example of the class 'b'"):
        prototype_classifier({"a": torch.ones(2, 3), "b": torch.tensor([[1.0, float("nan"), 0.0]])})


@pytest.mark.parametrize(("spec", "least"), [("tiny-clip", 0.95), ("tiny-swin", 0.95), ("tiny-vitmae", 0.35)])
def test_prototypes_name_held_out_scenes(many_scenes, spec, least):
    """Measured 0.99, 1.00 and 0.50 on other seeds; cosines to plain means name 0.05 with tiny-vitmae."""
    (pixels, classes), (held_out, expected) = many_scenes
    examples = {str(c): pixels[torch.from_numpy(np.flatnonzero(classes == c))] for c in np.unique(classes)}
    found = classify(load_encoder(spec), held_out, prototypes=examples)
    named = np.array([int(guesses[0].label) for guesses in found.best(1)])
    # Four standard errors (0.03) below what was measured.
    assert (named == expected).mean() >= least


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
