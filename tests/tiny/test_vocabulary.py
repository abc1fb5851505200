"""The tokenizer: lossless on what it knows, clear about what it does not."""

from __future__ import annotations

import numpy as np
import pytest

from vitequiv.errors import UsageError
from vitequiv.tiny.captions import all_captions
from vitequiv.tiny.colours import COLOURS
from vitequiv.tiny.shapes import SHAPES
from vitequiv.tiny.vocabulary import CONTEXT_LENGTH, PADDING, WORDS, tokenize, words_of


def test_words_are_unique() -> None:
    assert len(WORDS) == len(set(WORDS))
    assert WORDS[PADDING] == ""


def test_round_trip_of_the_captions() -> None:
    captions = all_captions()
    tokens = tokenize(captions)
    assert tokens.shape == (64, CONTEXT_LENGTH)
    assert tokens.dtype == np.int64
    assert [" ".join(words) for words in words_of(tokens)] == list(captions)


@pytest.mark.parametrize(
    "text", ["a photo of a red star", "A Photo of a RED star.", "  a photo, of a red star! ", "a\tphoto of a red\nstar"]
)
def test_case_space_and_punctuation_do_not_matter(text: str) -> None:
    assert np.array_equal(tokenize([text]), tokenize(["a photo of a red star"]))


@pytest.mark.parametrize(
    ("text", "word"),
    [("a photo of a zebra", "zebra"), ("a mauve star", "mauve"), ("2 stars", "2"), ("étoile", "étoile")],
)
def test_an_unknown_word_is_named_with_the_known_ones(text: str, word: str) -> None:
    with pytest.raises(UsageError) as caught:
        tokenize(["a red star", text])
    assert f"'{word}'" in caught.value.message
    for known in (*SHAPES, *COLOURS):
        assert known in caught.value.message


@pytest.mark.parametrize("text", ["", "  ", "?!"])
def test_a_caption_without_words_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no word"):
        tokenize([text])


def test_length_limit() -> None:
    assert (tokenize(["red " * CONTEXT_LENGTH]) != PADDING).all()
    with pytest.raises(UsageError, match="17 words"):
        tokenize(["red " * (CONTEXT_LENGTH + 1)])
