"""What a row of a pairs file sets for its own item."""

from __future__ import annotations

from dataclasses import replace

from vitequiv.matching.names import LossName
from vitequiv.results.settings import Setting, Source
from vitequiv.runs.context import RunContext
from vitequiv.runs.target_choice import TextTarget
from vitequiv.runs.worklist.items import Pair


def own_settings(context: RunContext, pair: Pair, loss: LossName) -> RunContext:
    """Say in an item's settings what its row says in place of an option.

    Args:
        context: What the items share.
        pair: The item.
        loss: What is made small for it.

    Returns:
        The same, with the row's `target_text` or `target_embedding` and its loss; as it is for a pair without.
    """
    given = pair.given
    if given is None:
        return context
    if isinstance(given, TextTarget):
        name, value = "target_text", given.text
    else:
        name, value = "target_embedding", "#".join(filter(None, (str(given.path), given.tensor)))
    source = context.settings["loss"].source if "loss" in context.settings else Source.DEFAULT
    own = {name: Setting(value, Source.PAIRS), "loss": Setting(loss, source)}
    return replace(context, settings={**context.settings, **own})
