"""Small checkpoints with random weights, in each library's own format, for tests.

Every builder takes an empty directory and returns the encoder spec of what it wrote. All parameters are jittered (many
initialisers are zero, which would hide a readout that reads nothing) by a seed, so a call gives the same weights again.
The image processors are those that the hub's checkpoints come with, scaled to the small input.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vitequiv.encoders.checkpoints.quiet import quiet

HALF = [0.5, 0.5, 0.5]
IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
OPENAI = ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711])
BILINEAR, BICUBIC = 2, 3

VIT = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "image_size": 32,
    "patch_size": 8,
}
LABELS = {"id2label": {0: "cat", 1: "dog", 2: "eel"}, "label2id": {"cat": 0, "dog": 1, "eel": 2}}


def jitter(module: nn.Module, seed: int) -> None:
    """Add noise to all parameters and to the statistics of batch norms, in place, and set eval mode."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
        for name, buffer in module.named_buffers():
            if name.endswith("running_mean"):
                buffer.add_(0.1 * torch.randn(buffer.shape, generator=generator))
            if name.endswith("running_var"):
                buffer.add_(torch.rand(buffer.shape, generator=generator))
    module.eval()


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2), encoding="utf-8")


@dataclass(frozen=True)
class Transformers:
    """A model of transformers: its class, configuration and processor."""

    family: str
    model: str
    config: str
    options: Mapping[str, Any]
    processor: str
    settings: Mapping[str, Any]

    def make(self, seed: int = 0) -> Any:
        import transformers

        torch.manual_seed(seed)
        config = getattr(transformers, self.config)(**self.options)
        model = getattr(transformers, self.model)(config)
        jitter(model, seed)
        return model

    def __call__(self, directory: Path, seed: int = 0) -> str:
        model = self.make(seed)
        model.save_pretrained(directory)
        write_json(
            directory / "preprocessor_config.json", {"image_processor_type": self.processor, **dict(self.settings)}
        )
        return f"{self.family}:{directory}"


def squash(size: int, resample: int, mean: list[float], std: list[float]) -> dict[str, Any]:
    return {
        "do_resize": True,
        "size": {"height": size, "width": size},
        "resample": resample,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": mean,
        "image_std": std,
    }


def shortest(size: int, resample: int, mean: list[float], std: list[float], crop: int) -> dict[str, Any]:
    return {
        **squash(size, resample, mean, std),
        "size": {"shortest_edge": size},
        "do_center_crop": True,
        "crop_size": {"height": crop, "width": crop},
    }


DEIT = {**squash(36, BICUBIC, *IMAGENET), "do_center_crop": True, "crop_size": {"height": 32, "width": 32}}
SWIN = {
    "image_size": 32,
    "patch_size": 2,
    "embed_dim": 16,
    "depths": [2, 2],
    "num_heads": [2, 4],
    "window_size": 4,
}
CLIP_VISION = {**VIT, "projection_dim": 24}
CLIP_TEXT = {
    "hidden_size": 24,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "vocab_size": 99,
    "max_position_embeddings": 16,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
BEIT = {**VIT, "use_relative_position_bias": True, "layer_scale_init_value": 0.1}
BEIT_PROCESSOR = squash(32, BILINEAR, HALF, HALF)
RESNET = {"embedding_size": 8, "hidden_sizes": [16, 24], "depths": [1, 1], "layer_type": "basic"}

TRANSFORMERS: dict[str, Transformers] = {
    "beit": Transformers(
        "beit", "BeitForImageClassification", "BeitConfig", {**BEIT, **LABELS}, "BeitImageProcessor", BEIT_PROCESSOR
    ),
    "beit-model": Transformers("beit", "BeitModel", "BeitConfig", BEIT, "BeitImageProcessor", BEIT_PROCESSOR),
    "beit-mim": Transformers(
        "beit",
        "BeitForMaskedImageModeling",
        "BeitConfig",
        {**BEIT, "vocab_size": 16, "use_mask_token": True},
        "BeitImageProcessor",
        BEIT_PROCESSOR,
    ),
    "swin": Transformers(
        "swin",
        "SwinForImageClassification",
        "SwinConfig",
        {**SWIN, **LABELS},
        "ViTImageProcessor",
        squash(32, BICUBIC, *IMAGENET),
    ),
    "swin-model": Transformers(
        "swin", "SwinModel", "SwinConfig", SWIN, "ViTImageProcessor", squash(32, BICUBIC, *IMAGENET)
    ),
    "deit": Transformers(
        "deit",
        "DeiTForImageClassificationWithTeacher",
        "DeiTConfig",
        {**VIT, **LABELS},
        "DeiTImageProcessor",
        DEIT,
    ),
    "deit-plain": Transformers(
        "deit", "DeiTForImageClassification", "DeiTConfig", {**VIT, **LABELS}, "DeiTImageProcessor", DEIT
    ),
    "vitmae": Transformers(
        "vitmae",
        "ViTMAEForPreTraining",
        "ViTMAEConfig",
        {
            **VIT,
            "decoder_hidden_size": 16,
            "decoder_num_hidden_layers": 1,
            "decoder_num_attention_heads": 2,
            "decoder_intermediate_size": 32,
        },
        "ViTImageProcessor",
        squash(32, BICUBIC, *IMAGENET),
    ),
    "vitmsn": Transformers(
        "vitmsn", "ViTMSNModel", "ViTMSNConfig", VIT, "ViTImageProcessor", squash(32, BILINEAR, *IMAGENET)
    ),
    "vitmsn-classifier": Transformers(
        "vitmsn",
        "ViTMSNForImageClassification",
        "ViTMSNConfig",
        {**VIT, **LABELS},
        "ViTImageProcessor",
        squash(32, BILINEAR, *IMAGENET),
    ),
    "hf-clip": Transformers(
        "hf",
        "CLIPModel",
        "CLIPConfig",
        {"vision_config": CLIP_VISION, "text_config": CLIP_TEXT, "projection_dim": 24},
        "CLIPImageProcessor",
        {**shortest(32, BICUBIC, *OPENAI, crop=32), "do_convert_rgb": True},
    ),
    "hf-clip-vision": Transformers(
        "hf",
        "CLIPVisionModelWithProjection",
        "CLIPVisionConfig",
        CLIP_VISION,
        "CLIPImageProcessor",
        {**shortest(32, BICUBIC, *OPENAI, crop=32), "do_convert_rgb": True},
    ),
    "hf-chinese-clip": Transformers(
        "hf",
        "ChineseCLIPModel",
        "ChineseCLIPConfig",
        {"vision_config": VIT, "text_config": CLIP_TEXT, "projection_dim": 24},
        "ChineseCLIPImageProcessor",
        shortest(32, BICUBIC, *OPENAI, crop=32),
    ),
    "hf-siglip": Transformers(
        "hf",
        "SiglipVisionModel",
        "SiglipVisionConfig",
        VIT,
        "SiglipImageProcessor",
        squash(32, BICUBIC, HALF, HALF),
    ),
    "hf-dinov2": Transformers(
        "hf",
        "Dinov2Model",
        "Dinov2Config",
        {**VIT, "image_size": 40, "mlp_ratio": 2},
        "BitImageProcessor",
        shortest(36, BICUBIC, *IMAGENET, crop=32),
    ),
    "hf-dinov2-registers": Transformers(
        "hf",
        "Dinov2WithRegistersModel",
        "Dinov2WithRegistersConfig",
        {**VIT, "mlp_ratio": 2, "num_register_tokens": 3},
        "BitImageProcessor",
        shortest(36, BICUBIC, *IMAGENET, crop=32),
    ),
    "hf-vit": Transformers(
        "hf",
        "ViTForImageClassification",
        "ViTConfig",
        {**VIT, **LABELS},
        "ViTImageProcessor",
        squash(32, BILINEAR, HALF, HALF),
    ),
    "hf-resnet": Transformers(
        "hf",
        "ResNetForImageClassification",
        "ResNetConfig",
        {**RESNET, **LABELS},
        "ConvNextImageProcessor",
        {**squash(32, BICUBIC, *IMAGENET), "size": {"shortest_edge": 32}, "crop_pct": 0.875},
    ),
    "hf-convnext": Transformers(
        "hf",
        "ConvNextModel",
        "ConvNextConfig",
        {"hidden_sizes": [16, 24], "depths": [1, 1], "num_stages": 2, "image_size": 32},
        "ConvNextImageProcessor",
        {**squash(32, BICUBIC, *IMAGENET), "size": {"shortest_edge": 32}, "crop_pct": 0.875},
    ),
}

OPEN_CLIP_TEXT = {"context_length": 77, "vocab_size": 49408, "width": 8, "heads": 2, "layers": 1}
OPEN_CLIP_VISION: dict[str, dict[str, Any]] = {
    "clip": {"image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 8},
    "clip-resnet": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8},
    "clip-timm": {
        "image_size": 32,
        "timm_model_name": "test_vit",
        "timm_model_pretrained": False,
        "timm_pool": "",
        "timm_proj": "linear",
    },
}


@dataclass(frozen=True)
class OpenClip:
    """A model of open_clip: its vision configuration and preprocessing."""

    vision: Mapping[str, Any]
    preprocess: Mapping[str, Any]
    coca: bool = False

    def __call__(self, directory: Path, seed: int = 0) -> str:
        import open_clip
        from safetensors.torch import save_file

        directory.mkdir(parents=True, exist_ok=True)
        config: dict[str, Any] = {"embed_dim": 24, "vision_cfg": dict(self.vision), "text_cfg": dict(OPEN_CLIP_TEXT)}
        if self.coca:
            config["custom_text"] = True
            config["multimodal_cfg"] = {**OPEN_CLIP_TEXT, "context_length": 76, "attn_pooler_heads": 2}
            config["vision_cfg"] |= {"attentional_pool": True, "attn_pooler_heads": 2, "output_tokens": True}
            config["text_cfg"] |= {"context_length": 76, "embed_cls": True, "output_tokens": True}
        elif "timm_model_name" in self.vision:
            config["custom_text"] = True
        write_json(directory / "open_clip_config.json", {"model_cfg": config, "preprocess_cfg": dict(self.preprocess)})
        torch.manual_seed(seed)
        model = open_clip.create_model(f"local-dir:{directory}", load_weights=False)
        jitter(model, seed)
        save_file(
            {name: tensor.contiguous().clone() for name, tensor in model.state_dict().items()},
            directory / "open_clip_model.safetensors",
        )
        return f"clip:{directory}"


def _openai(**changes: Any) -> dict[str, Any]:
    mean, std = OPENAI
    return {"mean": mean, "std": std, "interpolation": "bicubic", "resize_mode": "shortest", **changes}


OPEN_CLIP: dict[str, OpenClip] = {
    "clip": OpenClip(OPEN_CLIP_VISION["clip"], _openai()),
    "clip-resnet": OpenClip(OPEN_CLIP_VISION["clip-resnet"], _openai(resize_mode="squash", interpolation="bilinear")),
    "clip-timm": OpenClip(
        OPEN_CLIP_VISION["clip-timm"], _openai(mean=HALF, std=HALF, resize_mode="longest", fill_color=127)
    ),
    "clip-coca": OpenClip(OPEN_CLIP_VISION["clip"], _openai(), coca=True),
}


@dataclass(frozen=True)
class Timm:
    """A model of timm, written by its own `save_for_hf`."""

    architecture: str
    options: Mapping[str, Any]
    data: Mapping[str, Any]

    def __call__(self, directory: Path, seed: int = 0) -> str:
        import timm
        from timm.models import save_for_hf

        torch.manual_seed(seed)
        model = timm.create_model(self.architecture, pretrained=False, **self.options)
        jitter(model, seed)
        save_for_hf(model, str(directory), safe_serialization=True)
        path = directory / "config.json"  # its argument `data_config` is younger than the oldest timm we take
        content = json.loads(path.read_text(encoding="utf-8"))
        content["pretrained_cfg"] |= self.data
        write_json(path, content)
        return f"timm:{directory}"


def _data(**changes: Any) -> dict[str, Any]:
    mean, std = IMAGENET
    return {
        "input_size": (3, 32, 32),
        "interpolation": "bicubic",
        "mean": tuple(mean),
        "std": tuple(std),
        "crop_pct": 0.9,
        "crop_mode": "center",
        **changes,
    }


TIMM: dict[str, Timm] = {
    "timm": Timm("test_vit", {"img_size": 32, "patch_size": 8, "num_classes": 3}, _data()),
    "timm-resnet": Timm("test_resnet", {"num_classes": 0}, _data(crop_mode="squash", crop_pct=1.0)),
    "timm-border": Timm("test_resnet", {"num_classes": 1000}, _data(crop_mode="border", interpolation="bilinear")),
    "timm-oblong": Timm("test_resnet", {"num_classes": 3}, _data(input_size=(3, 32, 48), crop_pct=0.8)),
}

BUILDERS: dict[str, Callable[[Path], str]] = {**TRANSFORMERS, **OPEN_CLIP, **TIMM}
"""Every variant by name; the names without a dash are one for each family (`hf-vit` stands for `hf`)."""

FAMILIES = ("clip", "beit", "swin", "deit", "vitmae", "vitmsn", "timm", "hf-vit")
"""One variant of each family that has checkpoints."""


def build(name: str, directory: Path) -> str:
    """Write the variant `name` into `directory` and return its spec."""
    import transformers  # noqa: F401 - first, so that `quiet` finds its bars to turn off

    with quiet():
        return BUILDERS[name](directory)
