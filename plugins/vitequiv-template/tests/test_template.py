"""The encoder against scipy's transform, and vitequiv's conformance suite."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from scipy.fft import dctn
from vitequiv_template.network import LUMA

from vitequiv import jacobian, load_encoder
from vitequiv.errors import ModelError
from vitequiv.testing import CHECKS, check_encoder, registry_of

# Installed or not: the module's name stands for its entry point.
load = partial(load_encoder, "phash", registry=registry_of("vitequiv_template.plugin"))


@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_conformance(check):
    check(load(), reload=load)


def test_conformance_at_once():
    report = check_encoder(load(), reload=load)
    assert set(report.not_applicable) <= {"preprocessing", "devices", "text", "head"}


def test_it_is_the_transform_of_scipy():
    encoder = load(dtype=torch.float64)
    pixels = np.random.default_rng(0).random((2, 3, 32, 32))
    grey = np.tensordot(LUMA, pixels, axes=(0, 1))
    expected = dctn(grey, type=2, norm="ortho", axes=(1, 2))[:, 1:9, 1:9].reshape(2, 64)
    # The cosines are kept in float32, 6e-8 of their size off.
    assert np.abs(encoder.embed(torch.from_numpy(pixels)).numpy() - expected).max() < 1e-6


def test_its_jacobian_is_known():
    """The rows are orthogonal and all as long as the vector of luma: every singular value is the same."""
    encoder = load(dtype=torch.float64)
    (result,) = jacobian(encoder, torch.full((1, 3, 32, 32), 0.5, dtype=torch.float64))
    assert np.asarray(result.singular_values) == pytest.approx(np.linalg.norm(LUMA), rel=1e-6)


@pytest.mark.parametrize("checkpoint", ["0", "32", "eight", "-1", "8.0"])
def test_other_checkpoints_are_refused_in_one_sentence(checkpoint):
    with pytest.raises(ModelError, match="phash:N with N from 1 to 31"):
        load_encoder(f"phash:{checkpoint}", registry=registry_of("vitequiv_template.plugin"))
