"""Encoders loaded once a process, for all tests that change nothing of them."""

from __future__ import annotations

from functools import cache

import torch

from vitequiv.encoders.base import Encoder
from vitequiv.encoders.load import load_encoder


@cache
def loaded(spec: str, *, readout: str | None = None, dtype: torch.dtype = torch.float32) -> Encoder:
    """The encoder of a spec; who hooks into its network, or counts its calls, loads one of his own."""
    return load_encoder(spec, readout=readout, dtype=dtype)
