"""The two-tower model of the embedded default.

The image tower is a small vision transformer behind a convolutional stem (Xiao et al. 2021, "Early convolutions help
transformers see better", arXiv 2106.14881), read out as the mean over its tokens (Beyer et al. 2022, "Better plain ViT
baselines for ImageNet-1k", arXiv 2205.01580); the text tower is a smaller transformer. Both end in a linear map
into one space, as in CLIP (Radford et al. 2021, arXiv 2103.00020).

Every operation is smooth and has forward-mode and double-backward derivatives (attention: under the math backend of
`scaled_dot_product_attention`). There is no dropout and no state of a batch, so the model is deterministic and
an image's embedding does not depend on its neighbours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitequiv.tiny.scenes import SIZE
from vitequiv.tiny.vocabulary import CONTEXT_LENGTH, PADDING, WORDS

MEAN = (0.5, 0.5, 0.5)
"""Mean that pixels in [0, 1] are normalised with before `TinyClip.encode_image`."""

STD = (0.5, 0.5, 0.5)
"""Standard deviation, likewise."""

MAX_LOGIT_SCALE = 100.0
"""Largest factor on the cosine, as in CLIP."""

_INITIAL_LOGIT_SCALE = 1 / 0.07
_STEM_STRIDE = 8


@dataclass(frozen=True)
class TinyClipConfig:
    """Sizes of both towers; stored with the weights.

    Attributes:
        image_size: Side of the image in pixels, a multiple of 8.
        stem_widths: Channels of the first three convolutions of the stem; the fourth has `image_width`.
        image_width: Width of the image tower.
        image_depth: Its blocks.
        image_heads: Its attention heads.
        text_width: Width of the text tower.
        text_depth: Its blocks.
        text_heads: Its attention heads.
        context_length: Tokens in a caption.
        vocabulary_size: Number of different tokens.
        embedding_dim: Dimension of the common space.
    """

    image_size: int = SIZE
    stem_widths: tuple[int, int, int] = (32, 48, 64)
    image_width: int = 128
    image_depth: int = 3
    image_heads: int = 4
    text_width: int = 64
    text_depth: int = 2
    text_heads: int = 4
    context_length: int = CONTEXT_LENGTH
    vocabulary_size: int = len(WORDS)
    embedding_dim: int = 128


class Block(nn.Module):
    """A transformer block, normalised before each part.

    Args:
        width: Width of the tokens.
        heads: Number of attention heads; divides the width.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.mlp_norm = nn.LayerNorm(width)
        self.expand = nn.Linear(width, 4 * width)
        self.contract = nn.Linear(4 * width, width)

    def forward(self, tokens: Tensor, visible: Tensor | None = None) -> Tensor:
        """Apply the block.

        Args:
            tokens: (B, N, width).
            visible: (B, 1, 1, N), true where a token may be attended to; all of them if None.

        Returns:
            (B, N, width).
        """
        batch, count, width = tokens.shape
        qkv = self.qkv(self.attention_norm(tokens)).view(batch, count, 3, self.heads, width // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=visible)
        tokens = tokens + self.out(mixed.transpose(1, 2).reshape(batch, count, width))
        hidden: Tensor = self.contract(F.gelu(self.expand(self.mlp_norm(tokens))))
        return tokens + hidden


def _stem(widths: tuple[int, ...]) -> nn.Sequential:
    """Return four 3 x 3 convolutions that shrink an image by 8: strides 2, 2, 1, 2, the last one linear."""
    layers: list[nn.Module] = []
    for index, (before, after, stride) in enumerate(zip((3, *widths), widths, (2, 2, 1, 2), strict=False)):
        layers.append(nn.Conv2d(before, after, kernel_size=3, stride=stride, padding=1))
        if index < len(widths) - 1:
            layers += [nn.GroupNorm(1, after), nn.GELU()]
    return nn.Sequential(*layers)


class TinyClip(nn.Module):
    """Image and text towers with a common embedding space.

    Args:
        config: Sizes of both towers.
    """

    def __init__(self, config: TinyClipConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or TinyClipConfig()
        self.stem = _stem((*config.stem_widths, config.image_width))
        self.image_positions = nn.Parameter(torch.empty((config.image_size // _STEM_STRIDE) ** 2, config.image_width))
        self.image_blocks = nn.ModuleList(
            Block(config.image_width, config.image_heads) for _ in range(config.image_depth)
        )
        self.image_norm = nn.LayerNorm(config.image_width)
        self.image_projection = nn.Linear(config.image_width, config.embedding_dim, bias=False)
        self.words = nn.Embedding(config.vocabulary_size, config.text_width)
        self.text_positions = nn.Parameter(torch.empty(config.context_length, config.text_width))
        self.text_blocks = nn.ModuleList(Block(config.text_width, config.text_heads) for _ in range(config.text_depth))
        self.text_norm = nn.LayerNorm(config.text_width)
        self.text_projection = nn.Linear(config.text_width, config.embedding_dim, bias=False)
        self.log_scale = nn.Parameter(torch.tensor(math.log(_INITIAL_LOGIT_SCALE)))
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for parameter in (self.words.weight, self.image_positions, self.text_positions):
            nn.init.normal_(parameter, std=0.1)

    def encode_image(self, images: Tensor) -> Tensor:
        """Embed images.

        Args:
            images: (B, 3, image_size, image_size), normalised with `MEAN` and `STD`, so in [-1, 1].

        Returns:
            (B, embedding_dim), not normalised.

        Raises:
            ValueError: If the images have another form.
        """
        expected = (3, self.config.image_size, self.config.image_size)
        if images.ndim != 4 or images.shape[1:] != expected:
            raise ValueError(f"images must be (B, {', '.join(map(str, expected))}), got {tuple(images.shape)}; resize")
        tokens = self.stem(images).flatten(2).transpose(1, 2) + self.image_positions
        for block in self.image_blocks:
            tokens = block(tokens)
        embedding: Tensor = self.image_projection(self.image_norm(tokens).mean(dim=1))
        return embedding

    def encode_text(self, tokens: Tensor) -> Tensor:
        """Embed captions.

        Args:
            tokens: (N, length) from `vocabulary.tokenize`, length at most `context_length`, each row with some word.

        Returns:
            (N, embedding_dim), not normalised.
        """
        is_word = tokens != PADDING
        states = self.words(tokens) + self.text_positions[: tokens.shape[1]]
        for block in self.text_blocks:
            states = block(states, is_word[:, None, None, :])
        weights = is_word.to(states.dtype)[..., None]
        mean = (self.text_norm(states) * weights).sum(dim=1) / weights.sum(dim=1)
        embedding: Tensor = self.text_projection(mean)
        return embedding

    def logit_scale(self) -> Tensor:
        """Give the factor on the cosine.

        Returns:
            A scalar, at most `MAX_LOGIT_SCALE`.
        """
        return self.log_scale.clamp(max=math.log(MAX_LOGIT_SCALE)).exp()

    def forward(self, images: Tensor, tokens: Tensor) -> Tensor:
        """Compare images with captions.

        Args:
            images: (B, 3, image_size, image_size), normalised.
            tokens: (N, length).

        Returns:
            (B, N) cosines times `logit_scale`.
        """
        image = F.normalize(self.encode_image(images), dim=-1)
        text = F.normalize(self.encode_text(tokens), dim=-1)
        return self.logit_scale() * image @ text.T
