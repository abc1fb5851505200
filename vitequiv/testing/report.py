"""How a check ends, and what is said of all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from vitequiv.errors import PluginError
from vitequiv.testing.subject import CheckError, InapplicableError


@dataclass(frozen=True)
class Failure:
    """A check that failed.

    Args:
        name: The check.
        found: What was measured.
        fix: What to change.
    """

    name: str
    found: str
    fix: str


class ConformanceError(AssertionError):
    """A plugin's thing does not do what vitequiv relies on.

    Args:
        spec: The encoder's spec, or the name of a solver, a group of directions or a path.
        failures: Each check that failed.
        count: How many were run.
        word: What it is.
    """

    def __init__(self, spec: str, failures: tuple[Failure, ...], count: int, word: str = "encoder") -> None:
        lines = [f"  {failure.name}: {failure.found}.\n    Fix: {failure.fix}." for failure in failures]
        super().__init__("\n".join([f"The {word} {spec} failed {len(failures)} of {count} checks:", *lines]))
        self.spec = spec
        self.failures = failures

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the checks that failed."""
        return tuple(failure.name for failure in self.failures)


@dataclass(frozen=True)
class Report:
    """What passed.

    Args:
        spec: The encoder's spec, or the name of a solver, a group of directions or a path.
        passed: The checks that passed.
        not_applicable: Those that were not for this thing or machine, with the reason.
    """

    spec: str
    passed: tuple[str, ...]
    not_applicable: Mapping[str, str]


def outcome(name: str, check: Callable[[], None]) -> Failure | str | None:
    """Run a check.

    Args:
        name: Its name.
        check: What measures.

    Returns:
        The failure; or why it does not apply; or None if it passed.
    """
    try:
        check()
    except CheckError as failed:
        return Failure(name, failed.found, failed.fix)
    except InapplicableError as reason:
        return str(reason)
    except PluginError as error:  # the contract that every run holds a plugin to
        return Failure(name, error.message.rstrip("."), "do what it promised; see docs/how-to/write-a-plugin.md")
    except Exception as error:  # whatever a plugin raises is a failed check of that name
        text = " ".join(str(error).split()).rstrip(".")
        return Failure(name, f"{type(error).__name__}: {text}", _advice(name))
    return None


_SHAPES = {
    "head": "a ClassificationHead's module takes normalised images (B, 3, H, W) and returns logits (B, C)",
    "text": "a TextTower's module takes what its tokenize returns and gives (N, n)",
    "preprocessing": "a processor takes an RGB image and returns normalised pixels (3, H, W)",
}


def _advice(name: str) -> str:
    return (
        f"the check must run without an exception: {_SHAPES[name]}"
        if name in _SHAPES
        else ("the check must run without an exception")
    )


def report(spec: str, outcomes: Mapping[str, Failure | str | None], word: str = "encoder") -> Report:
    """Sum up.

    Args:
        spec: What was checked.
        outcomes: By check, from `outcome`.
        word: What it is.

    Returns:
        What passed and what was not applicable.

    Raises:
        ConformanceError: If a check failed; it names each, with what was measured and what to change.
    """
    failures = tuple(found for found in outcomes.values() if isinstance(found, Failure))
    if failures:
        raise ConformanceError(spec, failures, len(outcomes), word)
    return Report(
        spec,
        tuple(name for name, found in outcomes.items() if found is None),
        {name: found for name, found in outcomes.items() if isinstance(found, str)},
    )
