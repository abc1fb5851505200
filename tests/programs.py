"""Tests that need another program: skipped by name where it is not there, and failed where all must run.

`@pytest.mark.needs_program("zsh")`, or `need("jq", "make")` in a test. Nothing else may skip: a skipped test looks
green and shows nothing.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator
from typing import Any

import pytest

ALL_MUST_RUN = "VITEQUIV_TESTS_ALL"
"""Set by `.ci/run`: a program that is not there is then a failure."""
DEBIAN = {"find": "findutils", "xargs": "findutils", "cut": "coreutils", "sort": "coreutils", "split": "coreutils"}
"""Debian's packages of programs, where they are not named alike."""


class ProgramMissing(pytest.skip.Exception):
    """The one reason for which a test may be skipped."""


def need(*programs: str) -> None:
    """Skip the test that runs unless these programs are on the path; fail it where all tests must run."""
    missing = sorted({name for name in programs if shutil.which(name) is None})
    if not missing:
        return
    packages = " ".join(sorted({DEBIAN.get(name, name) for name in missing}))
    reason = f"needs {', '.join(missing)}, which is not on the PATH: apt-get install {packages}, or your system's like"
    if os.environ.get(ALL_MUST_RUN):
        pytest.fail(f"{reason} ({ALL_MUST_RUN} is set)", pytrace=False)
    raise ProgramMissing(reason)


class Plugin:
    """Hooks for pytest: the marker, no other skips, and the programs named at the end."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        for marker in item.iter_markers("needs_program"):
            need(*marker.args)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if report.skipped and not hasattr(report, "wasxfail"):
            if call.excinfo is not None and isinstance(call.excinfo.value, ProgramMissing):
                report.user_properties.append(("program", str(call.excinfo.value)))
            else:
                report.outcome = "failed"
                report.longrepr = f"{item.nodeid} was skipped; only a missing program may skip a test"
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        report = yield
        if report.skipped:
            report.outcome = "failed"
            report.longrepr = f"{report.nodeid} was skipped whole; only a missing program may skip a test"
        return report

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        reasons = [
            reason
            for report in terminalreporter.stats.get("skipped", [])
            for name, reason in report.user_properties
            if name == "program"
        ]
        if reasons:
            terminalreporter.section("skipped for want of a program")
            for reason in sorted(set(reasons)):
                terminalreporter.line(f"{reasons.count(reason)} tests: {reason}")
