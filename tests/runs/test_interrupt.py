"""An interrupt that Python drops, because it came while something was being cleared away, comes again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os, signal, sys, time, weakref
from vitequiv.runs.interrupt import Interrupted, exposed, listen, seen, shielded

listen()
class Thing: pass
def clear(_):
    os.kill(os.getpid(), signal.{number})
    for _ in range(1000): pass  # here the handler runs, and what it raises is dropped
def drop():
    thing = Thing()
    kept = weakref.ref(thing, clear)
    del thing
    return kept
began = time.monotonic()
def work():
    drop()
    print("dropped")
    while time.monotonic() - began < 20:
        time.sleep(0.01)
try:
    {work}
except Interrupted:
    seen()
    print("again")
    time.sleep(1.2)  # it does not come a third time
"""


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize(
    "work", ["work()", "with shielded():\n        with exposed(): work()"], ids=["plain", "exposed"]
)
def test_it_comes_again_and_nothing_else_is_said(number, work):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(number=number, work=work)],
        capture_output=True, text=True, timeout=60, check=False, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["dropped", "again"]


def test_other_exceptions_that_are_dropped_are_still_told():
    program = """
import weakref
from vitequiv.runs.interrupt import listen
listen()
class Thing: pass
thing = Thing()
kept = weakref.ref(thing, lambda _: 1 / 0)
del thing
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert "ZeroDivisionError" in done.stderr


@pytest.mark.slow
def test_between_the_batches_of_an_item_an_interrupt_is_asked_for(tmp_path):
    """Dropped in the first of twelve batches, with the alarm switched off: the second is not begun."""
    program = """
import json, os, signal, sys
from pathlib import Path
sys.argv[0] = "vitequiv"
from vitequiv.cli.app import main
from vitequiv.runs import interrupt, statistics
signal.setitimer = lambda *_: None
real, batches = statistics.match_batch, []
def match_batch(*arguments):
    batches.append(1)
    interrupt._state.asked_at = 0.0  # as if a signal had come and what it raised had been dropped
    return real(*arguments)
statistics.match_batch = match_batch
try:
    main()
finally:
    Path("batches.json").write_text(json.dumps(len(batches)))
"""
    scenes = tmp_path / "scenes"
    arguments = ["statistics", str(scenes), "--count", "24", "--batch-size", "2", "--cosine", "0.5", "--quiet"]
    subprocess.run([sys.executable, "-m", "vitequiv", "scenes", str(scenes), "--count", "64", "--quiet"], check=True)
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=120, check=False,
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 130
    assert json.loads((tmp_path / "batches.json").read_text()) == 1
    assert done.stderr.startswith("Error: Interrupted")
