"""Train one model of the tiny zoo.

    python -m vitequiv.tiny.zoo.train --family swin --out DIR --seed 0 --threads 1

writes a checkpoint directory of transformers into DIR: `config.json`, `preprocessor_config.json`, `model.safetensors`,
and with them `training.json` and `MODEL_CARD.md`. On one machine, the same family, seed, steps and threads give the
same weights. A run takes 15 to 30 minutes on one thread, and 2 GB of memory.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from vitequiv.tiny.optimisation import Descent, learning_rate, muon_and_adamw
from vitequiv.tiny.scenes import Split
from vitequiv.tiny.zoo.architectures import ARCHITECTURES
from vitequiv.tiny.zoo.bank import BANK_SCENES, Bank, draw, render_bank
from vitequiv.tiny.zoo.card import CARD_NAME, PROVENANCE_NAME, model_card
from vitequiv.tiny.zoo.examine import HELD_OUT_SCENES, Accuracy, examine
from vitequiv.tiny.zoo.recipes import RECIPES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vitequiv.tiny.zoo.objective import Objective

_SNAPSHOT = "partial"
_SNAPSHOT_EVERY = 500
_SNAPSHOT_SCENES = 512


def train(
    family: str,
    bank: Bank,
    seed: int,
    steps: int,
    after_step: Callable[[int, float, Objective], None] = lambda *_: None,
) -> tuple[Any, list[float]]:
    """Train a model from scratch.

    Args:
        family: Name of the family.
        bank: The scenes to draw from.
        seed: Seed of the initial weights and of the draws.
        steps: Number of steps.
        after_step: Called with the number of steps done, the loss and the objective.

    Returns:
        The model in eval mode, and the loss of every step.
    """
    torch.manual_seed(seed)
    recipe = RECIPES[family]
    objective = recipe.objective(ARCHITECTURES[family], bank)
    objective.trained.train()
    optimizers = muon_and_adamw(objective.trained, recipe.muon_rate, recipe.adamw_rate)
    descent = Descent(objective.trained.parameters(), optimizers, partial(learning_rate, steps=steps))
    losses: list[float] = []
    for step in range(steps):
        # Products of matrices in bfloat16 are three times as fast here; the weights stay in float32.
        with torch.autocast("cpu", torch.bfloat16):
            loss = objective.loss(draw(bank, recipe.batch_size, seed, step, recipe.background(step / steps)))
        descent.step(loss)
        objective.after_step((step + 1) / steps)
        losses.append(loss.item())
        after_step(step + 1, losses[-1], objective)
    objective.model.eval()
    return objective.model, losses


def save(family: str, model: Any, directory: Path, provenance: dict[str, object]) -> None:
    """Write a checkpoint directory.

    Args:
        family: Name of the family.
        model: The model.
        directory: The directory; made if need be.
        provenance: What the run was and what came of it; plain JSON values.
    """
    model.save_pretrained(directory)
    ARCHITECTURES[family].image_processor().save_pretrained(directory)
    (directory / PROVENANCE_NAME).write_text(json.dumps(provenance, indent=2) + "\n", encoding="utf-8")
    (directory / CARD_NAME).write_text(model_card(provenance), encoding="utf-8")
    for path in directory.glob("*.*"):
        path.chmod(0o644)  # safetensors makes files that their owner alone can read


@dataclass(frozen=True)
class Run:
    """What a run depends on.

    Attributes:
        family: Name of the family.
        seed: Seed of everything.
        steps: Number of steps.
        threads: CPU threads.
        bank_scenes: Scenes to render and draw from.
    """

    family: str
    seed: int
    steps: int
    threads: int = 1
    bank_scenes: int = BANK_SCENES


def _provenance(run: Run, model: Any, minutes: float, accuracy: Accuracy) -> dict[str, object]:
    import transformers

    recipe = RECIPES[run.family]
    return {
        **asdict(run),
        "class": type(model).__name__,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "batch_size": recipe.batch_size,
        "muon_rate": recipe.muon_rate,
        "adamw_rate": recipe.adamw_rate,
        "fade_in": recipe.fade_in,
        "minutes": round(minutes, 1),
        "accuracy": asdict(accuracy),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "licence": "Apache-2.0",
    }


def execute(run: Run, out: Path, scenes: int = HELD_OUT_SCENES, cache: Path | None = None) -> Accuracy:
    """Train, examine, and write the checkpoint.

    Every 500 steps the state so far goes to a folder `partial` in it, which the end of the run removes.

    Args:
        run: What to train, and how long.
        out: Directory to write to; made if need be.
        scenes: Held-out scenes to examine the result on.
        cache: Folder to keep rendered scenes in for the next run.

    Returns:
        The accuracies on held-out scenes.
    """
    torch.set_num_threads(run.threads)
    out.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    bank = render_bank(Split.TRAINING, run.seed, run.bank_scenes, cache)

    def minutes() -> float:
        return (time.monotonic() - start) / 60

    def report(done: int, loss: float, objective: Objective) -> None:
        if done % 50 == 0 or done == run.steps:
            print(f"step {done}/{run.steps}  loss {loss:.3f}  {minutes():.1f} min", file=sys.stderr, flush=True)
        if done % _SNAPSHOT_EVERY == 0 and done < run.steps:
            objective.model.eval()
            accuracy = examine(run.family, objective.model, bank, _SNAPSHOT_SCENES, seed=1, quick=True)
            objective.model.train()
            print(f"  held out: {accuracy}", file=sys.stderr, flush=True)
            provenance = _provenance(replace(run, steps=done), objective.model, minutes(), accuracy)
            save(run.family, objective.model, out / _SNAPSHOT, provenance)

    model, _ = train(run.family, bank, run.seed, run.steps, report)
    took = minutes()
    accuracy = examine(run.family, model, bank, scenes)
    save(run.family, model, out, _provenance(run, model, took, accuracy))
    shutil.rmtree(out / _SNAPSHOT, ignore_errors=True)
    return accuracy


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and run.

    Args:
        arguments: The arguments; those of the process if None.
    """
    parser = argparse.ArgumentParser(prog="python -m vitequiv.tiny.zoo.train", description="Train a tiny model.")
    parser.add_argument("--family", choices=sorted(ARCHITECTURES), required=True)
    parser.add_argument("--out", type=Path, required=True, help="directory for the checkpoint")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=None, help="the family's own number by default")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--scenes", type=int, default=HELD_OUT_SCENES, help="held-out scenes to examine it on")
    parser.add_argument("--bank", type=int, default=BANK_SCENES, help="training scenes to render and draw from")
    parser.add_argument("--cache", type=Path, default=None, help="folder to keep rendered scenes in")
    options = parser.parse_args(arguments)
    steps = RECIPES[options.family].steps if options.steps is None else options.steps
    run = Run(options.family, options.seed, steps, options.threads, options.bank)
    print(execute(run, options.out, options.scenes, options.cache))


if __name__ == "__main__":
    main()
