"""Measure the equivalence structure of image encoders' embedding spaces.

The public API; each name is imported on first use, so that `import vitequiv` does not wait for torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from vitequiv._version import __version__

if TYPE_CHECKING:
    from vitequiv.classification.api import classify
    from vitequiv.encoders.base import Encoder
    from vitequiv.encoders.families import EncoderFamily, Readout
    from vitequiv.encoders.load import load_encoder
    from vitequiv.errors import VitequivError
    from vitequiv.geometry.api import jacobian
    from vitequiv.geometry.ldlc import ldlc
    from vitequiv.images.decode import load_image
    from vitequiv.matching.api import match
    from vitequiv.paths.api import interpolate
    from vitequiv.results.classify import Classification
    from vitequiv.results.interpolate import PathResult
    from vitequiv.results.jacobian import JacobianResult
    from vitequiv.results.ldlc import LdlcResult
    from vitequiv.results.match import MatchResult
    from vitequiv.results.status import Status

_HOMES = {
    "Classification": "vitequiv.results.classify",
    "Encoder": "vitequiv.encoders.base",
    "EncoderFamily": "vitequiv.encoders.families",
    "JacobianResult": "vitequiv.results.jacobian",
    "LdlcResult": "vitequiv.results.ldlc",
    "MatchResult": "vitequiv.results.match",
    "PathResult": "vitequiv.results.interpolate",
    "Readout": "vitequiv.encoders.families",
    "Status": "vitequiv.results.status",
    "VitequivError": "vitequiv.errors",
    "classify": "vitequiv.classification.api",
    "interpolate": "vitequiv.paths.api",
    "jacobian": "vitequiv.geometry.api",
    "ldlc": "vitequiv.geometry.ldlc",
    "load_encoder": "vitequiv.encoders.load",
    "load_image": "vitequiv.images.decode",
    "match": "vitequiv.matching.api",
}

__all__ = [
    "Classification",
    "Encoder",
    "EncoderFamily",
    "JacobianResult",
    "LdlcResult",
    "MatchResult",
    "PathResult",
    "Readout",
    "Status",
    "VitequivError",
    "__version__",
    "classify",
    "interpolate",
    "jacobian",
    "ldlc",
    "load_encoder",
    "load_image",
    "match",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
