"""A figure a verb, drawn from a result alone."""

from vitequiv.plots.settings import import_matplotlib

import_matplotlib()  # before the other modules here do
