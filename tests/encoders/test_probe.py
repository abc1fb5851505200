"""What the load-time probe refuses, and how it says so."""

from __future__ import annotations

import sys

import pytest
import torch
from torch import nn

from tests.encoders.fakes import SQUARE, Map, good, registry, registry_of
from vitequiv.encoders.base import VisionTower
from vitequiv.encoders.load import load_encoder
from vitequiv.errors import ExitCode, ModelError, UsageError, VitequivError

TABLE = [
    (lambda x: good(x) + torch.rand(()), "determinism"),
    (lambda x: good(nn.functional.dropout(x, training=True)), "determinism"),
    (lambda x: good(x) - 0.5 * good(x).mean(0), "batching"),
    (lambda x: (good(x) - 5).sqrt(), "finite embedding"),
    (lambda x: good(x) / 0, "finite embedding"),
    (lambda x: good(x).round() * 0 + 1, "gradient"),
    (lambda x: good(x.detach()), "gradient"),
    (lambda x: torch.ones(len(x), 4), "gradient"),
    (lambda x: good(x) + 0 * (x - x).abs().pow(0.5).sum((1, 2, 3))[:, None], "gradient"),  # 0 times infinity, backward
    (lambda x: good(x)[0], "shape"),
    (lambda x: x, "shape"),
    (lambda x: (good(x), None), "cannot be run on its own input size"),
    (lambda x: x @ torch.ones(9, 2), "cannot be run on its own input size"),
]


@pytest.mark.parametrize(("function", "check"), TABLE)
def test_refused_with_the_check_named(function, check):
    with pytest.raises(ModelError, match=check) as error:
        load_encoder("fake:x", registry=registry_of(function))
    assert error.value.exit_code == ExitCode.MODEL_UNAVAILABLE == 4
    assert "fake:x" in error.value.message
    assert "\n" not in error.value.message


def test_a_good_one_passes_and_is_frozen():
    tower = VisionTower(nn.Sequential(nn.Conv2d(3, 5, 8), nn.Dropout(0.5), nn.Flatten()), SQUARE)
    encoder = load_encoder("fake:x", registry=registry(lambda checkpoint, readout: tower))
    assert encoder.embedding_dim == 5
    assert not tower.module.training
    assert not any(parameter.requires_grad for parameter in tower.module.parameters())


def raising(error: BaseException):
    def load(checkpoint, readout):
        raise error

    return registry(load)


@pytest.mark.parametrize(
    ("wanted", "families", "options", "kind", "fragment"),
    [
        ("fake", registry_of(good), {}, ModelError, "name one after a colon, as in fake:CHECKPOINT"),
        ("fake:x", registry_of(good), {"readout": "pooler"}, UsageError, "choose from cls, mean"),
        ("fake:x", registry_of(good), {"device": "warp"}, UsageError, "'warp'"),
        ("fake:x", registry_of(good), {"device": "cpu:7"}, UsageError, "no device 'cpu:7'"),
        ("fake:x", raising(RuntimeError("one\ntwo")), {}, ModelError, "fake:x cannot be loaded: one two"),
        ("fake:x", raising(ModelError("My own sentence.")), {}, ModelError, "My own sentence"),
        ("fake:x", registry(lambda c, r: Map(good)), {}, ModelError, "returned a Map in place of a VisionTower"),
        ("fak:x", registry_of(good), {}, ModelError, "did you mean fake"),
        (":x", registry_of(good), {}, ModelError, "NAME or NAME:CHECKPOINT"),
        ("fake:", registry_of(good), {}, ModelError, "NAME or NAME:CHECKPOINT"),
    ],
)
def test_what_load_encoder_refuses(wanted, families, options, kind, fragment):
    with pytest.raises(VitequivError, match=fragment.replace("(", r"\(")) as error:
        load_encoder(wanted, registry=families, **options)
    assert type(error.value) is kind


def test_half_precision_parameters_are_refused():
    with pytest.raises(ValueError, match="float16"):
        load_encoder("fake:x", registry=registry_of(good), dtype=torch.float16)


def test_pixels_of_another_shape_are_refused():
    encoder = load_encoder("fake:x", registry=registry_of(good))
    for shape in [(1, 3, 9, 8), (3, 8, 8), (1, 1, 8, 8)]:
        with pytest.raises(ValueError, match="Pixels must have shape"):
            encoder.embed(torch.zeros(shape))


def leave(x):
    sys.exit("goodbye")


def test_a_plugin_cannot_end_the_process():
    with pytest.raises(ModelError, match=r"fake:x cannot be loaded: its code called sys\.exit\(3\)"):
        load_encoder("fake:x", registry=raising(SystemExit(3)))
    with pytest.raises(ModelError, match=r"its forward called sys\.exit\('goodbye'\)"):
        load_encoder("fake:x", registry=registry_of(leave))


def test_a_plugin_that_leaves_at_one_image_raises_an_ordinary_error():
    encoder = load_encoder("fake:x", registry=registry_of(lambda x: leave(x) if bool((x == 1).all()) else good(x)))
    with pytest.raises(RuntimeError, match=r"its forward called sys\.exit"):
        encoder.embed(torch.ones(1, 3, 8, 8))
