"""Projected sign-gradient descent, by foolbox's own loop with the loss replaced, as its hooks allow.

The loss is the squared distance of the embeddings; a strictly increasing function of it would have the same sign. The
update is that of `torchattacks.PGD` too, which is not used itself because cross-entropy is written into it: step
along the sign, clip to the ball of radius eps around the source, clip to the box. Both libraries' random start is
switched off, since it only adds to the L2. Without eps only the box binds.
"""

from __future__ import annotations

import importlib

import torch

from tests.benchmarks.peers.methods import Attack, Method, Module, Setting
from tests.benchmarks.peers.recorder import Recorder


def method() -> Method:
    return Method(
        "sign-gradient descent (foolbox LinfPGD)",
        (
            Setting("eps 8/255, step 2/255, torchattacks' default", _attack(8 / 255, 2 / 255)),
            Setting("eps 8/255, step 0.27/255, foolbox's default", _attack(8 / 255, None)),
            Setting("eps 8/255, step 0.1/255", _attack(8 / 255, 0.1 / 255)),
            Setting("no eps, step 2/255", _attack(1.0, 2 / 255)),
            Setting("no eps, step 1/255", _attack(1.0, 1 / 255)),
            Setting("no eps, step 0.25/255", _attack(1.0, 0.25 / 255)),
            Setting("no eps, step 0.1/255", _attack(1.0, 0.1 / 255)),
        ),
        package="foolbox",
        module="foolbox",
    )


def _attack(epsilon: float, step_size: float | None) -> Attack:
    def attack(recorder: Recorder) -> None:
        foolbox, eagerpy = importlib.import_module("foolbox"), importlib.import_module("eagerpy")
        wanted = eagerpy.astensor(recorder.wanted)
        sign_gradient = foolbox.attacks.LinfProjectedGradientDescentAttack(
            abs_stepsize=step_size, steps=recorder.max_passes, random_start=False
        )
        sign_gradient.get_loss_fn = lambda model, labels: lambda pixels: (model(pixels) - wanted).square().sum()
        model = foolbox.PyTorchModel(Module(recorder).eval(), bounds=(0, 1), device=recorder.source.device)
        unused = torch.zeros(1, dtype=torch.long, device=recorder.source.device)
        recorder.start()
        # A "targeted" attack descends the loss.
        sign_gradient.run(model, recorder.source, foolbox.criteria.TargetedMisclassification(unused), epsilon=epsilon)

    return attack
