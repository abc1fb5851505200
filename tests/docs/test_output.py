"""What a page shows against what was printed."""

from __future__ import annotations

import pytest

from tests.docs.output import agrees

SAME = {
    "itself": ("a\tconverged\t10.7\n", "a\tconverged\t10.7\n"),
    "another processor's size of change": ("ring\t-0.27\t0.99\t10.7\n", "ring\t-0.27\t0.99\t10.51\n"),
    "a whole number by chance": ("star 6\n", "star 5.98\n"),
    "one in the last place": ("-0.01\n", "-0.02\n"),
    "anything": ("wrote ... files\n", "wrote 3 of 5\n files\n"),
    "a number after anything": ("at ... 10.7\n", "at 3 o'clock 10.5\n"),
    "a version is not a number": ("0.1.0 of 3.11-rc\n", "0.1.0 of 3.11-rc\n"),
}
DIFFERENT = {
    "a count": ("51 passes\n", "52 passes\n"),
    "beyond the share": ("10.7\n", "10.1\n"),
    "a sign": ("-0.27\n", "0.27\n"),
    "a word": ("star converged 0.99\n", "star stalled 0.99\n"),
    "a version": ("0.1.0\n", "0.1.1\n"),
    "a line more": ("0.99\n", "0.99\n0.99\n"),
    "a number less": ("0.99 0.98\n", "0.99\n"),
    "a file's number": ("a-1.5\n", "a-1.6\n"),
}


@pytest.mark.parametrize(("shown", "printed"), SAME.values(), ids=list(SAME))
def test_it_agrees(shown, printed):
    assert agrees(shown, printed)


@pytest.mark.parametrize(("shown", "printed"), DIFFERENT.values(), ids=list(DIFFERENT))
def test_it_does_not(shown, printed):
    assert not agrees(shown, printed)
