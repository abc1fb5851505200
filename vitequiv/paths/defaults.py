"""What a path is where nobody says otherwise; light to import."""

from __future__ import annotations

DEFAULT_STEPS = 21
DEFAULT_NULL_STEPS = 100
DEFAULT_TOLERANCE = 0.01
DEFAULT_MAX_PASSES = 10_000
