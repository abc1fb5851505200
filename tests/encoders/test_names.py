"""Names of architectures and weights that the libraries know, or nearly."""

from __future__ import annotations

import pytest

from vitequiv.encoders.load import load_encoder
from vitequiv.encoders.open_clip_models.names import parse_name
from vitequiv.errors import ModelError

TABLE = [
    ("clip:ViT-B-33/openai", "did you mean ViT-B-32"),
    ("clip:ViT-B-32", "Say which weights of ViT-B-32, as in clip:ViT-B-32/laion2b_e16: openai, "),
    ("clip:ViT-B/32", "Say which weights of ViT-B-32"),
    ("clip:ViT-B-16/laion2b_s34b_b88q", "try laion2b_s34b_b88k"),
    ("clip:ViT-B-32/openai", "trained with QuickGELU: use clip:ViT-B-32-quickgelu/openai"),
    ("clip:zzz", "open_clip has no architecture 'zzz'"),
    ("clip:ViTamin-B/datacomp", "try datacomp1b"),
    ("timm:vit_bse_patch16_224", "did you mean vit_base_patch16_224"),
    ("timm:zzz", "timm has no model 'zzz'"),
    ("timm:vit_base_patch16_224.nope", "no weights nope for vit_base_patch16_224"),
    ("timm:test_convnext3.nope", "r160_in1k"),
    ("hf:a b", "neither a directory nor a hub name"),
    ("beit:a:b", "neither a directory nor a hub name"),
]


@pytest.mark.parametrize(("spec", "fragment"), TABLE)
def test_near_matches(spec, fragment):
    with pytest.raises(ModelError) as error:
        load_encoder(spec)
    assert fragment in error.value.message
    assert "\n" not in error.value.message


def test_every_pair_of_open_clip_is_accepted_or_redirected_to_one_that_is():
    import open_clip

    for architecture, tag in open_clip.list_pretrained():
        try:
            assert parse_name(f"{architecture}/{tag}", "clip:x") == (architecture, tag)
        except ModelError as error:
            better = error.message.rpartition("use clip:")[2].rstrip(".")
            assert parse_name(better, "clip:x") == (f"{architecture}-quickgelu", tag)


def test_tags_are_compared_as_open_clip_does():
    assert parse_name("ViT-H-14/LAION2B-S32B-B79K", "clip:x") == ("ViT-H-14", "laion2b_s32b_b79k")
