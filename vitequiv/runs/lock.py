"""One run at a time in a directory: a lock that names its owner and does not outlive it."""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from vitequiv.errors import UsageError
from vitequiv.files.reading import parse_json
from vitequiv.results.parse import parse_record
from vitequiv.runs.inside import require_own_file

LOCK_NAME = ".vitequiv.lock"
MAX_PID = 1 << 31


@dataclass(frozen=True)
class Owner:
    """Who holds a lock.

    Args:
        pid: Its process.
        host: Its machine.
        began: When that process began, in the system's own ticks, for the number may be given to another; None if the
            system does not tell.

    Raises:
        ValueError: If the number is none of a process: 0 and below stand for groups of them.
    """

    pid: int
    host: str
    began: int | None

    def __post_init__(self) -> None:
        if not 0 < self.pid < MAX_PID:
            raise ValueError("its number is none of a process")

    @property
    def alive(self) -> bool:
        """Whether this very process still runs; to be asked on its own machine only."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        now = _began(self.pid)
        return self.began is None or now is None or now == self.began


def this_process() -> Owner:
    """The owner that this process is."""
    return Owner(os.getpid(), socket.gethostname(), _began(os.getpid()))


@contextmanager
def hold(directory: Path) -> Iterator[None]:
    """Hold a directory's lock; makes the directory.

    The system's own lock (`flock`) decides where there is one: it ends with its process, however that ends. What the
    file says decides between machines, and on file systems without locks.

    Args:
        directory: The run's directory.

    Yields:
        Nothing, with the lock held.

    Raises:
        UsageError: If another run holds it, or the directory cannot be written to.
    """
    path = directory / LOCK_NAME
    try:
        directory.mkdir(parents=True, exist_ok=True)
        descriptor = _locked(path)
    except OSError as error:
        raise UsageError(
            f"Cannot write to the directory {directory}: {error.strerror}; choose another --out."
        ) from None
    try:
        owner = _read(descriptor)
        me = this_process()
        if owner is not None and owner.host != me.host:
            raise UsageError(
                f"A run on {owner.host} (process {owner.pid}) was writing to {directory} and has not said that it "
                f"ended: if it is over, remove {path}; else wait for it or choose another --out."
            )
        if owner is not None and owner != me and not _SYSTEM_LOCKS.get(descriptor) and owner.alive:
            raise UsageError(_taken(directory, owner))
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, (json.dumps(asdict(me)) + "\n").encode(), 0)
        except OSError as error:
            raise UsageError(
                f"Cannot write to the directory {directory}: {error.strerror}; choose another --out."
            ) from None
        try:
            yield
        finally:
            with suppress(OSError):
                path.unlink()
    finally:
        _SYSTEM_LOCKS.pop(descriptor, None)
        os.close(descriptor)


_SYSTEM_LOCKS: dict[int, bool] = {}
"""Whether the system's lock is held, by descriptor."""


def _locked(path: Path) -> int:
    """Open the file and lock it; again if its last owner removed it meanwhile."""
    while True:
        require_own_file(path)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _SYSTEM_LOCKS[descriptor] = _system_lock(descriptor)
            with suppress(FileNotFoundError):
                if os.fstat(descriptor).st_ino == path.stat().st_ino:
                    return descriptor
        except BlockingIOError:
            owner = _read(descriptor)
            os.close(descriptor)
            raise UsageError(_taken(path.parent, owner)) from None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _system_lock(descriptor: int) -> bool:
    """Take the system's lock; false where there is none."""
    try:
        import fcntl
    except ImportError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in {errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL}:
            return False
        raise
    return True


def _taken(directory: Path, owner: Owner | None) -> str:
    who = f"process {owner.pid} on {owner.host}" if owner else "another process"
    return f"Another run of vitequiv ({who}) is writing to {directory}: wait for it or choose another --out."


def _read(descriptor: int) -> Owner | None:
    try:
        return parse_record(Owner, parse_json(os.pread(descriptor, 4096, 0)), "")
    except ValueError:  # empty, edited, or its owner was killed while writing
        return None


def _began(pid: int) -> int | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        # The 22nd field; the second, the program's name, may hold anything, but ends with the last bracket.
        return int(text.rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None
