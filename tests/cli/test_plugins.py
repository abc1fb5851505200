"""`vitequiv plugins list`, and every verb with what an installed distribution adds."""

from __future__ import annotations

import pytest

from tests.cli.conftest import CAT, COFFEE

CODE = """
from dataclasses import dataclass

from vitequiv.geometry.named import NamedDirections
from vitequiv.matching.named import NamedSolver
from vitequiv.matching.solvers.gd import GradientDescent
from vitequiv.paths.named import NamedPath
from vitequiv.plugins.hookspecs import hookimpl

@dataclass(frozen=True)
class Broken(GradientDescent):
    def step(self, state, point, residual):
        raise RuntimeError("no such luck")

def axes(point, count, generator):
    import torch
    return torch.eye(point.matrix.shape[1])[:, :count]

def jump(request):
    yield request.start
    yield request.end

def fail(*arguments):
    raise RuntimeError("no such luck")

@hookimpl
def vitequiv_register_solvers(register):
    register(NamedSolver("mine", "My solver.", lambda: GradientDescent(0.05)))
    register(NamedSolver("broken", "A solver that fails.", Broken))

@hookimpl
def vitequiv_register_directions(register):
    register(NamedDirections("axes", "My directions.", axes))
    register(NamedDirections("broken-axes", "Directions that fail.", fail))

@hookimpl
def vitequiv_register_paths(register):
    register(NamedPath("jump", "My path.", jump))
    register(NamedPath("broken-path", "A path that fails.", fail))
"""


@pytest.fixture
def site(tmp_path, monkeypatch):
    """Install distributions by hand: modules, and the metadata with their entry points."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delenv("VITEQUIV_DISABLE_PLUGINS")

    def install(name: str, code: str = CODE, version: str = "1.0") -> None:
        module = name.replace("-", "_")
        (folder / f"{module}.py").write_text(code)
        info = folder / f"{module}.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[vitequiv]\n{name} = {module}\n")

    return install


ADDED = {
    "mine": "solver",
    "broken": "solver",
    "axes": "group of directions",
    "broken-axes": "group of directions",
    "jump": "path",
    "broken-path": "path",
}


def test_the_list_has_every_kind_with_its_owner(run, site):
    site("my-plugin")
    site("unlucky-plugin", "raise RuntimeError('no such luck')")
    records = run("plugins", "list", "--format", "json").lines()
    named = [record for record in records if "name" in record]
    assert {record["kind"] for record in named} == {"model", "solver", "group of directions", "path"}
    added = {record["name"]: record for record in named if record["owner"] != "vitequiv"}
    assert {name: record["kind"] for name, record in added.items()} == ADDED
    assert {(record["owner"], record["version"]) for record in added.values()} == {("my-plugin", "1.0")}
    (failure,) = [record for record in records if "name" not in record]
    assert failure == {
        "schema": "vitequiv/plugin-failure/1",
        "plugin": "unlucky-plugin",
        "owner": "unlucky-plugin",
        "error": "RuntimeError: no such luck",
    }
    table = run("plugins", "list")
    for word in (*ADDED, "my-plugin 1.0", "My path.", "nystrom", "tiny-clip", "failed"):
        assert word in table.out


PLUGIN = {"owner": "my-plugin", "version": "1.0"}
SOLVER = {"kind": "solver", "name": "mine", **PLUGIN}
QUICK = ("--format", "json", "--quiet")
DIRECTIONS = ("ldlc", CAT, "--epsilon", 0.1, "--count", 2, "--measured", 2, "--along", 0, *QUICK)


def test_match_with_a_solver(run, site):
    site("my-plugin")
    (record,) = run("match", CAT, COFFEE, "--solver", "mine", "--cosine", 0.9, *QUICK).lines()
    assert record["status"] == "converged"
    assert record["environment"]["plugins"] == [SOLVER]
    assert record["settings"]["solver"] == {"value": "mine", "source": "flag"}
    assert record["settings"]["step_size"]["value"] == 0.05
    (same,) = run(
        "match", CAT, COFFEE, "--solver", "gd", "--step-size", 0.05, "--cosine", 0.9, "--out", "gd", *QUICK
    ).lines()
    assert record["result"]["cosine"] == same["result"]["cosine"]
    assert same["environment"]["plugins"] == []


def test_ldlc_with_a_group(run, site):
    site("my-plugin")
    (record,) = run(*DIRECTIONS, "--directions", "axes,singular").lines()
    assert list(record["result"]["groups"]) == ["axes", "singular"]
    assert record["result"]["groups"]["axes"]["measured"]["count"] == 2
    assert record["environment"]["plugins"] == [{"kind": "group of directions", "name": "axes", **PLUGIN}]
    assert record["settings"]["directions"]["value"] == "axes,singular"


def test_its_column_is_in_the_table(run, site):
    site("my-plugin")
    done = run("ldlc", CAT, "--epsilon", 0.1, "--count", 2, "--measured", 2, "--directions", "axes")
    assert "axes" in done.out.splitlines()[0]


def test_interpolate_with_a_path(run, site, tmp_path):
    site("my-plugin")
    (record,) = run("interpolate", CAT, COFFEE, "--path", "jump", "--max-passes", 10, *QUICK).lines()
    assert record["result"]["path"] == "jump"
    assert [point["covered"] for point in record["result"]["points"]] == pytest.approx([0, 1])
    assert record["environment"]["plugins"] == [{"kind": "path", "name": "jump", **PLUGIN}]
    assert {path.name for path in (tmp_path / "vitequiv-out").rglob("*.*")} >= {"curve.png", "strip.png", "path.gif"}


@pytest.mark.parametrize(
    ("arguments", "title"),
    [
        (("match", CAT, COFFEE, "--solver", "broken", *QUICK), "The solver 'broken' of my-plugin"),
        ((*DIRECTIONS, "--directions", "broken-axes"), "The group of directions 'broken-axes' of my-plugin"),
        (("interpolate", CAT, COFFEE, "--path", "broken-path", *QUICK), "The path 'broken-path' of my-plugin"),
    ],
)
def test_one_that_fails_names_its_owner(run, site, arguments, title):
    site("my-plugin")
    done = run(*arguments)
    assert done.code == 3
    (record,) = done.lines()
    assert record["status"] == "failed"
    assert record["message"] == f"{title} failed: RuntimeError: no such luck."


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (("match", CAT, COFFEE, "--solver", "mime"), "no solver named 'mime': did you mean mine?"),
        (("statistics", CAT.parent, "--solver", "mime"), "no solver named 'mime': did you mean mine?"),
        (("interpolate", CAT, COFFEE, "--path", "jumps"), "no path named 'jumps': did you mean jump?"),
        (("ldlc", CAT, "--directions", "random,axis"), "no group of directions named 'axis': did you mean axes"),
        (("interpolate", CAT, COFFEE, "--path", "jump", "--cosine", "0.9"), "--cosine goes with --path matched"),
    ],
)
def test_a_name_that_is_not_there(run, site, arguments, fragment):
    site("my-plugin")
    done = run(*arguments)
    assert done.code == 2
    assert fragment in done.err


def test_a_claimed_name_and_a_broken_plugin_leave_the_rest_alone(run, site):
    site("my-plugin")
    site("your-plugin")
    site("unlucky-plugin", "raise RuntimeError('no such luck')")
    done = run("match", CAT, COFFEE, "--solver", "mine")
    assert done.code == 2
    assert "claimed by both my-plugin and your-plugin" in done.err
    assert run("match", CAT, COFFEE, "--cosine", 0.5, *QUICK).lines()[0]["status"] == "converged"


def test_resuming_with_another_version_or_owner(run, site, tmp_path):
    site("my-plugin")
    command = ("match", CAT, COFFEE, "--solver", "mine", "--cosine", 0.9)
    assert run(*command).code == 0
    site("my-plugin", version="1.1")
    done = run(*command, "--resume")
    assert done.code == 0
    assert "the solver mine of my-plugin 1.0 -> 1.1: results may differ from those that are kept" in " ".join(
        done.err.split()
    )
    for file in (tmp_path / "site").glob("my_plugin.dist-info/*"):
        file.unlink()
    site("your-plugin", CODE)
    done = run(*command, "--resume")
    assert done.code == 2
    assert "the solver mine: of my-plugin -> of your-plugin" in " ".join(done.err.split())


def test_completion(run, site):
    from vitequiv.cli.completion import direction_names, path_names, solver_names

    site("my-plugin")
    assert solver_names("mi") == [("mine", "My solver.")]
    assert path_names("j") == [("jump", "My path.")]
    assert direction_names("random,ax") == [("random,axes", "My directions.")]
    assert {name for name, _ in direction_names("")} >= {"singular", "axes"}


def test_a_configuration_file_may_name_it(run, site, tmp_path):
    site("my-plugin")
    (tmp_path / "vitequiv.toml").write_text('[match]\nsolver = "mine"\ncosine = 0.9\n')
    (record,) = run("match", CAT, COFFEE, "--config", "vitequiv.toml", *QUICK).lines()
    assert record["settings"]["solver"] == {"value": "mine", "source": "config"}
