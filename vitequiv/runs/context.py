"""What all items of a run share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vitequiv.plugins.kinds import ENCODER, Kind
from vitequiv.results.cost import Cost
from vitequiv.results.envelope import Envelope, InputRecord, ModelRecord
from vitequiv.results.environment import Environment, describe_environment
from vitequiv.results.settings import Setting
from vitequiv.results.status import Status

if TYPE_CHECKING:
    from vitequiv.encoders.base import Encoder


@dataclass(frozen=True)
class RunContext:
    """The part of the envelope that is the same for every item of a run."""

    verb: str
    model: ModelRecord
    settings: Mapping[str, Setting]
    environment: Environment

    def envelope(
        self,
        item: str,
        status: Status,
        message: str,
        inputs: tuple[InputRecord, ...],
        cost: Cost | None = None,
        result: Mapping[str, Any] | None = None,
        artifacts: Mapping[str, str] | None = None,
        notes: tuple[str, ...] = (),
    ) -> Envelope:
        """Complete the envelope for one item; see `Envelope` for the arguments."""
        return Envelope(
            verb=self.verb,
            item=item,
            status=status,
            message=message,
            inputs=inputs,
            model=self.model,
            settings=self.settings,
            cost=cost or Cost(),
            environment=self.environment,
            result=result,
            artifacts=artifacts or {},
            notes=notes,
        )


def describe_run(
    verb: str,
    encoder: Encoder,
    settings: Mapping[str, Setting],
    seed: int,
    used: Mapping[Kind[Any], Iterable[str]] | None = None,
    device: str | None = None,
) -> RunContext:
    """Describe a run.

    Args:
        verb: The verb.
        encoder: The encoder in use.
        settings: Every option's value with its source.
        seed: The seed in use.
        used: The names of what it uses beside the encoder, by kind; those of plugins are recorded with their owners.
        device: Where items are computed, if that is not where the encoder is.

    Returns:
        What its items share.
    """
    model = ModelRecord(
        spec=encoder.spec,
        family=encoder.family,
        checkpoint=encoder.checkpoint,
        readout=encoder.readout,
        embedding_dim=encoder.embedding_dim,
        input_size=encoder.input_size,
        weights_sha256=encoder.weights_sha256,
        preprocessing_sha256=encoder.preprocessing.sha256,
    )
    dtype = str(encoder.dtype).removeprefix("torch.")
    # Imported here, for the registry reads what is installed, and --help does not wait for that.
    from vitequiv.plugins.origins import origins

    plugins = origins({ENCODER: [encoder.family], **(used or {})})
    return RunContext(verb, model, settings, describe_environment(device or str(encoder.device), dtype, seed, plugins))
