"""A word-level tokenizer that knows the words of the scenes' captions and no others."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from vitequiv.errors import UsageError
from vitequiv.tiny.backgrounds import BACKGROUNDS
from vitequiv.tiny.captions import Detail
from vitequiv.tiny.colours import COLOURS
from vitequiv.tiny.shapes import SHAPES

if TYPE_CHECKING:
    from collections.abc import Sequence

CONTEXT_LENGTH = 16
"""Words in a caption at most; shorter ones are padded."""

PADDING = 0
"""Token of no word."""


def split_words(text: str) -> list[str]:
    """Split a caption into words: lower case, anything but letters separates.

    Args:
        text: The caption.

    Returns:
        Its words.
    """
    return re.findall(r"[^\W\d_]+|\d+", text.lower())


def _words_of_templates() -> set[str]:
    text = " ".join(template for detail in Detail for template in detail.value)
    return set(split_words(re.sub(r"\{\w+\}", " ", text))) | {"an"}


WORDS: tuple[str, ...] = ("", *SHAPES, *COLOURS, *BACKGROUNDS, *sorted(_words_of_templates()))
"""Word of each token; token 0 is the padding."""

_TOKENS = {word: token for token, word in enumerate(WORDS) if word}


def tokenize(captions: Sequence[str]) -> npt.NDArray[np.int64]:
    """Turn captions into tokens.

    Args:
        captions: N captions.

    Returns:
        (N, CONTEXT_LENGTH) tokens, padded with `PADDING` at the end.

    Raises:
        UsageError: If a caption has an unknown word, no word, or too many.
    """
    tokens = np.full((len(captions), CONTEXT_LENGTH), PADDING, dtype=np.int64)
    for row, text in enumerate(captions):
        words = split_words(text)
        if not words:
            raise UsageError(f"the caption {text!r} has no word in it; write one such as 'a photo of a red star'")
        if len(words) > CONTEXT_LENGTH:
            raise UsageError(
                f"the caption {text!r} has {len(words)} words, but tiny-clip reads {CONTEXT_LENGTH}; shorten it"
            )
        unknown = next((word for word in words if word not in _TOKENS), None)
        if unknown is not None:
            raise UsageError(
                f"tiny-clip does not know the word {unknown!r} of the caption {text!r}; it was trained on the shapes "
                f"{', '.join(SHAPES)} in the colours {', '.join(COLOURS)}, "
                "so use these words or choose a pretrained CLIP such as --model clip"
            )
        tokens[row, : len(words)] = [_TOKENS[word] for word in words]
    return tokens


def words_of(tokens: npt.NDArray[np.int64]) -> list[list[str]]:
    """Turn tokens back into words.

    Args:
        tokens: (N, length) tokens.

    Returns:
        The words of each row, without padding.
    """
    return [[WORDS[token] for token in row if token != PADDING] for row in tokens]
