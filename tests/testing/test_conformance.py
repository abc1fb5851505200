"""The suite passes for every family, and what it needs no encoder for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from tests.checkpoints import FAMILIES
from vitequiv import load_encoder
from vitequiv.errors import ModelError
from vitequiv.testing import CHECKS, Report, check_encoder, registry_of

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "testing.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["tiny-swin", *FAMILIES, "clip-resnet", "timm-oblong"])
def test_every_family_conforms(name, checkpoints):
    encoder = load_encoder(checkpoints.get(name, name))
    report = check_encoder(encoder)
    assert ("text" in report.passed) == (encoder.tower.text is not None)
    assert ("head" in report.passed) == (encoder.tower.head is not None)
    assert {"gradient", "reload", "dtypes", "crosstalk"} <= set(report.passed)


@pytest.mark.parametrize("options", [{"dtype": torch.float64}, {"dtype": torch.bfloat16}, {"readout": "mean"}])
def test_in_other_precisions_and_readouts(options):
    report = check_encoder(load_encoder("tiny-beit", **options))
    assert {"gradient", "reload", "dtypes"} <= set(report.passed)


def test_the_reference_page(capsys):
    """Its example, by spec, runs; its table has every check."""
    (example,) = re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    names: dict[str, Report] = {}
    exec(example, names)
    assert names["report"].spec == "tiny-clip"
    assert {"text", "gradient", "reload", "dtypes"} <= set(names["report"].passed)
    assert str(names["report"].passed) in capsys.readouterr().out
    rows = re.findall(r"^\| `(\w+)` \|", PAGE.partition("| check |")[2], flags=re.MULTILINE)
    assert rows == [check.name for check in CHECKS]


def test_a_spec_that_is_not_there():
    with pytest.raises(ModelError, match="no model named"):
        check_encoder("tiny-nothing")


def test_a_plugin_that_does_not_load_is_named(tmp_path, monkeypatch):
    (tmp_path / "broken_plugin.py").write_text("import nothing_of_that_name")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(AssertionError, match="broken_plugin: ModuleNotFoundError: No module named 'nothing_of_that_"):
        registry_of("broken_plugin")
