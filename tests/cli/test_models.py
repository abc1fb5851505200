"""`vitequiv models list|show|check`."""

from __future__ import annotations

import pytest

TINY = ["tiny-beit", "tiny-swin", "tiny-deit", "tiny-vitmae", "tiny-vitmsn"]
FAMILIES = ["tiny-clip", *TINY, "clip", "beit", "swin", "deit", "vitmae", "vitmsn", "timm", "hf"]


def test_list_names_every_family(run):
    done = run("models", "list")
    assert done.code == 0
    for name in FAMILIES:
        assert name in done.out
    assert "(default)" in done.out


def test_list_as_json(run):
    records = run("models", "list", "--format", "json").lines()
    assert [record["name"] for record in records] == FAMILIES
    assert all(record["owner"] == "vitequiv" and record["readouts"] for record in records)


@pytest.mark.parametrize("name", FAMILIES)
def test_show_says_where_the_readout_comes_from(run, name):
    (record,) = run("models", "show", name, "--format", "json").lines()
    assert record["name"] == name
    assert len(record["readout_source"]) > 10


def test_show_of_an_unknown_name(run):
    done = run("models", "show", "swim")
    assert done.code == 4
    assert "did you mean swin" in done.err


def test_check_loads_and_probes(run):
    (record,) = run("models", "check", "tiny-clip", "--format", "json").lines()
    assert record["embedding_dim"] == 128
    assert record["input_size"] == [64, 64]
    assert record["probe"].startswith("passed")


@pytest.mark.parametrize("name", TINY)
def test_check_of_the_tiny_zoo(run, name):
    (record,) = run("models", "check", name, "--format", "json").lines()
    assert record["input_size"] == [64, 64]
    assert record["probe"].startswith("passed")


def test_a_near_miss_of_a_tiny_name(run):
    done = run("models", "show", "tiny-swim")
    assert done.code == 4
    assert "did you mean tiny-swin" in done.err


def plugin(site, name: str, entry: str, code: str) -> None:
    """Install a distribution by hand: a module, and the metadata with its entry point."""
    (site / f"{name}.py").write_text(code)
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[vitequiv]\n{entry} = {name}\n")


GOOD = """
from vitequiv.encoders.families import EncoderFamily, Readout
from vitequiv.plugins.hookspecs import hookimpl

def load(checkpoint, readout):
    raise AssertionError("not loaded by a listing")

@hookimpl
def vitequiv_register_encoders(register):
    register(EncoderFamily("mine", "my own", load, None, (Readout.CLS,), "nowhere but here"))
"""


def test_plugins_good_broken_and_turned_off(installed, tmp_path):
    site = tmp_path / "site"
    site.mkdir()
    plugin(site, "good_plugin", "good", GOOD)
    plugin(site, "broken_plugin", "broken", "raise RuntimeError('no such luck')")
    plugin(site, "misspelt_plugin", "misspelt", GOOD.replace("register_encoders", "register_encodres"))
    environment = {"PYTHONPATH": str(site), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}

    records = installed("models", "list", "--format", "json", env=environment).lines()
    names = [record["name"] for record in records if "name" in record]
    errors = {record["plugin"]: record["error"] for record in records if "plugin" in record}
    assert names == [*FAMILIES, "mine"]
    assert "no such luck" in errors["broken"]
    assert "register_encodres" in errors["misspelt"]

    off = installed("models", "list", "--format", "json", env={**environment, "VITEQUIV_DISABLE_PLUGINS": "1"})
    assert [record["name"] for record in off.lines()] == FAMILIES


BAD_PLUGINS = {
    "no hook": (GOOD.replace("@hookimpl", ""), "implements no hook"),
    "no summary": (GOOD.replace('"my own"', "None"), "summary"),
    "no readout": (GOOD.replace("(Readout.CLS,)", '("cls",)'), "readouts"),
    "nothing to load": (GOOD.replace("load, None", "3, None"), "callable"),
}


def test_malformed_plugins_are_listed_with_what_is_wrong(installed, tmp_path):
    site = tmp_path / "site"
    site.mkdir()
    for i, (name, (code, _)) in enumerate(BAD_PLUGINS.items()):
        plugin(site, f"bad_plugin_{i}", name.replace(" ", "-"), code)
    environment = {"PYTHONPATH": str(site), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = installed("models", "list", "--format", "json", env=environment)
    assert done.code == 0
    errors = {record["plugin"]: record["error"] for record in done.lines() if "plugin" in record}
    assert set(errors) == {name.replace(" ", "-") for name in BAD_PLUGINS}
    for name, (_, words) in BAD_PLUGINS.items():
        assert words in errors[name.replace(" ", "-")]
