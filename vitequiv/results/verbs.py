"""The verbs that write envelopes: what goes in, which files come out, and what their result is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vitequiv.results import artifacts
from vitequiv.results.classify_record import ClassifyRecord
from vitequiv.results.interpolate import PathRecord
from vitequiv.results.jacobian import JacobianRecord
from vitequiv.results.ldlc_record import LdlcRecord
from vitequiv.results.match import MatchRecord
from vitequiv.results.statistics_record import StatisticsRecord


@dataclass(frozen=True)
class Verb:
    """A verb that writes envelopes.

    Args:
        roles: What its inputs can be used as.
        files: The keys of `artifacts`, and the names.
        result: Its own part.
    """

    roles: tuple[str, ...]
    files: Mapping[str, str]
    result: type


VERBS: Mapping[str, Verb] = {
    "match": Verb(("source", "target"), artifacts.MATCH, MatchRecord),
    "jacobian": Verb(("image", "compare"), artifacts.JACOBIAN, JacobianRecord),
    "ldlc": Verb(("image", "target", "match"), artifacts.LDLC, LdlcRecord),
    "interpolate": Verb(("start", "end", "match"), artifacts.INTERPOLATE, PathRecord),
    "classify": Verb(
        ("image", "source", "target", "matched", "prototype", "labels"), artifacts.CLASSIFY, ClassifyRecord
    ),
    "statistics": Verb(("image", "prototype", "labels"), artifacts.STATISTICS, StatisticsRecord),
}
