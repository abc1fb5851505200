"""Drawing under fixed settings, whatever a `matplotlibrc` of the directory or of the user says."""

from __future__ import annotations

import os.path
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_ONE_AT_A_TIME = threading.RLock()
"""matplotlib's settings and Python's warning filters belong to the whole process."""
OUR_OWN = {"backend", "backend_fallback"}
"""Settings that are left alone: to set them would import what draws windows."""


def import_matplotlib() -> None:
    """Import matplotlib without reading settings files; nothing happens where somebody has imported it already.

    It reads them when it is imported, first that of the current directory: a pipe there would be waited for, and one
    that is no text would cost the import, and with it every result.
    """
    if "matplotlib" in sys.modules:
        return
    exists = os.path.exists

    def but_for_settings(path: Any) -> bool:
        # matplotlib's own defaults are in its folder mpl-data.
        name = str(path)
        settings = os.path.basename(name) == "matplotlibrc"  # noqa: PTH119 - asked in the midst of an import
        return exists(path) and not (settings and os.path.basename(os.path.dirname(name)) != "mpl-data")  # noqa: PTH119, PTH120

    os.path.exists = but_for_settings
    try:
        import matplotlib  # noqa: F401
    finally:
        os.path.exists = exists


@contextmanager
def fixed_settings() -> Iterator[None]:
    """Draw under matplotlib's defaults, one thread at a time; around the making of a figure, for it takes them then.

    Yields:
        Nothing; after that the settings are as they were.
    """
    import matplotlib

    defaults = {name: value for name, value in dict.items(matplotlib.rcParamsDefault) if name not in OUR_OWN}
    with _ONE_AT_A_TIME, matplotlib.rc_context():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", matplotlib.MatplotlibDeprecationWarning)
            matplotlib.rcParams.update(defaults)
        yield
