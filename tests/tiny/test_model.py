"""The shipped model: small, accurate, smooth; and the file it is stored in."""

from __future__ import annotations

import math
from importlib import resources
from pathlib import Path

import pytest
import torch

from vitequiv.errors import ModelError
from vitequiv.geometry.attention import plain_attention
from vitequiv.tiny.captions import all_captions
from vitequiv.tiny.checkpoint import WEIGHTS_NAME, load, load_tiny_clip, save
from vitequiv.tiny.evaluation import as_input, zero_shot
from vitequiv.tiny.model import MAX_LOGIT_SCALE, TinyClip, TinyClipConfig
from vitequiv.tiny.scenes import Split, sample, scene_rng
from vitequiv.tiny.vocabulary import tokenize

WEIGHTS = Path(str(resources.files("vitequiv.tiny") / WEIGHTS_NAME))
SMALL = TinyClipConfig(
    stem_widths=(8, 8, 8), image_width=16, image_depth=1, image_heads=2, text_width=8, text_depth=1, text_heads=2
)


@pytest.fixture(scope="module")
def shipped() -> TinyClip:
    return load_tiny_clip()


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return as_input(sample(6, scene_rng(Split.HELD_OUT, 11)).images)


def test_size_of_model_and_file(shipped: TinyClip) -> None:
    assert sum(parameter.numel() for parameter in shipped.parameters()) <= 3_000_000
    assert WEIGHTS.stat().st_size <= 6_000_000


def test_shipped_model_is_frozen_float32_in_eval_mode(shipped: TinyClip) -> None:
    assert not shipped.training
    assert not any(parameter.requires_grad for parameter in shipped.parameters())
    assert {parameter.dtype for parameter in shipped.parameters()} == {torch.float32}


def test_zero_shot_on_held_out_scenes(shipped: TinyClip) -> None:
    # Chance is 1/64 = 1.6 %. Of 1,536 scenes at a true rate of 97 %, fewer than 95 % has odds of about 1 in 100,000;
    # the seed is fixed besides, and not the one that the training run reports on.
    accuracy = zero_shot(shipped, count=1536, seed=7)
    assert accuracy.scenes == 1536
    assert accuracy.top1 >= 0.95
    assert min(accuracy.shape, accuracy.colour) >= accuracy.top1


def test_an_untrained_model_is_at_chance() -> None:
    torch.manual_seed(0)
    # 64 classes; a constant answer, the likeliest of an untrained model, is right about once in 64.
    assert zero_shot(TinyClip(SMALL).eval(), count=512, seed=7).top1 < 0.08


def test_recorded_provenance_is_what_the_card_says(shipped: TinyClip) -> None:
    _, provenance = load(WEIGHTS)
    card = (WEIGHTS.parent / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert provenance["zero_shot_top1"] >= 0.95  # type: ignore[operator]
    assert f"{provenance['zero_shot_top1']:.2%}" in card
    assert f"--seed {provenance['seed']} --steps {provenance['steps']} --threads {provenance['threads']}" in card
    assert "Apache-2.0" in card


def test_embeddings_have_documented_form(shipped: TinyClip, images: torch.Tensor) -> None:
    image = shipped.encode_image(images)
    text = shipped.encode_text(torch.from_numpy(tokenize(all_captions()[:5])))
    assert image.shape == (6, 128)
    assert text.shape == (5, 128)
    assert image.norm(dim=1).std() > 0.01  # not normalised


def test_repeatable_and_independent_of_the_batch(shipped: TinyClip, images: torch.Tensor) -> None:
    together = shipped.encode_image(images)
    assert torch.equal(together, shipped.encode_image(images))
    alone = torch.cat([shipped.encode_image(image[None]) for image in images])
    # Matrix products of another size sum in another order: a few hundred float32 roundings.
    torch.testing.assert_close(alone, together, rtol=1e-4, atol=1e-4)


def test_padding_does_not_matter(shipped: TinyClip) -> None:
    tokens = torch.from_numpy(tokenize(["a red star"]))
    torch.testing.assert_close(shipped.encode_text(tokens), shipped.encode_text(tokens[:, :3]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("form", [(3, 64, 64), (1, 1, 64, 64), (1, 3, 32, 32), (1, 3, 64, 65)])
def test_images_of_another_form_are_refused(shipped: TinyClip, form: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="got"):
        shipped.encode_image(torch.zeros(form))


def test_logit_scale_is_clipped() -> None:
    model = TinyClip(SMALL)
    assert model.logit_scale().item() == pytest.approx(1 / 0.07)
    with torch.no_grad():
        model.log_scale.fill_(math.log(1e6))
    assert model.logit_scale().item() == pytest.approx(MAX_LOGIT_SCALE)


def _in_float64(shipped: TinyClip) -> TinyClip:
    model = TinyClip(shipped.config).double().eval().requires_grad_(False)
    model.load_state_dict(shipped.state_dict())
    return model


def test_derivatives_agree_with_finite_differences(shipped: TinyClip, images: torch.Tensor) -> None:
    model = _in_float64(shipped)
    generator = torch.Generator().manual_seed(0)
    point = images[:1].double()
    directions = torch.randn(4, *point.shape[1:], dtype=torch.float64, generator=generator)
    cotangent = torch.randn(1, 128, dtype=torch.float64, generator=generator)
    leaf = point.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model.encode_image(leaf), leaf, cotangent)
    step = 1e-5
    for direction in directions:
        change = model.encode_image(point + step * direction) - model.encode_image(point - step * direction)
        expected = (cotangent * change).sum() / (2 * step)
        # Central differences: error about step^2 times the third derivative plus 1e-16 / step, both near 1e-10.
        torch.testing.assert_close((gradient[0] * direction).sum(), expected, rtol=1e-6, atol=1e-7)


# Torch's first use of forward mode compiles decompositions with its own, by now deprecated, torch.jit.script.
@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:FutureWarning")
def test_forward_mode_and_double_backward_agree(shipped: TinyClip, images: torch.Tensor) -> None:
    model = _in_float64(shipped)
    point = images[:1].double().contiguous()  # older versions of torch have no forward mode for other layouts
    direction = torch.randn(point.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    with plain_attention():
        _, forward = torch.func.jvp(model.encode_image, (point,), (direction,))
        _, twice_backward = torch.autograd.functional.jvp(model.encode_image, (point,), (direction,))
        step = 1e-5
        change = model.encode_image(point + step * direction) - model.encode_image(point - step * direction)
    # The same derivative by two exact ways: rounding alone; and by differences: as above.
    torch.testing.assert_close(forward, twice_backward, rtol=1e-9, atol=1e-10)
    torch.testing.assert_close(forward, change / (2 * step), rtol=1e-5, atol=1e-6)


def test_embeddings_of_different_scenes_are_spread(shipped: TinyClip) -> None:
    embedding = shipped.encode_image(as_input(sample(256, scene_rng(Split.HELD_OUT, 12)).images))
    embedding = torch.nn.functional.normalize(embedding, dim=1)
    cosines = (embedding @ embedding.T)[~torch.eye(256, dtype=torch.bool)]
    # A collapsed encoder has cosines near 1; scenes of different classes, 63 in 64 pairs, should be far apart.
    assert cosines.median() < 0.3


def test_a_saved_model_comes_back_and_bytes_repeat(tmp_path: Path) -> None:
    torch.manual_seed(3)
    model = TinyClip(SMALL)
    for name in ("a", "b"):
        save(model, tmp_path / name, {"seed": 3, "note": "test", "steps": 0})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    loaded, provenance = load(tmp_path / "a")
    assert loaded.config == SMALL
    assert provenance == {"seed": 3, "note": "test", "steps": 0}
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, loaded.state_dict()[name])


@pytest.mark.parametrize("damage", ["missing", "empty", "truncated", "text", "foreign"])
def test_unreadable_weights_are_one_sentence(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "weights.safetensors"
    if damage == "foreign":
        from safetensors.torch import save_file

        save_file({"weight": torch.zeros(2)}, path)
    elif damage != "missing":
        whole = WEIGHTS.read_bytes()
        path.write_bytes({"empty": b"", "truncated": whole[: len(whole) // 2], "text": b"not weights"}[damage])
    with pytest.raises(ModelError, match="reinstall") as caught:
        load(path)
    assert str(path) in caught.value.message
