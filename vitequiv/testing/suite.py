"""The checks in their order, one by one or all at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from vitequiv.encoders.base import Encoder
from vitequiv.encoders.load import load_encoder
from vitequiv.testing import derivative, images, loading, mapping, parts
from vitequiv.testing.report import ConformanceError, Failure, Report, outcome, report
from vitequiv.testing.subject import Official, Subject


@dataclass(frozen=True)
class Check:
    """One property of an encoder, as a function to call in a test.

    Args:
        name: Its name.
        function: What measures it.
    """

    name: str
    function: Callable[[Subject], None]

    def __str__(self) -> str:
        return self.name

    def __call__(
        self, encoder: Encoder, *, reload: Callable[..., Encoder] | None = None, official: Official | None = None
    ) -> str | None:
        """Run the check.

        Args:
            encoder: The encoder.
            reload: Loads it again, called with the keywords `device` and `dtype`; by default `load_encoder` with its
                spec and readout, for which the plugin must be installed.
            official: The checkpoint's own processor, if there is one to compare with.

        Returns:
            Why the check is not for this encoder or machine; None if it passed.

        Raises:
            ConformanceError: If the property does not hold.
        """
        reload = reload or partial(load_encoder, encoder.spec, readout=encoder.readout)
        found = self._run(Subject(encoder, reload, official))
        if isinstance(found, Failure):
            raise ConformanceError(encoder.spec, (found,), 1)
        return found

    def _run(self, subject: Subject) -> Failure | str | None:
        return outcome(self.name, lambda: self.function(subject))


CHECKS = (
    Check("shape", mapping.shape),
    Check("finite", mapping.finite),
    Check("determinism", mapping.determinism),
    Check("modes", mapping.modes),
    Check("batching", mapping.batching),
    Check("crosstalk", mapping.crosstalk),
    Check("gradient", derivative.gradient),
    Check("weights", mapping.weights),
    Check("frozen", loading.frozen),
    Check("eval", loading.evaluation),
    Check("pixels", images.pixels),
    Check("preprocessing", images.preprocessing),
    Check("reload", loading.reloading),
    Check("dtypes", loading.dtypes),
    Check("devices", loading.devices),
    Check("text", parts.text),
    Check("head", parts.head),
)
"""Every check, the cheap ones first."""


def check_encoder(
    encoder: Encoder | str, *, reload: Callable[..., Encoder] | None = None, official: Official | None = None
) -> Report:
    """Check that an encoder does what every part of vitequiv relies on.

    Args:
        encoder: The encoder, or the spec of one that is installed.
        reload: Loads it again, called with the keywords `device` and `dtype`; by default `load_encoder` with its spec
            and readout.
        official: The checkpoint's own processor (an RGB image to normalised (3, H, W)), if there is one to compare
            with; by default those that the adapter itself names.

    Returns:
        What passed and what was not applicable. Cost: about 60 forwards, 10 vjps and 8 loads.

    Raises:
        ConformanceError: If a check failed; it names each, with what was measured and what to change.
    """
    if isinstance(encoder, str):
        encoder = load_encoder(encoder)
    reload = reload or partial(load_encoder, encoder.spec, readout=encoder.readout)
    subject = Subject(encoder, reload, official)
    return report(encoder.spec, {check.name: check._run(subject) for check in CHECKS})
