"""Configuration files: keys are the names of flags, values have the types of options, tables are verbs."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cli.conftest import CAT, COFFEE
from vitequiv.cli.config import option_types, read_config
from vitequiv.cli.match import match
from vitequiv.errors import UsageError


@pytest.mark.parametrize(
    ("text", "fragments"),
    [
        ('output-format = "json"', ["'output-format'", "did you mean format"]),
        ('quiet = "no"', ["quiet to", "true or false"]),
        ("quiet = 1", ["true or false"]),
        ("overwrite = 0.0", ["true or false"]),
        ('seed = "12"', ["seed to", "a whole number"]),
        ("seed = 1e3", ["a whole number"]),
        ("seed = true", ["a whole number"]),
        ("cosine = true", ["cosine to true", "a number"]),
        ('cosine = "0.9"', ["a number"]),
        ("model = 3", ["model to 3", "a string"]),
        ("device = [1]", ["a string"]),
        ("out = false", ["a string"]),
        ("batch-size = true", ["batch-size to true"]),
        ('target-mean = ["a.png", 3]', ["target-mean to 3", "or a list"]),
        ("[bananas]\nx = 1", ["[bananas]", "is no verb"]),
        ("[mtach]\ncosine = 0.5", ["[mtach]", "did you mean [match]"]),
        ("[match.more]\nx = 1", ["'more'", "no option"]),
        ("paths = ['a']", ["'paths'", "no option"]),
        ("config = 'x'", ["'config'", "no option"]),
        ("'[bold]' = 1", ["'[bold]'"]),
        ("a = " + "[" * 5000, ["not TOML"]),
        ("seed = 1\nseed = 2", ["not TOML"]),
    ],
)
def test_refused(run, tmp_path, text, fragments):
    (tmp_path / "c.toml").write_text(text)
    done = run("match", CAT, COFFEE, "--config", "c.toml")
    assert (done.code, done.out) == (2, "")
    for fragment in ("c.toml", *fragments):
        assert fragment in done.err
    assert done.err.count("\n") == 1


def test_keys_are_the_names_of_flags(run, tmp_path):
    (tmp_path / "c.toml").write_text(
        'format = "json"\nquiet = true\n[match]\nmax_passes = 90\ncosine = 0.7\nlinf = 0.1\n[jacobian]\nk = 3\n'
    )
    done = run("match", CAT, COFFEE, "--config", "c.toml")
    assert (done.code, done.err) == (0, "")
    (record,) = done.lines()
    found = {
        name: (record["settings"][name]["value"], record["settings"][name]["source"]) for name in ("cosine", "linf")
    }
    assert found == {"cosine": (0.7, "config"), "linf": (0.1, "config")}
    assert record["settings"]["max_passes"]["value"] == 90


def test_a_whole_number_is_a_number_and_a_name_may_stand_for_a_list(run, tmp_path):
    (tmp_path / "c.toml").write_text(f"cosine = 1\nmax-passes = 2\ntarget-mean = {json.dumps(str(COFFEE))}\n")
    done = run("match", CAT, "--config", "c.toml", "--format", "json")
    assert done.lines()[0]["settings"]["cosine"]["value"] == 1.0


def test_types_are_read_from_the_verb():
    types = option_types(match)
    assert types["quiet"] == (bool, False)
    assert types["seed"] == (int, False)
    assert types["step_size"] == (float, False)
    assert types["target_mean"] == (str, True)
    assert types["solver"] == (str, False)


OPTIONS = {"quiet": ("quiet", bool, False), "seed": ("seed", int, False), "model": ("model", str, True)}
FUZZ = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])


@settings(FUZZ, max_examples=300)
@given(st.one_of(st.binary(max_size=80), st.text("[]=\"'qseduimo.-\n 1t#{},", max_size=60).map(str.encode)))
def test_any_file_is_read_or_refused_in_a_sentence(tmp_path, content):
    (tmp_path / "c.toml").write_bytes(content)
    try:
        values = read_config(tmp_path / "c.toml", "match", OPTIONS, {"match", "jacobian"})
    except UsageError as error:
        values, message = {}, error.message
    else:
        message = ""
    assert not message or (message.isprintable() and "c.toml" in message)
    assert values.keys() <= {"quiet", "seed", "model"}
    assert isinstance(values.get("quiet", True), bool)
