"""`FeatureAdversariesPyTorch` of the Adversarial Robustness Toolbox (Sabour et al., arXiv 1511.05122).

Its loss is the squared distance of the embeddings. Its ball is made so wide (delta 1) that only the box binds. It
embeds the target again at every evaluation, so an evaluation costs it 3 passes, not 2: they are counted, for it makes
them. With SGD it takes the same steps as `gd`, and without an optimiser the same as foolbox without eps.
Its default optimiser is descent along the gradient's sign; the others are those of `torch.optim`.
"""

from __future__ import annotations

import importlib
from typing import Any

import torch

from tests.benchmarks.peers.methods import Attack, Method, Module, Setting
from tests.benchmarks.peers.recorder import Recorder

STRONG_WOLFE = {"line_search_fn": "strong_wolfe", "tolerance_grad": 0.0, "tolerance_change": 0.0}
"""A line search, without which L-BFGS diverges; the recorder ends it, not its tolerances."""


def method() -> Method:
    return Method(
        "ART FeatureAdversariesPyTorch",
        (
            Setting("sign, step 1/255", _attack(step_size=1 / 255)),
            Setting("sign, step 0.25/255", _attack(step_size=0.25 / 255)),
            Setting("Adam, lr 0.0005", _attack(torch.optim.Adam, {"lr": 5e-4})),
            Setting("Adam, lr 0.002", _attack(torch.optim.Adam, {"lr": 2e-3})),
            Setting("SGD, lr 0.0005", _attack(torch.optim.SGD, {"lr": 5e-4})),  # its loss has no 1/2: gd at 1e-3
            Setting("LBFGS, strong Wolfe", _attack(torch.optim.LBFGS, STRONG_WOLFE)),
        ),
        package="adversarial-robustness-toolbox",
        module="art.attacks.evasion",
    )


def _attack(
    optimizer: type[torch.optim.Optimizer] | None = None,
    optimizer_kwargs: dict[str, Any] | None = None,
    step_size: float | None = None,
) -> Attack:
    def attack(recorder: Recorder) -> None:
        evasion, estimators = (importlib.import_module(f"art.{m}") for m in ("attacks.evasion", "estimators"))
        estimator = importlib.import_module(
            f"{estimators.__name__}.classification"
        ).PyTorchClassifier(
            # A layer of its own and by name: by number the library adds a hook at every call.
            model=torch.nn.Sequential(Module(recorder)).eval(),
            loss=torch.nn.CrossEntropyLoss(),  # asked for, not used
            input_shape=tuple(recorder.source.shape[1:]),
            nb_classes=recorder.wanted.shape[1],
            clip_values=(0.0, 1.0),
            device_type="cpu" if recorder.source.device.type == "cpu" else "gpu",
        )
        adversary = evasion.FeatureAdversariesPyTorch(
            estimator,
            delta=1.0,
            optimizer=optimizer,
            optimizer_kwargs=optimizer_kwargs,
            layer=estimator.layer_names[0],
            max_iter=recorder.max_passes,
            step_size=step_size,
            verbose=False,
        )
        recorder.start()
        adversary.generate(recorder.source.cpu().numpy(), recorder.target.cpu().numpy())

    return attack
