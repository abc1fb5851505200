"""The checks of solvers, directions and paths pass for what is sound, and each fails for some fault."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from vitequiv.geometry.named import NamedDirections
from vitequiv.matching.named import NamedSolver
from vitequiv.matching.names import SolverName
from vitequiv.matching.solvers import GradientDescent
from vitequiv.paths.named import NamedPath
from vitequiv.testing import ConformanceError, check_directions, check_path, check_solver


@pytest.mark.parametrize("name", list(SolverName))
def test_the_builtin_solvers_conform(name):
    report = check_solver(name)
    assert (report.spec, report.not_applicable) == (name, {})
    assert {"independence", "budget", "determinism", "progress"} <= set(report.passed)


@pytest.mark.parametrize("name", ["singular", "random", "null", "match"])
def test_the_builtin_directions_conform(name):
    report = check_directions(name)
    assert ("seed" in report.passed) == (name in {"random", "null"})
    assert {"shape", "length", "rank"} <= set(report.passed)


def test_the_builtin_paths_are_not_for_it():
    with pytest.raises(ValueError, match="built in"):
        check_path("linear")


@dataclass(frozen=True)
class Faulty(GradientDescent):
    """Gradient descent with a fault in its step."""

    fault: str = ""

    def step(self, state, point, residual):
        gradient = point.pullback(residual)
        size = self.step_size
        if self.fault == "shape":
            return (point.pixels - size * gradient).flatten(1), state
        if self.fault == "in place":
            return point.pixels.sub_(size * gradient), state
        if self.fault == "random":
            return point.pixels - size * torch.rand(()) * gradient, state
        if self.fault == "over the batch":
            return point.pixels - 0.1 * gradient / gradient.norm(), state
        if self.fault == "twice":
            return point.pixels - size * (gradient + point.pullback(residual)) / 2, state
        if self.fault == "by the norm":
            return point.pixels - 0.01 * gradient / gradient.flatten(1).norm(dim=1)[:, None, None, None], state
        if self.fault == "uphill":
            return point.pixels + size * gradient, state
        if self.fault == "rounding":
            return point.pixels - size * gradient.sign() * (point.pixels * 1e9 % 1), state
        return point.pixels - size * gradient, state


class Changing:
    """No dataclass, and no frozen one."""

    step_size = 1e-3
    init, step = GradientDescent.init, GradientDescent.step


SOLVERS = {
    "shape": {"shape", "inputs", "determinism", "independence", "budget", "precision", "finite", "progress"},
    "in place": {"inputs", "progress"},
    "random": {"determinism", "independence"},
    "over the batch": {"independence", "finite"},
    "twice": {"budget"},
    "by the norm": {"finite"},
    "uphill": {"progress"},
    "rounding": {"precision"},
}


def failed(check, thing) -> set[str]:
    with pytest.raises(ConformanceError) as error:
        check(thing)
    message = str(error.value)
    assert message.count("Fix: ") == len(error.value.names)
    assert ".." not in message
    return set(error.value.names)


def test_without_a_fault_it_passes():
    assert set(check_solver(Faulty()).passed) == {"settings"}.union(*SOLVERS.values())


@pytest.mark.parametrize("fault", SOLVERS)
def test_a_faulty_solver(fault):
    names = failed(check_solver, NamedSolver("mine", "", lambda: Faulty(fault=fault)))
    assert SOLVERS[fault] <= names
    assert fault == "random" or names <= SOLVERS[fault] | {"precision"}


@pytest.mark.parametrize("solver", [Changing(), Faulty(step_size=-1.0)])
def test_faulty_settings(solver):
    assert "settings" in failed(check_solver, solver)


def unit(vectors: Tensor) -> Tensor:
    return vectors / vectors.norm(dim=0)


def sample(point, count, generator):
    return unit(torch.randn(point.matrix.shape[1], count, generator=generator))


def in_place(point, count, generator):
    point.matrix.mul_(2)
    return sample(point, count, generator)


def the_sixth(point, count, generator):
    return point.spectrum.right[:, 5:6]


DIRECTIONS = {
    "rows": (
        lambda point, count, generator: sample(point, count, generator).T,
        {"shape", "length", "precision", "rank"},
    ),
    "always one": (lambda point, count, generator: sample(point, 1, generator), {"shape", "precision", "rank"}),
    "long": (lambda point, count, generator: 2 * sample(point, count, generator), {"length", "precision", "rank"}),
    "in place": (in_place, {"inputs"}),
    "global": (lambda point, count, generator: sample(point, count, None), {"determinism"}),
    "no sample": (lambda point, count, generator: torch.eye(point.matrix.shape[1])[:, :count], {"seed"}),
    "double": (
        lambda point, count, generator: unit(point.matrix.T @ torch.randn(6, count, generator=generator).double()),
        {"precision"},
    ),
}


def test_sound_directions():
    assert len(check_directions(NamedDirections("mine", "", sample)).passed) == 7


@pytest.mark.parametrize("fault", DIRECTIONS)
def test_faulty_directions(fault):
    draw, names = DIRECTIONS[fault]
    found = failed(check_directions, NamedDirections("mine", "", draw))
    assert names <= found
    assert found <= names | {"seed", "determinism"}


def test_directions_that_take_full_rank_for_granted():
    assert failed(check_directions, NamedDirections("mine", "", the_sixth, sampled=False)) >= {"rank"}


def wipe(request):
    for i in range(request.steps):
        x = request.start.clone()
        edge = round(i / (request.steps - 1) * x.shape[-1])
        x[..., :edge] = request.end[..., :edge]
        yield x


def overshoot(request):
    for i in range(request.steps):
        t = i / (request.steps - 1)
        yield request.start + (t + 2 * t * (1 - t)) * (request.end - request.start)


def swallow(request):
    yield request.start
    try:
        request.embed(request.end[None])
    except Exception:  # the mistake
        return
    yield request.end


def without_the_end(request):
    yield from list(wipe(request))[:-1] if request.steps > 2 else wipe(request)


def at_random(request):
    yield request.start
    yield torch.rand_like(request.start)
    yield request.end


def into_start(request):
    yield request.start
    request.start.mul_(0.5)
    yield request.end


ZERO = torch.zeros(192, dtype=torch.float64)

PATHS = {
    "overshoot": (overshoot, {"box"}),
    "swallow": (swallow, {"budget"}),
    "without the end": (without_the_end, {"ends", "box", "inputs", "determinism", "precision"}),
    "at random": (at_random, {"determinism", "ends"}),  # three points where two were asked for
    "into start": (into_start, {"inputs"}),
    "float64 alone": (
        lambda request: iter([request.start, request.end + 0 * (request.end.flatten() @ ZERO)]),
        {"precision"},
    ),
    "endless": (lambda request: iter(lambda: request.start, None), {"ends", "box", "inputs", "determinism"}),
}


def test_a_sound_path():
    report = check_path(NamedPath("mine", "", wipe))
    assert report.passed == ("ends", "box", "inputs", "determinism", "budget", "precision")


@pytest.mark.parametrize("fault", PATHS)
def test_a_faulty_path(fault):
    points, names = PATHS[fault]
    assert failed(check_path, NamedPath("mine", "", points)) >= names


def test_a_path_that_does_not_arrive_may_say_so():
    short = NamedPath("mine", "", without_the_end)
    assert "ends" in failed(check_path, short)
    assert "ends" in check_path(replace(short, arrives=False)).passed
