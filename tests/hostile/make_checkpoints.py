"""The corpus of hostile checkpoints: a directory a trick.

`python -m tests.hostile.make_checkpoints DIR` writes them all, each beside the directory `elsewhere` that it would
reach for; a file `canary` there is what their code would leave. `test_checkpoints.py` loads every one.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from tests.encoders.spoil import Bomb
from tests.hostile.tricks import Place, Trick, code_in, empty_tensors, setting

CONFIG, PROCESSOR, OPEN_CLIP = "config.json", "preprocessor_config.json", "open_clip_config.json"
TEXT, VISION = "model_cfg.text_cfg", "model_cfg.vision_cfg"


def _bert_tokenizer(**settings: object) -> Callable[[Place], None]:
    """A tokenizer of transformers with its files, and these settings besides."""

    def play(place: Place) -> None:
        place.change(OPEN_CLIP, f"{TEXT}.hf_tokenizer_name", "bert-base-uncased")
        words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "cat"]
        (place.directory / "vocab.txt").write_text("\n".join(words))
        place.change("tokenizer_config.json", "tokenizer_class", "BertTokenizer")
        for key, value in settings.items():
            place.change("tokenizer_config.json", key, value)
        place.code()

    return play


def _both(*plays: Callable[[Place], None]) -> Callable[[Place], None]:
    def play(place: Place) -> None:
        for one in plays:
            one(place)

    return play


def _elsewhere(file: str, path: str, pattern: str) -> Callable[[Place], None]:
    """A key that leads to the directory that nobody named."""
    return lambda place: place.change(file, path, pattern.format(place.elsewhere))


def _link(name: str) -> Callable[[Place], None]:
    """A file of the directory that is a link to one outside."""

    def play(place: Place) -> None:
        (place.directory / name).unlink(missing_ok=True)
        (place.directory / name).symlink_to(place.elsewhere / name)

    return play


def _pipe(name: str) -> Callable[[Place], None]:
    def play(place: Place) -> None:
        (place.directory / name).unlink(missing_ok=True)
        os.mkfifo(place.directory / name)

    return play


def _linked_shard(place: Place) -> None:
    (place.directory / "model.safetensors").unlink()
    (place.directory / "part.safetensors").symlink_to(place.elsewhere / "model.safetensors")
    place.change("model.safetensors.index.json", "weight_map", {"a": "part.safetensors"})


def _pickles_beside(place: Place) -> None:
    import torch

    for name in ("pytorch_model.bin", "open_clip_pytorch_model.bin", "model.pth", "adapter_model.bin", "tokenizer.pkl"):
        torch.save({"bomb": Bomb(place.canary)}, place.directory / name)


def _adapter(place: Place) -> None:
    settings = {"base_model_name_or_path": str(place.elsewhere), "peft_type": "LORA"}
    (place.directory / "adapter_config.json").write_text(json.dumps(settings))


def _generation(place: Place) -> None:
    (place.directory / "custom_generate").mkdir()
    place.code("custom_generate/generate.py")
    place.code("modeling_vit.py")
    place.code("sitecustomize.py")
    (place.directory / "chat_template.jinja").write_text("{{ cycler.__init__.__globals__.os.system('false') }}")


def _large_json(place: Place) -> None:
    place.change(CONFIG, "padding", "x" * (2**26 + 1))


TRANSFORMERS: dict[str, Trick] = {
    "auto_map": Trick("hf-vit", code_in(CONFIG), None),
    "auto_map-unknown-type": Trick(
        "hf-vit", _both(code_in(CONFIG), setting(CONFIG, "model_type", "mine")), "'mine', which transformers does not"
    ),
    "auto_map-type-list": Trick("hf-vit", setting(CONFIG, "model_type", ["vit"]), "which transformers does not have"),
    "auto_map-part": Trick("hf-clip", code_in(CONFIG, "vision_config.auto_map"), None),
    "auto_map-text-part": Trick("hf-clip", code_in(CONFIG, "text_config.auto_map"), None),
    "auto_map-processor": Trick("hf-vit", code_in(PROCESSOR), None),
    "auto_map-processor-alone": Trick(
        "hf-vit", _both(code_in(PROCESSOR), setting(PROCESSOR, "image_processor_type", None)), None
    ),
    "auto_map-nested-processor": Trick(
        "hf-vit",
        _both(
            code_in("processor_config.json", "image_processor.auto_map"),
            setting("processor_config.json", "image_processor.size", {"height": 32, "width": 32}),
        ),
        None,
    ),
    "auto_map-elsewhere": Trick("hf-vit", _elsewhere(CONFIG, "auto_map", "{}--evil.Model"), None),
    "custom_pipelines": Trick(
        "hf-vit",
        _both(setting(CONFIG, "custom_pipelines", {"x": {"impl": "evil.Model"}}), code_in(CONFIG)),
        None,
    ),
    "code-files": Trick("hf-vit", _generation, None),
    "pickles-beside": Trick("hf-vit", _pickles_beside, None),
    "adapter": Trick("hf-vit", _adapter, None),
    "name_or_path": Trick("hf-vit", _elsewhere(CONFIG, "_name_or_path", "{}"), None),
    "kernel-from-hub": Trick("hf-vit", setting(CONFIG, "_attn_implementation", "owner/kernel"), None),
    "kernel-from-hub-2": Trick("hf-resnet", setting(CONFIG, "attn_implementation", "owner/kernel:flash"), None),
    "kernel-internal": Trick("hf-vit", setting(CONFIG, "_attn_implementation_internal", "owner/kernel"), None),
    "experts": Trick("hf-vit", setting(CONFIG, "experts_implementation", "owner/kernel"), None),
    "dtype-as-attribute": Trick("hf-vit", setting(CONFIG, "dtype", "load"), None),
    "weights-outside": Trick(
        "hf-vit", setting(CONFIG, "transformers_weights", "../elsewhere/model.safetensors"), "transformers_weights"
    ),
    "weights-absolute": Trick(
        "hf-vit", _elsewhere(CONFIG, "transformers_weights", "{}/model.safetensors"), "transformers_weights"
    ),
    "quantization": Trick(
        "hf-vit", setting(CONFIG, "quantization_config", {"quant_method": "gptq", "bits": 4}), "quantization_config"
    ),
    "backbone": Trick("hf-vit", setting(CONFIG, "backbone", "owner/model"), "sets backbone to owner/model"),
    "backbone-kwargs": Trick(
        "hf-vit", setting(CONFIG, "backbone_kwargs", {"checkpoint_path": "x.pth"}), "sets backbone_kwargs"
    ),
    "architectures-text": Trick("hf-vit", setting(CONFIG, "architectures", "os.system"), "a list of words"),
    "architectures-path": Trick("hf-vit", setting(CONFIG, "architectures", ["../evil.Model"]), "a single word"),
    "activation-path": Trick("hf-vit", setting(CONFIG, "hidden_act", "owner/kernel"), "a single word"),
    "ocr": Trick("hf-vit", setting(PROCESSOR, "image_processor_type", "LayoutLMv3ImageProcessor"), "does more than"),
    "labels-from-hub": Trick(
        "hf-vit", setting(PROCESSOR, "image_processor_type", "OneFormerImageProcessor"), "more than"
    ),
    "processor-class-path": Trick("hf-vit", setting(PROCESSOR, "image_processor_type", "../evil"), "a single word"),
    "link-weights": Trick("hf-vit", _link("model.safetensors"), "is a link out of its directory"),
    "link-config": Trick("hf-vit", _link(CONFIG), "is a link out of its directory"),
    "link-processor": Trick("hf-vit", _link(PROCESSOR), "is a link out of its directory"),
    "link-shard": Trick("hf-vit", _linked_shard, "is a link out of its directory"),
    "pipe-config": Trick("hf-vit", _pipe(CONFIG), "is no regular file"),
    "pipe-weights": Trick("hf-vit", _pipe("model.safetensors"), "is no regular file"),
    "pipe-processor": Trick("hf-vit", _pipe(PROCESSOR), "is no regular file"),
    "large-json": Trick("hf-vit", _large_json, "has more than 64 MiB"),
    "deep-json": Trick("hf-vit", lambda place: _write(place, "[" * 200_000), "cannot be read"),
    "long-number": Trick("hf-vit", lambda place: _write(place, '{"a": ' + "9" * 5000 + "}"), "cannot be read"),
}

OPEN_CLIP_TRICKS: dict[str, Trick] = {
    "trust_remote_code": Trick(
        "clip",
        _both(
            _bert_tokenizer(auto_map={"AutoTokenizer": ["evil.Tokenizer", None]}),
            setting(OPEN_CLIP, f"{TEXT}.tokenizer_kwargs", {"trust_remote_code": True}),
        ),
        "trust_remote_code to True",
    ),
    "tokenizer-auto_map": Trick(
        "clip", _bert_tokenizer(auto_map={"AutoTokenizer": ["evil.Tokenizer", None]}), None, text=True
    ),
    "tokenizer-class": Trick(
        "clip", _bert_tokenizer(tokenizer_class="EvilTokenizer"), "sets tokenizer_class to EvilTokenizer", text=True
    ),
    "tokenizer-program": Trick(
        "clip", _bert_tokenizer(tokenizer_class="BertJapaneseTokenizer"), "tokenizer_class", text=True
    ),
    "tokenizer-files": Trick(
        "clip",
        _both(
            _elsewhere("tokenizer_config.json", "tokenizer_file", "{}/tokenizer.json"),
            _elsewhere("tokenizer_config.json", "vocab_file", "{}/vocab.txt"),
            _elsewhere("tokenizer_config.json", "name_or_path", "{}"),
            _bert_tokenizer(chat_template="{{ cycler.__init__.__globals__ }}"),
        ),
        None,
        text=True,
    ),
    "tokenizer-config-code": Trick("clip", _both(_bert_tokenizer(), code_in(CONFIG)), None, text=True),
    "tokenizer-link": Trick("clip", _both(_bert_tokenizer(), _link("tokenizer.json")), "is a link", text=True),
    "tokenizer-tokens": Trick("clip", _bert_tokenizer(extra_ids=10**9), "extra_ids to 1000000000", text=True),
    "tokenizer-elsewhere": Trick(
        "clip", _elsewhere(OPEN_CLIP, f"{TEXT}.hf_tokenizer_name", "{}"), "none of its files", text=True
    ),
    "text-model-elsewhere": Trick(
        "clip", _elsewhere(OPEN_CLIP, f"{TEXT}.hf_model_name", "{}"), "of transformers", text=True
    ),
    "text-model-hub": Trick(
        "clip",
        setting(OPEN_CLIP, f"{TEXT}.hf_model_name", "owner/model"),
        "model owner/model of transformers",
        text=True,
    ),
    "text-model-code": Trick(
        "clip",
        _both(
            code_in(CONFIG), setting(CONFIG, "model_type", "mine"), setting(OPEN_CLIP, f"{TEXT}.hf_model_name", "a/b")
        ),
        "of transformers",
        text=True,
    ),
    "trunk-elsewhere": Trick(
        "clip", _elsewhere(OPEN_CLIP, f"{VISION}.timm_model_name", "local-dir:{}"), "timm_model_name"
    ),
    "trunk-hub": Trick("clip", setting(OPEN_CLIP, f"{VISION}.timm_model_name", "hf-hub:a/b"), "timm_model_name"),
    "trunk-pretrained": Trick("clip-timm", setting(OPEN_CLIP, f"{VISION}.timm_model_pretrained", True), None),
    "additional-tokens": Trick(
        "clip",
        setting(OPEN_CLIP, f"{TEXT}.tokenizer_kwargs", {"additional_special_tokens": ["(a+)+$"]}),
        "additional_special_tokens",
    ),
    "syntax-download": Trick(
        "clip", setting(OPEN_CLIP, f"{TEXT}.tokenizer_kwargs", {"reduction_mask": "syntax"}), "reduction_mask"
    ),
    "unknown-setting": Trick("clip", setting(OPEN_CLIP, "model_cfg.pretrained", "x.pt"), "no setting of open_clip's"),
    "link-config": Trick("clip", _link(OPEN_CLIP), "is a link out of its directory"),
    "link-weights": Trick("clip", _link("open_clip_model.safetensors"), "is a link out of its directory"),
    "pickles-beside": Trick("clip", _pickles_beside, None),
    "big-vision": Trick("clip", lambda place: (place.directory / "weights.npz").write_bytes(b"PK"), None),
}

TIMM: dict[str, Trick] = {
    **{
        f"source-{key}": Trick("timm", _elsewhere(CONFIG, f"pretrained_cfg.{key}", "{}/model.safetensors"), None)
        for key in ("file", "url", "hf_hub_id", "hf_hub_filename", "source", "state_dict")
    },
    "custom_load": Trick("timm", setting(CONFIG, "pretrained_cfg.custom_load", True), None),
    "architecture-elsewhere": Trick("timm", _elsewhere(CONFIG, "architecture", "local-dir:{}"), "timm has no model"),
    "architecture-hub": Trick("timm", setting(CONFIG, "architecture", "hf-hub:owner/name"), "timm has no model"),
    "architecture-list": Trick("timm", setting(CONFIG, "architecture", ["test_vit"]), "timm has no model"),
    "checkpoint_path": Trick("timm", _elsewhere(CONFIG, "model_args.checkpoint_path", "{}/x.pth"), "checkpoint_path"),
    "overlay": Trick(
        "timm", setting(CONFIG, "model_args.pretrained_cfg_overlay", {"file": "x.pth"}), "pretrained_cfg_overlay"
    ),
    "not-strict": Trick("timm", setting(CONFIG, "model_args.pretrained_strict", False), "pretrained_strict"),
    "features": Trick("timm", setting(CONFIG, "model_args.features_only", True), "features_only"),
    "cache": Trick("timm", _elsewhere(CONFIG, "model_args.cache_dir", "{}"), "cache_dir"),
    "link-weights": Trick("timm", _link("model.safetensors"), "is a link out of its directory"),
    "pickles-beside": Trick("timm", _pickles_beside, None),
}

HUGE = 10**8

SIZES: dict[str, Trick] = {
    **{
        f"vit-{key}": Trick("hf-vit", setting(CONFIG, key, value), key)
        for key, value in {
            "num_labels": HUGE,
            "num_hidden_layers": 10**6,
            "hidden_size": HUGE,
            "intermediate_size": 10**9,
            "image_size": 10**6,
            "num_channels": 10**7,
            "pooler_output_size": HUGE,
            "encoder_stride": 10**9,
        }.items()
    },
    "vit-patch_size": Trick("hf-vit", setting(CONFIG, "patch_size", [10**6, 10**6]), "patch_size"),
    "vit-many-sizes": Trick("hf-vit", setting(CONFIG, "hidden_size", 2**19), "hidden_size, which is 524288"),
    "vit-labels-in-words": Trick("hf-vit", setting(CONFIG, "id2label", {"0": ["x"]}), "id2label"),
    "swin-depths": Trick("swin", setting(CONFIG, "depths", [10**6, 2]), "depths"),
    "swin-many-depths": Trick("swin", setting(CONFIG, "depths", [2] * 100_000), "depths"),
    "swin-window": Trick("swin", setting(CONFIG, "window_size", 2**20), "window_size, which is 1048576"),
    "swin-mlp": Trick("swin", setting(CONFIG, "mlp_ratio", 1e6), "mlp_ratio"),
    "convnext-widths": Trick("hf-convnext", setting(CONFIG, "hidden_sizes", [HUGE, 24]), "hidden_sizes"),
    "convnext-image": Trick("hf-convnext", setting(CONFIG, "image_size", 10**6), "image_size"),
    "clip-part": Trick("hf-clip", setting(CONFIG, "vision_config.num_hidden_layers", 10**6), "num_hidden_layers"),
    "clip-text-part": Trick("hf-clip", setting(CONFIG, "text_config.vocab_size", 10**9), "vocab_size"),
    "clip-old-part": Trick(
        "hf-clip", setting(CONFIG, "vision_config_dict", {"num_hidden_layers": 10**6}), "num_hidden_layers"
    ),
    **{
        f"processor-{key}": Trick("hf-vit", setting(PROCESSOR, key, value), key)
        for key, value in {
            "size": 10**6,
            "size.height": 10**6,
            "crop_size.width": 10**6,
            "pad_size": [10**6] * 2,
        }.items()
    },
    "processor-crop_pct": Trick("hf-convnext", setting(PROCESSOR, "crop_pct", 1e-9), "crop_pct"),
    "processor-resized": Trick("hf-convnext", setting(PROCESSOR, "size.shortest_edge", 10**6), "shortest_edge"),
    **{
        f"open_clip-{path}": Trick("clip", setting(OPEN_CLIP, f"model_cfg.{path}", value), path.rpartition(".")[2])
        for path, value in {
            "embed_dim": 10**9,
            "vision_cfg.width": 10**8,
            "vision_cfg.layers": 10**6,
            "vision_cfg.image_size": 10**6,
            "vision_cfg.mlp_ratio": 1e9,
            "text_cfg.context_length": 10**6,
            "text_cfg.vocab_size": 10**9,
            "text_cfg.layers": 10**6,
            "text_cfg.width": 10**8,
        }.items()
    },
    "open_clip-preprocess": Trick("clip-resnet", setting(OPEN_CLIP, "preprocess_cfg.size", 10**6), "size"),
    "open_clip-queries": Trick("clip-coca", setting(OPEN_CLIP, f"{VISION}.attn_pooler_queries", 10**9), "queries"),
    "open_clip-trunk": Trick(
        "clip-timm", setting(OPEN_CLIP, f"{VISION}.timm_model_name", "vit_giant_patch14_224"), "the weights hold"
    ),
    "timm-architecture": Trick("timm", setting(CONFIG, "architecture", "vit_giant_patch14_224"), "the weights hold"),
    **{
        f"timm-{path}": Trick("timm", setting(CONFIG, path, value), path.rpartition(".")[2])
        for path, value in {
            "num_classes": HUGE,
            "pretrained_cfg.num_classes": HUGE,
            "model_args.depth": 10**6,
            "model_args.embed_dim": HUGE,
            "model_args.img_size": 10**6,
            "model_args.mlp_ratio": 1e9,
            "pretrained_cfg.input_size": [3, 10**6, 10**6],
            "pretrained_cfg.crop_pct": 1e-9,
        }.items()
    },
    **{
        f"empty-tensors-{base}": Trick(base, empty_tensors(count), wording)
        for base in ("hf-vit", "clip", "timm")
        for count, wording in ((30_000, "no more than 20,000 are read"),)
    },
    "empty-tensors-long": Trick("hf-vit", empty_tensors(300_000), "no more than 16,777,216 are read"),
}


def _write(place: Place, text: str) -> None:
    (place.directory / CONFIG).write_text(text)


CORPUS: dict[str, Trick] = {
    f"{group}-{name}": trick
    for group, tricks in (
        ("transformers", TRANSFORMERS),
        ("open_clip", OPEN_CLIP_TRICKS),
        ("timm", TIMM),
        ("size", SIZES),
    )
    for name, trick in tricks.items()
}
"""Every trick by name."""


def main(root: Path) -> None:
    """Write the corpus."""
    for name, trick in CORPUS.items():
        print(name, trick.make(root / name))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
