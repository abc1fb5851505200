"""The two kinds of array that the scenes are made of."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.floating[Any]]
"""Real numbers; float32 throughout, but NumPy's own annotations do not keep track of the precision."""

Labels: TypeAlias = npt.NDArray[np.int64]
"""Indices into a tuple of names."""
