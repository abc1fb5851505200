"""Text halves and tokenizers of transformers in open_clip's checkpoints: from their own files, or refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from tests.checkpoints import OPEN_CLIP, OPEN_CLIP_VISION, build, jitter, write_json
from vitequiv.encoders.checkpoints.quiet import quiet
from vitequiv.encoders.load import load_encoder
from vitequiv.errors import ModelError

TEXTS = ["a photo of a cat", "dog"]
LETTERS = [chr(letter) for letter in range(ord("a"), ord("z") + 1)]


def _bert(directory: Path) -> None:
    from transformers import BertTokenizerFast

    (directory / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "cat", *LETTERS]))
    BertTokenizerFast(str(directory / "vocab.txt")).save_pretrained(directory)


def _t5(directory: Path) -> None:
    from transformers import T5TokenizerFast

    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -5.0), ("▁", -2.0), ("▁cat", -3.0)]
    T5TokenizerFast(vocab=pieces + [(letter, -6.0) for letter in LETTERS], extra_ids=0).save_pretrained(directory)


@pytest.mark.parametrize(
    ("write", "options"),
    [
        (_bert, {}),
        (_bert, {"clean": "canonicalize"}),
        (_bert, {"strip_sep_token": True}),
        (_t5, {}),
        (_t5, {"clean": "canonicalize"}),
    ],
)
def test_a_tokenizer_in_the_directory(write, options, tmp_path):
    import open_clip

    build("clip", tmp_path)
    content = json.loads((tmp_path / "open_clip_config.json").read_text())
    content["model_cfg"]["text_cfg"] |= {"hf_tokenizer_name": "someone/tokenizer", "tokenizer_kwargs": options}
    write_json(tmp_path / "open_clip_config.json", content)
    encoder = load_encoder(f"clip:{tmp_path}")
    with pytest.raises(ModelError, match=r"has none of its files, such as tokenizer\.json"):
        encoder.embed_text(TEXTS)
    write(tmp_path)
    with quiet():
        theirs = open_clip.get_tokenizer(f"local-dir:{tmp_path}")(TEXTS)
    assert torch.equal(load_encoder(f"clip:{tmp_path}").tower.text.tokenize(TEXTS), theirs)


@pytest.fixture
def roberta(tmp_path):
    """A model whose text half is one of transformers, as open_clip made it, and its directory."""
    import open_clip
    from safetensors.torch import save_file
    from transformers import RobertaConfig

    config = RobertaConfig(
        vocab_size=50,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=40,
    )
    config.save_pretrained(tmp_path / "text")
    text = {"hf_model_name": str(tmp_path / "text"), "hf_pooler_type": "mean_pooler", "hf_proj_type": "mlp"}
    model = {"embed_dim": 24, "vision_cfg": dict(OPEN_CLIP_VISION["clip"]), "text_cfg": text}
    content = {"model_cfg": model, "preprocess_cfg": dict(OPEN_CLIP["clip"].preprocess)}
    directory = tmp_path / "checkpoint"
    directory.mkdir()
    write_json(directory / "open_clip_config.json", content)
    with quiet():
        made = open_clip.create_model(f"local-dir:{directory}", load_weights=False, pretrained_text=False)
    jitter(made, 0)
    state = {name: tensor.contiguous().clone() for name, tensor in made.state_dict().items()}
    save_file(state, directory / "open_clip_model.safetensors")
    text["hf_model_name"] = "roberta-base"
    write_json(directory / "open_clip_config.json", content)
    return directory, made, tmp_path / "text"


def test_images_need_no_text_half(roberta):
    directory, made, _ = roberta
    encoder = load_encoder(f"clip:{directory}")
    pixels = torch.rand(2, 3, 32, 32)
    mean, std = (
        torch.tensor(values)[:, None, None] for values in (encoder.preprocessing.mean, encoder.preprocessing.std)
    )
    with torch.no_grad():
        torch.testing.assert_close(encoder.embed(pixels), made.encode_image((pixels - mean) / std))
    state = encoder.tower.module.visual.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in made.visual.state_dict().items())
    assert encoder.tower.text.logit_scale == float(made.logit_scale.detach().exp())
    with pytest.raises(ModelError, match="is the model roberta-base of transformers, and"):
        encoder.embed_text(TEXTS)


def test_a_text_half_from_the_directory(roberta):
    directory, made, text = roberta
    (directory / "config.json").write_bytes((text / "config.json").read_bytes())
    encoder = load_encoder(f"clip:{directory}")
    tokens = torch.randint(3, 50, (2, 12), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(encoder.tower.text.module(tokens), made.encode_text(tokens))


def test_an_image_half_that_is_not_whole(roberta):
    from safetensors.torch import load_file, save_file

    directory, *_ = roberta
    file = directory / "open_clip_model.safetensors"
    state = load_file(file)
    del state["visual.proj"]
    save_file(state, file)
    with pytest.raises(ModelError, match="Missing key"):
        load_encoder(f"clip:{directory}")
