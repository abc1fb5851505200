"""Each fault fails the checks that are about it, and no others."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from tests.testing.broken import FAULTS, SOUND, SQUARE
from vitequiv.images.preprocessing import preprocess_uint8
from vitequiv.testing import CHECKS, ConformanceError, check_encoder


def test_without_a_fault_all_pass():
    report = check_encoder(SOUND.load(), reload=SOUND.load)
    assert set(report.passed) | set(report.not_applicable) == {check.name for check in CHECKS}
    assert set(report.not_applicable) <= {"preprocessing", "devices"}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named(name):
    fault = FAULTS[name]
    with pytest.raises(ConformanceError) as error:
        check_encoder(fault.load(), reload=fault.load)
    assert set(error.value.names) == fault.names
    message = str(error.value)
    assert message.startswith(f"The encoder fake:x failed {len(fault.names)} of {len(CHECKS)} checks:\n")
    assert message.count("Fix: ") == len(fault.names)
    assert ".." not in message.replace("0..255", "")


def test_every_check_fails_for_some_fault():
    """A check that nothing fails would say nothing; `preprocessing` is below, `devices` needs an accelerator."""
    failing = set().union(*(fault.names for fault in FAULTS.values()))
    assert failing == {check.name for check in CHECKS} - {"preprocessing", "devices"}


@pytest.mark.parametrize("name", ["detached"])
@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_one_by_one_as_all_at_once(name, check):
    fault = FAULTS[name]
    if check.name in fault.names:
        with pytest.raises(ConformanceError, match=check.name) as error:
            check(fault.load(), reload=fault.load)
        assert error.value.names == (check.name,)
    else:
        check(fault.load(), reload=fault.load)


def official(image):
    levels = preprocess_uint8(SQUARE, image).transpose(2, 0, 1) / 255
    return (levels - 0.5) / 0.5


OFFICIALS = {
    "right": (official, set()),
    "flipped": (lambda image: official(image)[:, ::-1], {"preprocessing"}),
    "half a level off": (lambda image: official(image) + 2 * 0.5 / 255, {"preprocessing"}),
    "not normalised": (lambda image: official(image) * 0.5 + 0.5, {"preprocessing"}),
    "another size": (lambda image: np.zeros((3, 9, 8)), {"preprocessing"}),
    "failing": (lambda image: image.nonsense, {"preprocessing"}),
}


@pytest.mark.parametrize("name", OFFICIALS)
def test_the_official_processor(name):
    processor, names = OFFICIALS[name]
    found: set[str] = set()
    try:
        report = check_encoder(SOUND.load(), reload=SOUND.load, official=processor)
        assert "preprocessing" in report.passed
    except ConformanceError as error:
        found = set(error.names)
    assert found == names


def test_an_accelerator_that_does_not_work(monkeypatch):
    """This machine may have none; the check must not pass where one is claimed and is not there."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    (devices,) = (check for check in CHECKS if check.name == "devices")

    def reload(*, device="cpu", dtype=torch.float32):
        if str(device) == "cuda":
            raise RuntimeError("no such device here.")
        return SOUND.load(device=device, dtype=dtype)

    with pytest.raises(ConformanceError, match=r"devices: RuntimeError: no such device here\.\n"):
        devices(SOUND.load(), reload=reload)


def test_an_encoder_that_ignores_its_device(monkeypatch):
    """With the CPU in the part of the accelerator, an encoder whose embeddings come out elsewhere."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    monkeypatch.setattr(torch.Tensor, "to", lambda tensor, *_, **__: tensor)
    (devices,) = (check for check in CHECKS if check.name == "devices")
    loaded = SOUND.load()
    with pytest.raises(ConformanceError, match="on cuda the embedding is on cpu"):
        devices(loaded, reload=lambda **_: loaded)


def test_numbers_and_fix_are_in_the_message():
    with pytest.raises(ConformanceError) as error:
        check_encoder(FAULTS["the batch's mean"].load(), reload=FAULTS["the batch's mean"].load)
    (batching, crosstalk) = error.value.failures
    assert "differ by 0." in batching.found
    assert "at most 0.001 is rounding" in batching.found
    assert "no statistics over the batch" in batching.fix
    assert "on the second image" in crosstalk.found


def test_nothing_is_warned_of():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_encoder(SOUND.load(), reload=SOUND.load)
