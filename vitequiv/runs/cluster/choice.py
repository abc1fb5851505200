"""How many workers a cluster has room for, and what each of them gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from vitequiv.errors import UsageError

AUTO, CPU, CUDA = "auto", "cpu", "cuda"


@dataclass(frozen=True)
class Wish:
    """What the user said of Ray.

    Args:
        address: The cluster; None for the one that RAY_ADDRESS names, else a Ray of this machine for this run.
        workers: How many; None for as many as there is room for.
        threads: CPU threads of each.
    """

    address: str | None = None
    workers: int | None = None
    threads: int = 1


@dataclass(frozen=True)
class Node:
    """What one machine offers.

    Args:
        cpus: CPUs that Ray may give away.
        gpus: GPUs that Ray may give away.
    """

    cpus: float
    gpus: float = 0.0


@dataclass(frozen=True)
class Crew:
    """The workers of a run.

    Args:
        workers: How many.
        threads: CPU threads of each.
        device: Where each computes: `cpu`, or `cuda` for a GPU of its own.
        neighbours: Workers that share a machine's memory, about.
    """

    workers: int
    threads: int
    device: str
    neighbours: int

    @property
    def gpus(self) -> int:
        """GPUs of each worker."""
        return int(self.device == CUDA)


def require_ray() -> None:
    """Make sure that Ray can be had; imports nothing.

    Raises:
        UsageError: If it is not installed.
    """
    if find_spec("ray") is None:
        raise UsageError("--engine ray needs Ray, which is not installed: run pip install 'vitequiv[ray]'.")


def check_device(device: str) -> None:
    """Refuse devices that workers cannot be given.

    Args:
        device: The --device of the command line.

    Raises:
        UsageError: If it is none of auto, cpu and cuda.
    """
    if device not in {AUTO, CPU, CUDA}:
        raise UsageError(
            f"--engine ray gives each worker CPU threads or a GPU of its own, so --device must be auto, cpu or cuda, "
            f"got {device!r}."
        )


def choose_crew(nodes: Sequence[Node], wish: Wish, device: str, fixed: bool = True) -> Crew:
    """Choose the workers: one a GPU where GPUs are wanted and there, else as many as the CPUs have room for.

    Args:
        nodes: The machines.
        wish: What the user said.
        device: `auto`, `cpu` or `cuda`.
        fixed: Whether the machines' CPUs are all that can be given away; false where Ray is begun for this run, and
            told how many there are.

    Returns:
        The crew.

    Raises:
        UsageError: If there is no room for it.
    """
    gpu = device == CUDA or (device == AUTO and any(node.gpus >= 1 for node in nodes))
    rooms = [int(node.cpus // wish.threads) for node in nodes]
    if gpu:
        rooms = [
            min(room if fixed else int(node.gpus), int(node.gpus)) for room, node in zip(rooms, nodes, strict=True)
        ]
    room = sum(rooms)
    if not fixed and not gpu:
        room = max(room, wish.workers or 1)
    if room < (wish.workers or 1):
        each = f"{wish.threads} CPU thread{'s' if wish.threads > 1 else ''}{' and a GPU' if gpu else ''}"
        has = f"{sum(node.cpus for node in nodes):g} CPUs and {sum(node.gpus for node in nodes):g} GPUs"
        raise UsageError(
            f"Ray has room for {room} worker{'' if room == 1 else 's'} of {each}, not for {wish.workers or 1}: it has "
            f"{has} on {len(nodes)} machine{'' if len(nodes) == 1 else 's'}. Ask for fewer with --ray-workers and "
            "--ray-threads, or start more nodes."
        )
    workers = wish.workers or room
    used = max(1, sum(room > 0 for room in rooms))
    return Crew(workers, wish.threads, CUDA if gpu else CPU, -(-workers // used))
