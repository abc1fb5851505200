"""What a missing program does to a test, and that nothing else may skip one."""

from __future__ import annotations

import pytest

from tests import programs

pytest_plugins = ["pytester"]

TESTS = {
    "test_missing.py": """
        import pytest
        from tests.programs import need

        @pytest.mark.needs_program("no-such-program")
        def test_marked():
            raise AssertionError("it must not run")

        def test_called():
            need("no-such-program", "find-nothing-either")
            raise AssertionError("it must not go on")

        @pytest.mark.needs_program("python3")
        def test_there():
            need("python3")
    """,
    "test_skips.py": """
        import pytest

        def test_for_no_reason():
            pytest.skip("because")

        @pytest.mark.skipif(True, reason="because")
        def test_by_a_marker():
            pass

        @pytest.mark.xfail(reason="known", strict=True)
        def test_known():
            raise AssertionError
    """,
    "test_module.py": """
        import pytest

        pytest.importorskip("no_such_module")
    """,
}


@pytest.fixture
def outcome(pytester, monkeypatch):
    """Run one of the files above; its outcomes and its output."""
    monkeypatch.delenv(programs.ALL_MUST_RUN, raising=False)
    pytester.makeini("[pytest]\nmarkers = needs_program")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def run(name: str) -> tuple[dict[str, int], str]:
        pytester.makepyfile(**{name.removesuffix(".py"): TESTS[name]})
        done = pytester.runpytest_inprocess(name, plugins=[programs.Plugin()])
        return done.parseoutcomes(), done.stdout.str()

    return run


def test_a_missing_program_skips_and_is_named_at_the_end(outcome):
    counts, shown = outcome("test_missing.py")
    assert counts == {"passed": 1, "skipped": 2}
    end = shown.partition("skipped for want of a program")[2]
    assert "1 tests: needs no-such-program, which is not on the PATH: apt-get install no-such-program" in end
    assert "1 tests: needs find-nothing-either, no-such-program, which is not" in end
    assert "2 skipped" in end.splitlines()[-1]


def test_where_all_must_run_it_fails(outcome, monkeypatch):
    monkeypatch.setenv(programs.ALL_MUST_RUN, "1")
    counts, shown = outcome("test_missing.py")
    assert counts == {"passed": 1, "failed": 1, "errors": 1}
    assert "needs no-such-program" in shown
    assert f"({programs.ALL_MUST_RUN} is set)" in shown


def test_any_other_skip_is_a_failure(outcome):
    counts, shown = outcome("test_skips.py")
    assert counts == {"failed": 1, "errors": 1, "xfailed": 1}
    assert "only a missing program may skip a test" in shown


def test_a_module_may_not_be_skipped(outcome):
    counts, shown = outcome("test_module.py")
    assert counts == {"errors": 1}
    assert "only a missing program may skip a test" in shown


@pytest.mark.parametrize(
    ("program", "package"), [("xargs", "findutils"), ("split", "coreutils"), ("parallel", "parallel")]
)
def test_the_package_is_named(monkeypatch, program, package):
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.delenv(programs.ALL_MUST_RUN, raising=False)
    with pytest.raises(programs.ProgramMissing, match=f"apt-get install {package},"):
        programs.need(program)
