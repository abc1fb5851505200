"""Embedding matching (paper, Eq. 3 and 4): objective, one shared loop, one solver a file."""
