"""What each library itself makes of a photo: its own processor and model class, spelled out for every variant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from vitequiv.encoders.checkpoints.quiet import quiet


@dataclass(frozen=True)
class Official:
    """The reference for one variant of `tests.checkpoints`.

    Args:
        name: The variant.
        readout: The readout to ask for; None for the default.
        embed: The checkpoint's directory and normalised pixels to the embedding.
        logits: Likewise to the logits, where the variant has a classifier.
    """

    name: str
    readout: str | None
    embed: Callable[[Path, Tensor], Tensor]
    logits: Callable[[Path, Tensor], Tensor] | None = None

    def __str__(self) -> str:
        return f"{self.name}-{self.readout or 'default'}"


def hf(class_name: str, directory: Path, **options: Any) -> Any:
    import transformers

    with quiet():
        return getattr(transformers, class_name).from_pretrained(directory, **options).eval()


def hf_pixels(directory: Path, photo: Image.Image, backend: str = "pil") -> Tensor:
    from transformers import AutoImageProcessor

    with quiet():
        processor = AutoImageProcessor.from_pretrained(directory, backend=backend)
        return processor(images=photo, return_tensors="pt")["pixel_values"]


def hf_logits(class_name: str) -> Callable[[Path, Tensor], Tensor]:
    return lambda d, x: hf(class_name, d)(x).logits


def beit_mim(directory: Path, x: Tensor) -> Tensor:
    model = hf("BeitForMaskedImageModeling", directory)
    return model.layernorm(model.beit(x).last_hidden_state)


def vitmae(directory: Path, x: Tensor) -> Tensor:
    noise = torch.arange(16.0).expand(len(x), -1)
    return hf("ViTMAEModel", directory, mask_ratio=0.0)(x, noise=noise).last_hidden_state


def clip_model(directory: Path) -> Any:
    import open_clip

    with quiet():
        return open_clip.create_model_and_transforms(f"local-dir:{directory}")


def open_clip_pixels(directory: Path, photo: Image.Image) -> Tensor:
    _, _, transform = clip_model(directory)
    return transform(photo)[None]


def open_clip_embed(directory: Path, x: Tensor) -> Tensor:
    model, _, _ = clip_model(directory)
    return model.eval().encode_image(x, normalize=False)


def timm_model(directory: Path, **options: Any) -> Any:
    import timm

    with quiet():
        return timm.create_model(f"local-dir:{directory}", pretrained=True, **options).eval()


def timm_pixels(directory: Path, photo: Image.Image) -> Tensor:
    from timm.data import create_transform, resolve_model_data_config

    return create_transform(**resolve_model_data_config(timm_model(directory)))(photo)[None]


def timm_features(directory: Path, x: Tensor) -> Tensor:
    return timm_model(directory).forward_features(x)


OFFICIAL = [
    Official("beit", None, lambda d, x: hf("BeitModel", d)(x).pooler_output, hf_logits("BeitForImageClassification")),
    Official("beit", "mean", lambda d, x: hf("BeitModel", d)(x).last_hidden_state[:, 1:].mean(1)),
    Official("beit-model", None, lambda d, x: hf("BeitModel", d)(x).pooler_output),
    Official("beit-mim", "mean", lambda d, x: beit_mim(d, x)[:, 1:].mean(1)),
    Official("beit-mim", "cls", lambda d, x: beit_mim(d, x)[:, 0]),
    Official("swin", None, lambda d, x: hf("SwinModel", d)(x).pooler_output, hf_logits("SwinForImageClassification")),
    Official("swin-model", "mean", lambda d, x: hf("SwinModel", d)(x).last_hidden_state.mean(1)),
    Official(
        "deit",
        None,
        lambda d, x: hf("DeiTModel", d, add_pooling_layer=False)(x).last_hidden_state[:, 0],
        hf_logits("DeiTForImageClassificationWithTeacher"),
    ),
    Official(
        "deit-plain",
        "mean",
        lambda d, x: hf("DeiTModel", d, add_pooling_layer=False)(x).last_hidden_state[:, 2:].mean(1),
        hf_logits("DeiTForImageClassification"),
    ),
    Official("vitmae", None, lambda d, x: vitmae(d, x)[:, 0]),
    Official("vitmae", "mean", lambda d, x: vitmae(d, x)[:, 1:].mean(1)),
    Official("vitmsn", None, lambda d, x: hf("ViTMSNModel", d)(x).last_hidden_state[:, 0]),
    Official(
        "vitmsn-classifier",
        "mean",
        lambda d, x: hf("ViTMSNModel", d)(x).last_hidden_state[:, 1:].mean(1),
        hf_logits("ViTMSNForImageClassification"),
    ),
    Official("hf-clip", None, lambda d, x: hf("CLIPModel", d).get_image_features(x).pooler_output),
    Official("hf-clip", "pooler", lambda d, x: hf("CLIPVisionModel", d)(x).pooler_output),
    Official("hf-clip-vision", None, lambda d, x: hf("CLIPVisionModelWithProjection", d)(x).image_embeds),
    Official(
        "hf-chinese-clip", None, lambda d, x: hf("ChineseCLIPModel", d).get_image_features(pixel_values=x).pooler_output
    ),
    Official("hf-siglip", None, lambda d, x: hf("SiglipVisionModel", d)(x).pooler_output),
    Official("hf-siglip", "mean", lambda d, x: hf("SiglipVisionModel", d)(x).last_hidden_state.mean(1)),
    Official("hf-dinov2", None, lambda d, x: hf("Dinov2Model", d)(x).pooler_output),
    Official("hf-dinov2", "mean", lambda d, x: hf("Dinov2Model", d)(x).last_hidden_state[:, 1:].mean(1)),
    Official(
        "hf-dinov2-registers",
        "mean",
        lambda d, x: hf("Dinov2WithRegistersModel", d)(x).last_hidden_state[:, 4:].mean(1),
    ),
    Official(
        "hf-vit",
        None,
        lambda d, x: hf("ViTModel", d, add_pooling_layer=False)(x).last_hidden_state[:, 0],
        hf_logits("ViTForImageClassification"),
    ),
    Official(
        "hf-resnet",
        None,
        lambda d, x: hf("ResNetModel", d)(x).pooler_output.flatten(1),
        hf_logits("ResNetForImageClassification"),
    ),
    Official("hf-resnet", "mean", lambda d, x: hf("ResNetModel", d)(x).last_hidden_state.mean((2, 3))),
    Official("hf-convnext", None, lambda d, x: hf("ConvNextModel", d)(x).pooler_output),
    *(Official(name, None, open_clip_embed) for name in ("clip", "clip-resnet", "clip-timm", "clip-coca")),
    Official(
        "timm",
        None,
        lambda d, x: timm_model(d, num_classes=0)(x),
        lambda d, x: timm_model(d)(x),
    ),
    Official("timm", "cls", lambda d, x: timm_features(d, x)[:, 0]),
    Official("timm", "mean", lambda d, x: timm_features(d, x)[:, 1:].mean(1)),
    Official("timm-resnet", None, lambda d, x: timm_model(d)(x)),
    Official("timm-resnet", "mean", lambda d, x: timm_features(d, x).mean((2, 3))),
    Official("timm-border", None, lambda d, x: timm_model(d, num_classes=0)(x), lambda d, x: timm_model(d)(x)),
    Official("timm-oblong", None, lambda d, x: timm_model(d, num_classes=0)(x), lambda d, x: timm_model(d)(x)),
]


def official_pixels(name: str, directory: Path, photo: Image.Image) -> Tensor:
    """The library's own processor, on Pillow: normalised pixels (1, 3, H, W)."""
    kind = name.partition("-")[0]
    return {"clip": open_clip_pixels, "timm": timm_pixels}.get(kind, hf_pixels)(directory, photo)
