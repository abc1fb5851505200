"""From a spec to a probed encoder."""

from __future__ import annotations

import torch

from vitequiv.encoders.base import Encoder, VisionTower
from vitequiv.encoders.checkpoints.quiet import loading
from vitequiv.encoders.device import resolve_device
from vitequiv.encoders.families import EncoderFamily, Readout
from vitequiv.encoders.probe import probe
from vitequiv.encoders.spec import DEFAULT_SPEC, parse_spec
from vitequiv.encoders.weights import align, digest
from vitequiv.errors import ModelError, UsageError
from vitequiv.plugins.kinds import ENCODER
from vitequiv.plugins.registry import Registry, find

DTYPES = (torch.float32, torch.float64, torch.bfloat16)


def load_encoder(
    spec: str = DEFAULT_SPEC,
    *,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
    readout: str | Readout | None = None,
    registry: Registry[EncoderFamily] | None = None,
) -> Encoder:
    """Load an encoder, freeze it and probe it once.

    Args:
        spec: `NAME[:CHECKPOINT]`, for example `tiny-clip`, `beit:DIR` or `timm:vit_base_patch16_224`.
        device: `auto`, `cpu`, `cuda`, `cuda:I`, `mps`, or a torch device.
        dtype: float32, float64, or bfloat16 (autocast; parameters stay float32).
        readout: Which vector is the embedding: `cls`, `mean`, `pooler`, `projection`; None for the family's default.
        registry: Where to look names up; by default the built-in families and the installed plugins.

    Returns:
        The encoder. Cost: 5 forwards and 1 vjp, on noise, for the probe.

    Raises:
        ModelError: If the name is unknown, the checkpoint cannot be had or fails the probe.
        UsageError: If the device is not there or has no such dtype, or the family has no such readout.
        ValueError: If the dtype is not one of the three.
    """
    if dtype not in DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(map(str, DTYPES))}, got {dtype}.")
    parsed = parse_spec(spec)
    family = (registry.find(parsed.name) if registry else find(ENCODER, parsed.name)).thing
    checkpoint = parsed.checkpoint or family.default_checkpoint
    if checkpoint is None:
        raise ModelError(
            f"The model {family.name!r} has no default checkpoint: name one after a colon, as in "
            f"{family.name}:CHECKPOINT."
        )
    chosen = _readout(readout, family.readouts, family.name)
    where = resolve_device(device)
    if dtype == torch.float64 and where.type == "mps":
        raise UsageError("The device mps has no float64: use --device cpu, or --dtype float32.")

    with loading(f"The model {parsed}"):  # whatever a plugin raises, and whatever its library says
        tower = family.load(checkpoint, chosen)
    if not isinstance(tower, VisionTower):
        raise ModelError(
            f"The plugin of {parsed} returned a {type(tower).__name__} in place of a VisionTower: "
            "its load must return one."
        )
    for module in tower.modules():
        module.eval().requires_grad_(False)
        align(module)
    weights_sha256 = digest(tower.module)
    parameters = torch.float32 if dtype == torch.bfloat16 else dtype
    for module in tower.modules():
        module.to(where, parameters)
    encoder = Encoder(
        spec=str(parsed),
        family=family.name,
        checkpoint=checkpoint,
        readout=tower.readout or chosen,
        tower=tower,
        embedding_dim=0,
        device=where,
        dtype=dtype,
        weights_sha256=weights_sha256,
    )
    return probe(encoder)


def _readout(wanted: str | Readout | None, offered: tuple[Readout, ...], name: str) -> Readout:
    if wanted is None:
        return offered[0]
    if wanted not in {readout.value for readout in offered}:
        raise UsageError(f"The model {name!r} has no readout {str(wanted)!r}: choose from {', '.join(offered)}.")
    return Readout(wanted)
