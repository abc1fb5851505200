"""One run at a time: refused while the owner lives, taken over when it is gone, whatever way it went."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict, replace

import pytest

from vitequiv.errors import UsageError
from vitequiv.runs import lock
from vitequiv.runs.lock import LOCK_NAME, Owner, hold, this_process

HOLDER = """
import sys, time
from pathlib import Path
from vitequiv.runs.lock import hold
with hold(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(120)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def gone() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_second_run_is_refused_by_name_and_the_lock_ends_with_its_process(tmp_path, holder):
    with pytest.raises(UsageError) as refused, hold(tmp_path):
        pass
    assert f"process {holder.pid} on {this_process().host}" in refused.value.message
    assert str(tmp_path) in refused.value.message
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / LOCK_NAME).exists()  # nobody could tidy up
    with hold(tmp_path):
        assert json.loads((tmp_path / LOCK_NAME).read_text())["pid"] == os.getpid()
    assert list(tmp_path.iterdir()) == []


def test_a_second_run_in_the_same_process_is_refused(tmp_path):
    with hold(tmp_path), pytest.raises(UsageError, match=str(os.getpid())), hold(tmp_path):
        pass
    with hold(tmp_path):
        pass


ME = this_process()
PARENT = Owner(os.getppid(), ME.host, lock._began(os.getppid()))


@pytest.mark.parametrize("system", [True, False], ids=["flock", "no-flock"])
@pytest.mark.parametrize(
    ("content", "refused_without", "refused_with"),
    [
        ("", "", ""),
        ("{torn", "", ""),
        ('{"pid": 1}', "", ""),
        (json.dumps(asdict(replace(ME, pid=gone()))), "", ""),
        # The parent lives; without flock that is all there is to go by, with it the file is a leftover.
        (json.dumps(asdict(PARENT)), "Another run", ""),
        (json.dumps(asdict(replace(PARENT, began=(PARENT.began or 0) + 1))), "", ""),  # its number was given anew
        (json.dumps(asdict(replace(ME, host="elsewhere"))), "elsewhere", "elsewhere"),
    ],
    ids=["empty", "torn", "other-fields", "gone", "alive", "number-reused", "other-host"],
)
def test_what_is_left_of_an_earlier_owner(tmp_path, monkeypatch, system, content, refused_without, refused_with):
    if not system:
        monkeypatch.setattr(lock, "_system_lock", lambda _: False)
    (tmp_path / LOCK_NAME).write_text(content)
    fragment = refused_with if system else refused_without
    if not fragment:
        with hold(tmp_path):
            assert json.loads((tmp_path / LOCK_NAME).read_text()) == asdict(ME)
        return
    with pytest.raises(UsageError, match=fragment) as refused, hold(tmp_path):
        pass
    assert (tmp_path / LOCK_NAME).read_text() == content
    if fragment == "elsewhere":
        assert f"remove {tmp_path / LOCK_NAME}" in refused.value.message


@pytest.mark.parametrize("out", ["file", "file/below", "/proc/nowhere"])
def test_a_directory_that_cannot_be(tmp_path, out):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UsageError, match="--out"), hold(tmp_path / out):
        pass


FIELDS = asdict(ME)


EDITED = [
    "[]", "7", "null", "[" * 4000, "{", "\xff", '{"pid": 1}',
    *(json.dumps({**FIELDS, key: value}) for key in FIELDS for value in ([], {}, "x" * 9, True, 0.5, 10**30, -1)
      if not (key == "host" and isinstance(value, str)) and not (key == "began" and value == -1)),
    json.dumps({**FIELDS, "pid": 0}), json.dumps({**FIELDS, "pid": -(2**40)}),
]  # fmt: skip


# By number: the contents hold this process's own, which differs between the workers of a run.
@pytest.mark.parametrize("content", EDITED, ids=[str(number) for number in range(len(EDITED))])
def test_an_edited_lock_whose_owner_is_gone_is_taken_over(tmp_path, content):
    (tmp_path / LOCK_NAME).write_text(content, encoding="latin-1")
    with hold(tmp_path):
        assert json.loads((tmp_path / LOCK_NAME).read_text()) == FIELDS


@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_what_is_no_lock_is_refused_by_name(tmp_path, kind):
    {"pipe": os.mkfifo, "folder": os.mkdir}[kind](tmp_path / LOCK_NAME)
    with pytest.raises(UsageError, match=r"\.vitequiv\.lock is a folder, device or pipe"), hold(tmp_path):
        pass
