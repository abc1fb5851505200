"""The training script: it learns, it repeats itself, and what it writes can be loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from vitequiv.tiny.checkpoint import WEIGHTS_NAME, load
from vitequiv.tiny.optimisation import learning_rate
from vitequiv.tiny.train import contrastive_loss, train

COMMAND = [sys.executable, "-m", "vitequiv.tiny.train", "--steps", "2", "--threads", "1", "--scenes", "64"]


@pytest.mark.slow
def test_a_few_steps_lower_the_loss() -> None:
    _, losses = train(seed=0, steps=48)
    # These steps are batches of colours and shapes, all classes once; chance is log 64 = 4.16.
    before, after = sum(losses[:2]) / 2, sum(losses[i] for i in (42, 43, 45, 46)) / 4
    assert before > 4.0
    assert after < before - 0.3


@pytest.mark.slow
def test_the_command_writes_loadable_files_and_repeats_itself_bit_for_bit(tmp_path: Path) -> None:
    for name in ("first", "second"):
        done = subprocess.run(
            [*COMMAND, "--seed", "5", "--out", str(tmp_path / name)], capture_output=True, text=True, check=True
        )
        assert "zero-shot top-1 over 64 captions" in done.stdout
        assert "step 2/2" in done.stderr
    first, second = (tmp_path / name / WEIGHTS_NAME for name in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()
    model, provenance = load(first)
    assert provenance["seed"] == 5
    assert provenance["steps"] == 2
    assert all(torch.isfinite(parameter).all() for parameter in model.parameters())
    assert "--seed 5 --steps 2 --threads 1" in (tmp_path / "first" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert sorted(path.name for path in (tmp_path / "first").iterdir()) == ["MODEL_CARD.md", WEIGHTS_NAME]


def test_another_seed_gives_another_model() -> None:
    first, _ = train(seed=1, steps=1)
    second, _ = train(seed=2, steps=1)
    assert not torch.equal(first.image_projection.weight, second.image_projection.weight)


@pytest.mark.parametrize(
    ("logits", "targets", "expected"),
    [
        (torch.zeros(4, 4), torch.eye(4), 1.3862943611),  # log 4
        (torch.zeros(4, 4), torch.full((4, 4), 0.25), 1.3862943611),
        (100 * torch.eye(4), torch.eye(4), 0.0),
        (torch.tensor([[1.0, 0.0], [2.0, 0.0]]), torch.eye(2), (0.3132617 + 2.1269280 + 1.3132617 + 0.6931472) / 4),
    ],
)
def test_loss_by_hand(logits: torch.Tensor, targets: torch.Tensor, expected: float) -> None:
    # 1e-6: the constants above have seven decimals.
    assert contrastive_loss(logits, targets).item() == pytest.approx(expected, abs=1e-6)


def test_learning_rate_rises_and_falls() -> None:
    rates = [learning_rate(step, 1000) for step in range(1000)]
    peak = rates.index(1.0)
    assert peak in range(1, 201)
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak + 1 :] == sorted(rates[peak + 1 :], reverse=True)
    assert 0 < rates[-1] < 1e-4
