"""Zero-shot classification is CLIP's own computation."""

from __future__ import annotations

import pytest
import torch

from tests.classification.conftest import NAMES
from vitequiv import classify, load_encoder
from vitequiv.errors import UsageError

LABELS = ("red star", "blue ring", "green heart")
TEMPLATES = ("a photo of a {}", "a drawing of a {}", "the {}")


def by_hand(model, images: torch.Tensor, tokens: list[torch.Tensor], scale: torch.Tensor) -> torch.Tensor:
    """The zero-shot recipe of CLIP's notebook, a class at a time, in float64."""
    weights = []
    for of_class in tokens:
        embeddings = model.encode_text(of_class).double()
        embeddings /= embeddings.norm(dim=-1, keepdim=True)
        mean = embeddings.mean(dim=0)
        weights.append(mean / mean.norm())
    features = model.encode_image(images).double()
    features /= features.norm(dim=-1, keepdim=True)
    return (scale.double() * features @ torch.stack(weights, dim=1)).softmax(dim=-1)


@pytest.mark.parametrize("templates", [TEMPLATES[:1], TEMPLATES])
def test_tiny_clip(clip, scenes, templates):
    from vitequiv.tiny.checkpoint import load_tiny_clip
    from vitequiv.tiny.vocabulary import tokenize

    model = load_tiny_clip()
    tokens = [torch.from_numpy(tokenize([t.format(name) for t in templates])) for name in LABELS]
    expected = by_hand(model, scenes[0][:8] * 2 - 1, tokens, model.logit_scale())
    found = classify(clip, scenes[0][:8], labels=LABELS, templates=templates)
    # Cosines of float32 features differ by 1e-7 with the batching of texts, times a scale of up to 100.
    torch.testing.assert_close(found.probabilities, expected, rtol=0, atol=1e-5)
    assert found.labels == LABELS
    assert found.cost.forwards == 8


@pytest.mark.parametrize("templates", [TEMPLATES[:1], TEMPLATES])
def test_open_clip(checkpoints, templates):
    import open_clip

    spec = checkpoints["clip"]
    name = f"local-dir:{spec.removeprefix('clip:')}"
    model = open_clip.create_model(name).eval().requires_grad_(False)
    tokenizer = open_clip.get_tokenizer(name)
    encoder = load_encoder(spec)
    pixels = torch.rand((5, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    tokens = [tokenizer([t.format(label) for t in templates]) for label in LABELS]
    expected = by_hand(model, encoder.normalise(pixels), tokens, model.logit_scale.exp())
    found = classify(encoder, pixels, labels=LABELS, templates=templates)
    torch.testing.assert_close(found.probabilities, expected, rtol=0, atol=1e-6)


def test_accuracy_over_the_64_classes(clip, scenes):
    pixels, classes = scenes
    found = classify(clip, pixels, labels=NAMES)
    right = (found.probabilities.argmax(1).numpy() == classes).mean()
    assert right > 0.9  # the model card says 0.98


def test_a_label_with_its_own_article_is_the_same_class(clip, scenes):
    with_article, without = (
        classify(clip, scenes[0][:4], labels=labels).logits for labels in (("a red star", "the ring"), LABELS[:2])
    )
    assert torch.equal(with_article[:, 0], without[:, 0])


@pytest.mark.parametrize("temperature", [0.02, 1.0])
def test_temperature_scales_the_cosines(clip, scenes, temperature):
    plain = classify(clip, scenes[0][:4], labels=LABELS, temperature=1.0).logits
    found = classify(clip, scenes[0][:4], labels=LABELS, temperature=temperature)
    torch.testing.assert_close(found.logits, plain / temperature)
    assert plain.abs().max() <= 1
    assert found.classifier.scale == 1 / temperature


@pytest.mark.parametrize(
    ("spec", "labels", "templates", "fragments"),
    [
        ("tiny-clip", ("red star", "blue ring", "red star"), (), ["'red star'", "once"]),
        ("tiny-clip", ("red star",), (), ["at least two"]),
        ("tiny-clip", (), (), ["names no class"]),
        ("tiny-clip", LABELS, ("a photo",), ["'a photo'", "{}"]),
        ("tiny-clip", ("red star", "platypus"), (), ["'platypus'", "--model clip"]),
        ("beit", LABELS, (), ["no text tower", "tiny-clip and clip", "--prototypes"]),
    ],
)
def test_what_cannot_be_done_is_one_sentence(clip, checkpoints, scenes, spec, labels, templates, fragments):
    encoder = clip if spec == "tiny-clip" else load_encoder(checkpoints[spec])
    pixels = torch.rand(2, 3, *encoder.input_size)
    with pytest.raises(UsageError) as caught:
        classify(encoder, pixels, labels=labels, templates=templates)
    assert "\n" not in str(caught.value)
    for fragment in fragments:
        assert fragment in str(caught.value)
