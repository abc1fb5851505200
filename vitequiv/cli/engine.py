"""`--engine` and `--ray-*`: where the items of a run are computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vitequiv.cli.config import settings_of
from vitequiv.cli.options import RUN
from vitequiv.errors import UsageError
from vitequiv.results.settings import Source
from vitequiv.runs.cluster.choice import Wish, check_device, require_ray

if TYPE_CHECKING:
    from vitequiv.encoders.base import Encoder
    from vitequiv.runs.engine.computer import Computer
    from vitequiv.runs.engine.task import Task


class EngineName(StrEnum):
    """Where items are computed."""

    HERE = "here"
    RAY = "ray"


Engine = Annotated[
    EngineName,
    typer.Option(
        "--engine",
        help="Compute in this process, or in the workers of a Ray cluster; with no cluster, in some on this machine.",
        rich_help_panel=RUN,
    ),
]
RayAddress = Annotated[
    str | None,
    typer.Option(
        "--ray-address",
        metavar="HOST:PORT",
        help="The cluster, or auto for the one that this machine is part of; by default RAY_ADDRESS, else none.",
        show_default=False,
        rich_help_panel=RUN,
    ),
]
RayWorkers = Annotated[
    int | None,
    typer.Option(
        "--ray-workers",
        min=1,
        help="Workers; by default one a GPU, or where there is none as many as the CPUs have room for.",
        show_default=False,
        rich_help_panel=RUN,
    ),
]
RayThreads = Annotated[
    int | None,
    typer.Option("--ray-threads", min=1, help="CPU threads of a worker (1).", show_default=False, rich_help_panel=RUN),
]


def parse_engine(
    context: typer.Context,
    engine: EngineName,
    address: str | None,
    workers: int | None,
    threads: int | None,
    device: str,
) -> Wish | None:
    """Read --engine and --ray-*, before anything is loaded.

    Args:
        context: The verb's context.
        engine: Where items are computed.
        address: The cluster.
        workers: Workers.
        threads: CPU threads of a worker.
        device: The --device.

    Returns:
        What is wished of Ray; None for this process.

    Raises:
        UsageError: If an option of Ray's is typed without it, Ray is not installed, or its workers have no such device.
    """
    if engine is EngineName.HERE:
        given = settings_of(context, {"ray_address": address, "ray_workers": workers, "ray_threads": threads})
        for name, setting in given.items():
            # A configuration file may set it for the runs that use Ray.
            if setting.source is Source.FLAG:
                raise UsageError(f"--{name.replace('_', '-')} goes with --engine ray: add that, or leave it out.")
        return None
    require_ray()
    check_device(device)
    return Wish(address, workers, threads or 1)


@dataclass(frozen=True)
class Place:
    """Where a run computes.

    Args:
        device: Where this process is to load the encoder.
        elsewhere: The device that items are computed on, if that is not of this process.
        computer: From the encoder, the task and what tells the user, to what computes; None for this process.
    """

    device: str
    elsewhere: str | None
    computer: Callable[
        [Encoder, Task[Any, Any, Any], Callable[[str], None]], AbstractContextManager[Computer[Any, Any] | None]
    ]


@contextmanager
def placed(wish: Wish | None, device: str) -> Iterator[Place]:
    """Make ready where a run computes.

    Args:
        wish: What is wished of Ray; None for this process.
        device: The --device.

    Yields:
        The place; with Ray the cluster, which ends with the block if it was begun for this run.
    """
    if wish is None:
        yield Place(device, None, lambda *_: nullcontext())
        return
    from vitequiv.runs.cluster.link import connected

    with connected(wish, device) as cluster:
        # This process reads and writes; the GPUs of its machine, if it has any, are the workers'.
        yield Place("cpu", cluster.crew.device, cluster.pool)
