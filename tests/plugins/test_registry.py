"""Plugins: each guarded, each name with one owner, of every kind."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint

import pytest

from vitequiv.encoders.families import EncoderFamily, Readout
from vitequiv.errors import ModelError, UsageError
from vitequiv.plugins.builtin import FAMILIES
from vitequiv.plugins.kinds import DIRECTIONS, ENCODER, KINDS, PATH, SOLVER
from vitequiv.plugins.loading import installed_plugins
from vitequiv.plugins.registry import find, load_registry

TINY = ["tiny-clip", "tiny-beit", "tiny-swin", "tiny-deit", "tiny-vitmae", "tiny-vitmsn"]
BUILTIN = [*TINY, "clip", "beit", "swin", "deit", "vitmae", "vitmsn", "timm", "hf"]

PLUGIN = """
from vitequiv.encoders.families import EncoderFamily, Readout
from vitequiv.geometry.named import NamedDirections
from vitequiv.matching.named import NamedSolver
from vitequiv.paths.named import NamedPath
from vitequiv.plugins.hookspecs import hookimpl

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
    registry = load_registry(ENCODER, [])
    assert list(registry.entries) == BUILTIN == [family.name for family in FAMILIES]
    assert {registered.owner.name for registered in registry.entries.values()} == {"vitequiv"}
    assert not registry.failures


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_every_family_says_where_its_readout_is_from(family):
    assert family.summary.endswith(".")
    assert len(family.source) > 10
    assert (family.default_checkpoint is None) == (family.name in {"timm", "hf"})


def test_a_third_party_family(plugin):
    registry = load_registry(ENCODER, [plugin("mine", "register(family('my-encoder'))")])
    assert list(registry.entries) == [*BUILTIN, "my-encoder"]
    assert registry.entries["my-encoder"].owner.name == "mine"
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
    registry = load_registry(ENCODER, [plugin(name, **options), plugin("mine", "register(family('my-encoder'))")])
    assert list(registry.entries) == [*BUILTIN, "my-encoder"]
    (failure,) = registry.failures
    assert (failure.name, failure.owner) == (name, name)
    assert fragment in failure.error
    assert "\n" not in failure.error
    with pytest.raises(ModelError, match=rf"What failed to load: {name}, "):
        registry.get("zzz")


def test_a_name_of_two_plugins_is_an_error_that_names_both(plugin):
    entries = [plugin(name, "register(family('mine'))") for name in ("first", "second", "third")]
    registry = load_registry(ENCODER, entries)
    with pytest.raises(ModelError, match="claimed by both first and second"):
        registry.get("mine")
    assert {failure.name for failure in registry.failures} == {"second", "third"}
    assert list(registry.entries) == BUILTIN


def test_a_builtin_name_stays_builtin(plugin):
    registry = load_registry(ENCODER, [plugin("thief", "register(family('own')); register(family('beit'))")])
    assert registry.entries["beit"].owner.name == "vitequiv"
    (failure,) = registry.failures
    assert "claimed by both vitequiv and thief" in failure.error


def test_disabling(monkeypatch):
    seen = EntryPoint("mine", "mine", "vitequiv")
    monkeypatch.setattr("vitequiv.plugins.loading.entry_points", lambda group: [seen] if group == "vitequiv" else [])
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
        load_registry(ENCODER, []).get(name)


@pytest.mark.parametrize("bad", [{"name": "Beit"}, {"name": "a b"}, {"name": ""}, {"readouts": ()}])
def test_what_a_family_cannot_be(bad):
    good = {"name": "x", "summary": "", "load": None, "default_checkpoint": None, "readouts": (Readout.CLS,)}
    with pytest.raises(ValueError, match="family"):
        EncoderFamily(**{**good, "source": "", **bad})


OTHERS = {
    SOLVER: (
        "register(NamedSolver({name!r}, 'one of mine', lambda: None))",
        ["nystrom", "polyak", "gd", "adam", "lbfgs"],
    ),
    DIRECTIONS: ("register(NamedDirections({name!r}, 'some of mine', max))", ["singular", "random", "null", "match"]),
    PATH: ("register(NamedPath({name!r}, 'one of mine', max))", ["linear", "matched", "null"]),
}


def code(kind, *names: str, body: str | None = None) -> str:
    """A plugin with one hook; the built-in one takes no part in it."""
    body = body or "; ".join(OTHERS[kind][0].format(name=name) for name in names)
    return PLUGIN.format(body=body).replace("vitequiv_register_encoders", kind.hook)


@pytest.mark.parametrize("kind", OTHERS, ids=lambda kind: kind.word)
def test_the_other_kinds_are_registered_likewise(kind, plugin):
    builtin = OTHERS[kind][1]
    assert list(load_registry(kind, []).entries) == builtin
    registry = load_registry(
        kind, [plugin("mine", code=code(kind, "my-own")), plugin("thief", code=code(kind, builtin[0]))]
    )
    assert list(registry.entries) == [*builtin, "my-own"]
    assert isinstance(registry.get("my-own"), kind.accepts)
    assert registry.find("my-own").owner.name == "mine"
    assert registry.find(builtin[0]).owner.name == "vitequiv"
    (failure,) = registry.failures
    assert "claimed by both vitequiv and thief" in failure.error
    with pytest.raises(UsageError, match=f"no {kind.word} named 'my-owm': did you mean my-own") as unknown:
        registry.get("my-owm")
    assert isinstance(unknown.value, ValueError)  # to the program that gave it
    assert "'vitequiv plugins list'" in unknown.value.message


@pytest.mark.parametrize("kind", OTHERS, ids=lambda kind: kind.word)
def test_a_name_of_two_plugins_belongs_to_neither(kind, plugin):
    registry = load_registry(kind, [plugin(name, code=code(kind, "mine")) for name in ("first", "second")])
    assert "mine" not in registry.entries
    with pytest.raises(UsageError, match="claimed by both first and second"):
        registry.get("mine")


@pytest.mark.parametrize("kind", OTHERS, ids=lambda kind: kind.word)
@pytest.mark.parametrize(
    ("body", "fragment"),
    [
        ("register('gd')", "got str"),
        ("raise RuntimeError('no luck')", "RuntimeError: no luck"),
        ("register({good}); register({good})", "registered twice"),
        ("register(type({good})('Upper Case', '', max))", "lower case"),
        ("register(type({good})('mine', None, max))", "summary"),
        ("register(type({good})('mine', '', None))", "callable"),
    ],
)
def test_a_hook_that_fails_is_listed_and_costs_no_other_kind(kind, body, fragment, plugin):
    good = OTHERS[kind][0].format(name="mine").removeprefix("register(").removesuffix(")")
    text = code(kind, body=body.format(good=good))
    text += "\n@hookimpl\ndef vitequiv_register_encoders(register):\n    register(family('my-encoder'))\n"
    entry = plugin("half", code=text)
    registry = load_registry(kind, [entry])
    assert list(registry.entries) == OTHERS[kind][1]
    (failure,) = registry.failures
    assert (failure.name, failure.owner, failure.kind) == ("half", "half", kind)
    assert fragment in failure.error
    assert "my-encoder" in load_registry(ENCODER, [entry]).entries
    assert not load_registry(ENCODER, [entry]).failures


def test_a_builtin_name_is_found_without_importing_plugins(monkeypatch):
    def refuse(group):
        raise AssertionError("the plugins were looked for")

    monkeypatch.delenv("VITEQUIV_DISABLE_PLUGINS", raising=False)
    monkeypatch.setattr("vitequiv.plugins.loading.entry_points", refuse)
    for kind in KINDS:
        name = next(iter(load_registry(kind, []).entries))
        assert find(kind, name).thing.name == name
    with pytest.raises(AssertionError, match="looked for"):
        find(SOLVER, "mine")
