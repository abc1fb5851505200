"""The small checkpoints, loaded and copied, as the tests of the adapters have them."""

from tests.encoders.conftest import copy, directory, encoder

__all__ = ["copy", "directory", "encoder"]
