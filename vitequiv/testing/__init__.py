"""A conformance suite for encoders, and checks of solvers, directions and paths, for the tests of plugins.

    from functools import partial

    import pytest

    from vitequiv import load_encoder
    from vitequiv.testing import CHECKS, registry_of

    load = partial(load_encoder, "mine", registry=registry_of("vitequiv_mine"))

    @pytest.mark.parametrize("check", CHECKS, ids=str)
    def test_conformance(check):
        check(load(), reload=load)

`check_encoder("mine")` runs all of them on an installed plugin and raises one error that names every check that failed.
`check_solver`, `check_directions` and `check_path` do the same for the other things that plugins register.
"""

from vitequiv.testing.directions import check_directions
from vitequiv.testing.paths import check_path
from vitequiv.testing.registry import registry_of
from vitequiv.testing.report import ConformanceError, Failure, Report
from vitequiv.testing.solvers import check_solver
from vitequiv.testing.subject import CheckError, InapplicableError, Official, Subject
from vitequiv.testing.suite import CHECKS, Check, check_encoder

__all__ = [
    "CHECKS",
    "Check",
    "CheckError",
    "ConformanceError",
    "Failure",
    "InapplicableError",
    "Official",
    "Report",
    "Subject",
    "check_directions",
    "check_encoder",
    "check_path",
    "check_solver",
    "registry_of",
]
