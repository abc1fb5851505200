"""Joining a Ray cluster, or beginning one of this machine alone, without a word on either stream."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitequiv.encoders.base import Encoder
from vitequiv.errors import UsageError
from vitequiv.runs.cluster.choice import AUTO, CUDA, Crew, Node, Wish, choose_crew
from vitequiv.runs.cluster.pool import Pool
from vitequiv.runs.engine.task import Task
from vitequiv.runs.failures import reason

LOCAL = "local"
VARIABLE = "RAY_ADDRESS"
TIMEOUT = 10.0
"""Seconds in which a cluster has to answer."""
SILENCE = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
"""Nothing is reported over the network, and no tip is given."""
NICENESS = {"RAY_worker_niceness": "0"}
"""Workers of this machine alone are what the user is waiting for; Ray would put them behind all else."""
OUTSIDE = os.sep
"""Where Ray begins its processes. It puts the directory where it is called first on their import path, and a user's
directory may well hold a `random.py`."""


@dataclass(frozen=True)
class Cluster:
    """A cluster that was joined.

    Args:
        crew: The workers that a run will have.
    """

    crew: Crew

    @contextmanager
    def pool(self, encoder: Encoder, task: Task[Any, Any, Any], say: Callable[[str], None]) -> Iterator[Pool[Any, Any]]:
        """Begin the workers of a run.

        Args:
            encoder: The encoder, on the CPU.
            task: What to do.
            say: Told what the user should know.

        Yields:
            The workers, as the engine's computer; they end with the block.

        Raises:
            ValueError: If the task cannot be done elsewhere.
            UsageError: If the encoder cannot be sent.
        """
        if task.elsewhere is None:
            raise ValueError(f"A task of {task.context.verb} cannot be done in another process.")
        pool: Pool[Any, Any] = Pool(encoder, task.elsewhere, task.blame, self.crew, say)
        try:
            yield pool
        finally:
            pool.close()


@contextmanager
def connected(wish: Wish, device: str) -> Iterator[Cluster]:
    """Join a cluster for a run.

    Args:
        wish: What the user said.
        device: `auto`, `cpu` or `cuda`.

    Yields:
        The cluster. In this process torch has the threads that a worker has: what is measured here, on the files that
        were written, then does not depend on how many cores this machine has.

    Raises:
        UsageError: If there is no such cluster, it has another Ray or Python, or it has no room.
    """
    import torch

    threads = torch.get_num_threads()
    address = wish.address or os.environ.get(VARIABLE) or LOCAL
    if "://" in address:
        raise UsageError(
            f"{address} is an address for Ray's client, which moves all data twice: run vitequiv on a node of it, "
            "and name that HOST:PORT or auto."
        )
    _look_for(address)
    crew = _alone(wish, device) if address == LOCAL else None
    with _begun(address, wish, crew):
        crew = crew or choose_crew(_nodes(), wish, device)
        torch.set_num_threads(wish.threads)
        try:
            yield Cluster(crew)
        finally:
            torch.set_num_threads(threads)


def _look_for(address: str) -> None:
    """Make sure that somebody answers at HOST:PORT: Ray would try for minutes."""
    host, colon, port = address.rpartition(":")
    if not colon:
        return
    try:
        socket.create_connection((host, int(port)), TIMEOUT).close()
    except (OSError, ValueError, OverflowError) as error:
        raise _no_cluster(address, error) from error


def _no_cluster(address: str, error: Exception) -> UsageError:
    why = reason(error).rstrip(".")
    return UsageError(
        f"No Ray cluster can be joined at {address} ({why}): check --ray-address and {VARIABLE}, or leave out both "
        "for this machine alone."
    )


@contextmanager
def _begun(address: str, wish: Wish, crew: Crew | None) -> Iterator[None]:
    """Have Ray in this process, off its streams and without its handlers of signals."""
    for name, value in SILENCE.items():
        os.environ.setdefault(name, value)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    import ray
    from ray._private import utils, worker

    # Its own would end the process before what was computed is written; and it tells of workers that died on standard
    # output, whatever log_to_driver says.
    with _replaced(utils, "set_sigterm_handler"), _replaced(worker, "print_to_stdstream"):
        try:
            _init(address, wish, crew)
            for number, handler in handlers.items():
                signal.signal(number, handler)
            yield
        finally:
            ray.shutdown()


def _init(address: str, wish: Wish, crew: Crew | None) -> None:
    import ray

    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    own = _environment(wish)
    if crew is None:
        options["runtime_env"] = {"env_vars": own}
    else:
        # Inherited, for which Ray needs not begin other processes than those it has begun already.
        options |= {"num_cpus": crew.workers * crew.threads, "num_gpus": crew.workers * crew.gpus}
        options["include_dashboard"] = False
    try:
        with contextlib.chdir(OUTSIDE), _in_environment({} if crew is None else {**NICENESS, **own}):
            ray.init(address=address, **options)
    except Exception as error:
        if crew is None:
            raise _no_cluster(address, error) from error
        why = reason(error).rstrip(".")
        raise UsageError(f"Ray cannot be begun on this machine, which may be too busy: {why}.") from error


def _environment(wish: Wish) -> dict[str, str]:
    """What workers have to find in theirs: their threads, and this vitequiv."""
    environment = {"OMP_NUM_THREADS": str(wish.threads)}
    if paths := os.environ.get("PYTHONPATH"):
        environment["PYTHONPATH"] = os.pathsep.join(str(Path(path).absolute()) for path in paths.split(os.pathsep))
    return environment


@contextmanager
def _in_environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _alone(wish: Wish, device: str) -> Crew:
    """The crew of a Ray for this machine and this run."""
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    gpus = torch.cuda.device_count() if device in {AUTO, CUDA} else 0
    return choose_crew([Node(cores, gpus)], wish, device, fixed=False)


def _nodes() -> list[Node]:
    import ray

    resources = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return [Node(one.get("CPU", 0.0), one.get("GPU", 0.0)) for one in resources]


@contextmanager
def _replaced(module: Any, name: str) -> Iterator[None]:
    """Have a function of a module do nothing, if it is there."""
    before = getattr(module, name, None)
    if before is not None:
        setattr(module, name, lambda *_, **__: None)
    try:
        yield
    finally:
        if before is not None:
            setattr(module, name, before)
