"""What settings mean, however they are spelled: the same file by two paths, the same device by two names."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitequiv.encoders.spec import parse_spec
from vitequiv.errors import VitequivError
from vitequiv.paths.defaults import DEFAULT_NULL_STEPS, DEFAULT_STEPS
from vitequiv.results.names import Directions, PathKind, Reference
from vitequiv.runs.target_choice import parse_embedding
from vitequiv.runs.worklist.finding import STDIN

FILES = frozenset({"to", "target_mean", "target", "compare", "match", "labels_file", "prototypes"})
"""Settings that name files or folders, or patterns of them."""


@dataclass(frozen=True)
class Made:
    """What a run made of settings that leave something open; None for what is not known.

    Args:
        device: Where it computed.
        readout: The model's readout.
    """

    device: str | None = None
    readout: str | None = None


def same_meaning(name: str, then: Mapping[str, Any], made: Made, now: Mapping[str, Any], makes: Made) -> bool:
    """Whether a setting means the same in two runs.

    Args:
        name: The setting.
        then: All settings of the one, of plain JSON types.
        made: What that run made of them.
        now: All settings of the other.
        makes: What that makes of them.

    Returns:
        Whether it does: `auto` that was `cpu` is `cpu`, a default is the same value given, a file is itself by any path
        from here.
    """
    if then.get(name) == now.get(name):
        return True
    return bool(_meaning(name, then, made) == _meaning(name, now, makes))


def meanings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings in one spelling each, but for the device and the readout, which depend on the machine and the model.

    Args:
        settings: Values by name, of plain JSON types.

    Returns:
        What means the same is the same.
    """
    open_ones = {"device", "readout"}
    return {name: _meaning(name, settings, Made()) for name in settings if name not in open_ones}


def same_model(spec: str | None, other: str) -> bool:
    """Whether two specs name one checkpoint.

    Args:
        spec: The one, as a record has it.
        other: The other.

    Returns:
        Whether the families are the same, and the checkpoints are one directory or file, or one name.
    """
    return spec is not None and (spec == other or _model(spec) == _model(other))


def as_before(models: Sequence[str], before: object) -> list[str]:
    """Specs as an earlier run spelled them, for its folders are named by them.

    Args:
        models: The specs now.
        before: The setting of that run.

    Returns:
        As many, each in the earlier spelling if there is one.
    """
    known = [spec for spec in before if isinstance(spec, str)] if isinstance(before, list | tuple) else []
    return [spec if spec in known else next((old for old in known if same_model(old, spec)), spec) for spec in models]


def _meaning(name: str, settings: Mapping[str, Any], made: Made) -> Any:
    value = settings.get(name)
    if name == "device":
        device = str(made.device or value)
        return "cuda:0" if device == "cuda" else device
    if name == "readout":
        return made.readout or value
    if name == "model":
        return [_model(spec) for spec in (value if isinstance(value, list) else [value])]
    if name in FILES:
        return [_file(name, one) for one in (value if isinstance(value, list) else [value])]
    if name == "target_embedding" and isinstance(value, str):
        found = parse_embedding(value)
        return found and [_file(name, str(found.path)), found.tensor]
    if name == "labels" and isinstance(value, str):
        return [label.strip() for label in value.split(",") if label.strip()]
    if name == "directions" and isinstance(value, str):
        groups = [group.strip() for group in value.split(",") if group.strip()]
        return list(dict.fromkeys([*groups, *([Directions.MATCH.value] if settings.get("target") else [])]))
    if name == "sweep":
        return bool(value) or settings.get("epsilon") is None  # without an epsilon there is always one
    if name == "steps" and value is None:
        return DEFAULT_NULL_STEPS if settings.get("path") == PathKind.NULL else DEFAULT_STEPS
    if name == "step_size" and value is None:
        return _step_size(settings.get("solver"))
    return value


def _model(spec: Any) -> Any:
    """A family and a checkpoint: its default if there is none, and where a directory or a file is."""
    if not isinstance(spec, str):
        return spec
    try:
        parsed = parse_spec(spec)
    except VitequivError:
        return spec
    checkpoint = parsed.checkpoint
    if checkpoint is None:
        from vitequiv.plugins.kinds import ENCODER
        from vitequiv.plugins.registry import find

        with suppress(VitequivError):  # a plugin that is gone
            checkpoint = find(ENCODER, parsed.name).thing.default_checkpoint
    if checkpoint is None:
        return parsed.name, None
    local, colon, path = checkpoint.rpartition("local-dir:")
    with suppress(OSError, ValueError, RuntimeError):
        place = Path(path).expanduser()
        if place.exists():
            return parsed.name, local + colon + os.path.realpath(place)
    return parsed.name, checkpoint


def _file(name: str, value: Any) -> Any:
    """Where a path leads from here; words that an option takes in place of a path stay themselves."""
    if not isinstance(value, str) or value == STDIN or (name == "match" and value in set(Reference)):
        return value
    try:
        return Path(os.path.realpath(value))
    except (OSError, ValueError):
        return value


def _step_size(solver: Any) -> float | None:
    """What a solver takes where no step size is given."""
    from vitequiv.matching.guarded import step_size_of
    from vitequiv.matching.solvers import make_solver

    try:
        return step_size_of(make_solver(str(solver)))
    except VitequivError:
        return None
