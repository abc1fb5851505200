"""The files of an item's folder by verb: the keys of `artifacts` in its JSON, and the names."""

from __future__ import annotations

MATCH = {
    "matched": "matched.png",
    "jpeg": "matched.jpg",
    "tensors": "matched.safetensors",
    "difference": "difference.png",
    "trajectory": "trajectory.png",
}
JACOBIAN = {"spectrum": "spectrum.png", "vectors": "vectors", "tensors": "jacobian.safetensors"}
LDLC = {"plot": "ldlc.png", "tensors": "ldlc.safetensors"}
INTERPOLATE = {
    "curve": "curve.png",
    "strip": "strip.png",
    "animation": "path.gif",
    "tensors": "interpolate.safetensors",
}
CLASSIFY = {"matrix": "matrix.png", "tensors": "classify.safetensors"}
STATISTICS = {"plot": "statistics.png", "pairs": "pairs.csv", "tensors": "statistics.safetensors"}
