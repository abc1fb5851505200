"""Train the embedded default encoder.

    python -m vitequiv.tiny.train --out DIR --seed 0 --steps 4500 --threads 1

writes `tiny-clip.safetensors` and `MODEL_CARD.md` into DIR. The loss is CLIP's symmetric cross-entropy (Radford et al.
2021, arXiv 2103.00020) with the targets of `batches`. On one machine, the same seed, steps and threads give the same
bytes.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from vitequiv.tiny.batches import Batch, prefetched
from vitequiv.tiny.checkpoint import WEIGHTS_NAME, save
from vitequiv.tiny.evaluation import ZeroShot, as_input, zero_shot
from vitequiv.tiny.model import TinyClip
from vitequiv.tiny.model_card import CARD_NAME, model_card
from vitequiv.tiny.optimisation import Descent, adamw, learning_rate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PEAK_LEARNING_RATE = 1e-3
HELD_OUT_SEED = 0
HELD_OUT_SCENES = 4096

_SNAPSHOT_EVERY = 500
_SNAPSHOT_SCENES = 512


def contrastive_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Average the cross-entropy from images to captions and from captions to images.

    Args:
        logits: (B, B), images by captions.
        targets: (B, B), symmetric, rows sum to 1.

    Returns:
        A scalar in nats.
    """
    return (F.cross_entropy(logits, targets) + F.cross_entropy(logits.T, targets)) / 2


def _loss_of(model: TinyClip, batch: Batch) -> Tensor:
    images = as_input(batch.images).contiguous(memory_format=torch.channels_last)
    return contrastive_loss(model(images, torch.from_numpy(batch.tokens)), torch.from_numpy(batch.targets))


def train(
    seed: int, steps: int, after_step: Callable[[int, float, TinyClip], None] = lambda *_: None
) -> tuple[TinyClip, list[float]]:
    """Train a model from scratch; each step sees 64 new scenes.

    Args:
        seed: Seed of the initial weights and of the scenes.
        steps: Number of steps.
        after_step: Called with the number of steps done, the loss and the model.

    Returns:
        The model in eval mode, and the loss of every step.
    """
    torch.manual_seed(seed)
    model = TinyClip()
    # The convolutions are a tenth faster on channels-last memory.
    model.to(memory_format=torch.channels_last)
    parameters = list(model.parameters())
    descent = Descent(parameters, [adamw(parameters, PEAK_LEARNING_RATE)], lambda step: learning_rate(step, steps))
    losses: list[float] = []
    for step, batch in enumerate(prefetched(seed, steps)):
        loss = _loss_of(model, batch)
        descent.step(loss)
        losses.append(loss.item())
        after_step(step + 1, losses[-1], model)
    return model.eval(), losses


def _provenance(seed: int, steps: int, threads: int, accuracy: ZeroShot) -> dict[str, object]:
    return {
        "seed": seed,
        "steps": steps,
        "threads": threads,
        "zero_shot_top1": accuracy.top1,
        "zero_shot_shape": accuracy.shape,
        "zero_shot_colour": accuracy.colour,
        "held_out_scenes": accuracy.scenes,
        "torch": torch.__version__,
        "licence": "Apache-2.0",
    }


def run(out: Path, seed: int, steps: int, threads: int, scenes: int = HELD_OUT_SCENES) -> ZeroShot:
    """Train, examine, and write weights and model card.

    Every 500 steps the state so far goes to `tiny-clip.partial.safetensors`, which the end of the run removes.

    Args:
        out: Folder to write to; made if need be.
        seed: Seed of everything.
        steps: Number of steps.
        threads: CPU threads of torch; rendering takes a further one.
        scenes: Held-out scenes to examine the result on.

    Returns:
        The accuracies on held-out scenes.
    """
    torch.set_num_threads(threads)
    out.mkdir(parents=True, exist_ok=True)
    partial = out / "tiny-clip.partial.safetensors"
    start = time.monotonic()

    def report(done: int, loss: float, model: TinyClip) -> None:
        if done % 50 == 0 or done == steps:
            minutes = (time.monotonic() - start) / 60
            print(f"step {done}/{steps}  loss {loss:.3f}  {minutes:.1f} min", file=sys.stderr, flush=True)
        if done % _SNAPSHOT_EVERY == 0 and done < steps:
            accuracy = zero_shot(model, _SNAPSHOT_SCENES, HELD_OUT_SEED + 1)
            print(
                f"  held out: {accuracy.top1:.1%} (shape {accuracy.shape:.1%}, colour {accuracy.colour:.1%})",
                file=sys.stderr,
                flush=True,
            )
            save(model, partial, _provenance(seed, done, threads, accuracy))

    model, _ = train(seed, steps, report)
    accuracy = zero_shot(model, scenes, HELD_OUT_SEED)
    minutes = (time.monotonic() - start) / 60
    provenance = _provenance(seed, steps, threads, accuracy)
    save(model, out / WEIGHTS_NAME, provenance)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    (out / CARD_NAME).write_text(model_card(provenance, parameters, minutes), encoding="utf-8")
    partial.unlink(missing_ok=True)
    return accuracy


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and run.

    Args:
        arguments: The arguments; those of the process if None.
    """
    parser = argparse.ArgumentParser(prog="python -m vitequiv.tiny.train", description="Train the embedded default.")
    parser.add_argument("--out", type=Path, required=True, help="folder for the weights and the model card")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=4500, help="steps of 64 scenes")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads; another renders the scenes")
    parser.add_argument("--scenes", type=int, default=HELD_OUT_SCENES, help="held-out scenes to examine it on")
    options = parser.parse_args(arguments)
    accuracy = run(options.out, options.seed, options.steps, options.threads, options.scenes)
    print(
        f"zero-shot top-1 over 64 captions on {accuracy.scenes} held-out scenes: {accuracy.top1:.2%} (chance 1.56%); "
        f"shape {accuracy.shape:.2%}, colour {accuracy.colour:.2%}"
    )


if __name__ == "__main__":
    main()
