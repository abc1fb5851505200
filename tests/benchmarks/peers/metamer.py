"""plenoptic's `Metamer`: an image with the target's representation, here started from the source, not from noise.

Its loss is the mean squared difference of the embeddings, and a penalty keeps the pixels near the box, not in it. Its
stopping rule is switched off. Its own optimiser is Adam with amsgrad at learning rate 0.01.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import warnings
from typing import Any

import torch

from tests.benchmarks.peers.feature_adversaries import STRONG_WOLFE
from tests.benchmarks.peers.methods import Attack, Method, Module, Setting
from tests.benchmarks.peers.recorder import Recorder


def method() -> Method:
    return Method(
        "plenoptic Metamer",
        (
            Setting("Adam (amsgrad), lr 0.01, its default", _attack(None, {"lr": 1e-2})),
            Setting("Adam (amsgrad), lr 0.002", _attack(None, {"lr": 2e-3})),
            Setting("Adam (amsgrad), lr 0.0005", _attack(None, {"lr": 5e-4})),
            Setting("LBFGS, strong Wolfe", _attack(torch.optim.LBFGS, {"lr": 1.0, **STRONG_WOLFE})),
        ),
        package="plenoptic",
        module="plenoptic",
    )


def _attack(optimizer: type[torch.optim.Optimizer] | None, optimizer_kwargs: dict[str, Any]) -> Attack:
    def attack(recorder: Recorder) -> None:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):  # its bar cannot be switched off
            warnings.simplefilter("ignore")
            metamer = importlib.import_module("plenoptic").Metamer(recorder.target, Module(recorder).eval())
            metamer.setup(recorder.source, optimizer, dict(optimizer_kwargs))
            recorder.start()
            metamer.synthesize(max_iter=recorder.max_passes, stop_criterion=0.0)

    return attack
