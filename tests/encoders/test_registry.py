"""Plugins: each guarded, each name with one owner."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint

import pytest

from vitequiv.encoders.builtin import FAMILIES
from vitequiv.encoders.families import EncoderFamily, Readout
from vitequiv.encoders.plugins import installed_plugins
from vitequiv.encoders.registry import load_registry
from vitequiv.errors import ModelError

TINY = ["tiny-clip", "tiny-beit", "tiny-swin", "tiny-deit", "tiny-vitmae", "tiny-vitmsn"]
BUILTIN = [*TINY, "clip", "beit", "swin", "deit", "vitmae", "vitmsn", "timm", "hf"]

PLUGIN = """
from vitequiv.encoders.families import EncoderFamily, Readout
from vitequiv.encoders.hookspecs import hookimpl

def family(name):
    return EncoderFamily(name, "a plugin's", lambda checkpoint, readout: None, None, (Readout.CLS,), "nowhere")

@hookimpl
def vitequiv_register_encoders(register):
    {body}
"""


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """Write a plugin module and return its entry point."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(name: str, body: str = "", code: str | None = None) -> EntryPoint:
        (tmp_path / f"{name}.py").write_text(code if code is not None else PLUGIN.format(body=body))
        monkeypatch.delitem(sys.modules, name, raising=False)
        return EntryPoint(name=name, value=name, group="vitequiv")

    return write


def test_builtin_families_are_first_and_complete():
    registry = load_registry([])
    assert list(registry.families) == BUILTIN == [family.name for family in FAMILIES]
    assert {registered.owner for registered in registry.families.values()} == {"vitequiv"}
    assert not registry.failures


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_every_family_says_where_its_readout_is_from(family):
    assert family.summary.endswith(".")
    assert len(family.source) > 10
    assert (family.default_checkpoint is None) == (family.name in {"timm", "hf"})


def test_a_third_party_family(plugin):
    registry = load_registry([plugin("mine", "register(family('my-encoder'))")])
    assert list(registry.families) == [*BUILTIN, "my-encoder"]
    assert registry.families["my-encoder"].owner == "mine"
    assert registry.get("my-encoder").readouts == (Readout.CLS,)


BROKEN = {
    "broken_import": ({"code": "import no_such_module_anywhere"}, "No module named 'no_such_module_anywhere'"),
    "broken_exit": ({"code": "raise SystemExit(3)"}, "SystemExit"),
    "broken_syntax": ({"code": "def ("}, "SyntaxError"),
    "broken_hook": ({"body": "raise RuntimeError('no luck')"}, "RuntimeError: no luck"),
    "broken_family": ({"body": "register('beit')"}, "got str"),
    "broken_name": ({"body": "register(family('My Encoder'))"}, "lower case"),
    "broken_twice": ({"body": "register(family('one')); register(family('one'))"}, "registered twice"),
    "broken_partial": ({"body": "register(family('half')); raise ValueError('then this')"}, "then this"),
    "misspelt": ({"code": PLUGIN.format(body="pass").replace("_encoders(", "_encodres(")}, "encodres"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_plugin_is_listed_and_harmless(name, plugin):
    options, fragment = BROKEN[name]
    registry = load_registry([plugin(name, **options), plugin("mine", "register(family('my-encoder'))")])
    assert list(registry.families) == [*BUILTIN, "my-encoder"]
    (failure,) = registry.failures
    assert (failure.name, failure.owner) == (name, name)
    assert fragment in failure.error
    assert "\n" not in failure.error
    with pytest.raises(ModelError, match=rf"plugins failed to load: {name}"):
        registry.get("zzz")


def test_a_name_of_two_plugins_is_an_error_that_names_both(plugin):
    entries = [plugin(name, "register(family('mine'))") for name in ("first", "second", "third")]
    registry = load_registry(entries)
    with pytest.raises(ModelError, match="claimed by both first and second"):
        registry.get("mine")
    assert {failure.name for failure in registry.failures} == {"second", "third"}
    assert list(registry.families) == BUILTIN


def test_a_builtin_name_stays_builtin(plugin):
    registry = load_registry([plugin("thief", "register(family('own')); register(family('beit'))")])
    assert registry.families["beit"].owner == "vitequiv"
    (failure,) = registry.failures
    assert "claimed by both vitequiv and thief" in failure.error


def test_disabling(monkeypatch):
    seen = EntryPoint("mine", "mine", "vitequiv")
    monkeypatch.setattr("vitequiv.encoders.plugins.entry_points", lambda group: [seen] if group == "vitequiv" else [])
    for value, expected in [("1", []), ("yes", []), ("0", [seen]), ("", [seen])]:
        monkeypatch.setenv("VITEQUIV_DISABLE_PLUGINS", value)
        assert installed_plugins() == expected
    monkeypatch.delenv("VITEQUIV_DISABLE_PLUGINS")
    assert installed_plugins() == [seen]


@pytest.mark.parametrize(
    ("name", "fragment"),
    [
        ("biet", "did you mean beit"),
        ("clipp", "did you mean clip"),
        ("swim", "did you mean swin"),
        ("resnet50", "known are"),
    ],
)
def test_unknown_names(name, fragment):
    with pytest.raises(ModelError, match=fragment):
        load_registry([]).get(name)


@pytest.mark.parametrize("bad", [{"name": "Beit"}, {"name": "a b"}, {"name": ""}, {"readouts": ()}])
def test_what_a_family_cannot_be(bad):
    good = {"name": "x", "summary": "", "load": None, "default_checkpoint": None, "readouts": (Readout.CLS,)}
    with pytest.raises(ValueError, match="family"):
        EncoderFamily(**{**good, "source": "", **bad})
