"""A limit on what a library may make while it builds a network: not much more than the weight files hold.

The settings were compared with the files one by one; this is for what several of them make together, or a library by
itself, such as a large architecture by its name.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import (
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)
from torch.utils._python_dispatch import TorchDispatchMode

from vitequiv.encoders.checkpoints.held import Held
from vitequiv.errors import ModelError

TIMES, SPARE_NUMBERS, SPARE_PARTS = 4, 2**26, 2000
"""What may be made is so many times what is held, and so much more: masks and tables, and text halves that are left."""


@contextmanager
def budget(held: Held, settings: Mapping[str, Any], file: str, spec: str) -> Iterator[None]:
    """Watch over a library that builds a network.

    Args:
        held: What the weights hold.
        settings: What the library was given, to name the setting that is at fault.
        file: The settings' file, for messages.
        spec: The encoder spec, for messages.

    Yields:
        Nothing.

    Raises:
        ModelError: Before a tensor is made that is too large, or when there are too many.
    """
    watch = _Watch(held, settings, file, spec)
    hooks = (
        register_module_parameter_registration_hook(watch.parameter),
        register_module_module_registration_hook(watch.module),
    )
    try:
        with watch:
            yield
    finally:
        for hook in hooks:
            hook.remove()


class _Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self, held: Held, settings: Mapping[str, Any], file: str, spec: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.held, self.settings, self.file, self.spec = held, settings, file, spec
        self.thread = threading.get_ident()
        self.numbers, self.parts = 0, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Look at the sizes that an operation is given, before it is done."""
        for shape in _shapes(func.overloadpacket.__name__, args):
            self.allow(math.prod(shape), shape)
        return func(*args, **(kwargs or {}))

    def parameter(self, module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        """Count a parameter."""
        if parameter is not None and threading.get_ident() == self.thread:
            self.numbers += parameter.numel()
            self.allow(self.numbers, tuple(parameter.shape))

    def module(self, module: nn.Module, name: str, submodule: nn.Module | None) -> None:
        """Count a module."""
        if threading.get_ident() != self.thread:
            return
        self.parts += 1
        if self.parts > TIMES * len(self.held.shapes) + SPARE_PARTS:
            raise self.refuse("a network of more parts than its weights can fill", ())

    def allow(self, numbers: int, shape: tuple[int, ...]) -> None:
        """Refuse what is too large."""
        if numbers > TIMES * self.held.numbers + SPARE_NUMBERS:
            raise self.refuse(f"{numbers:,} numbers, here a tensor of {' x '.join(map(str, shape))}", shape)

    def refuse(self, what: str, shape: tuple[int, ...]) -> ModelError:
        """Word the refusal, with the setting that is most likely at fault: one of these sides, or the largest."""
        longest = self.held.longest
        found = [item for item in _numbers(self.settings, "") if abs(item[1]) > longest]
        found.sort(key=lambda item: (item[1] in shape, abs(item[1])))
        largest = f" (look at its {found[-1][0]}, which is {found[-1][1]})" if found else ""
        return ModelError(
            f"The {self.file} of {self.spec} asks for {what}{largest}, and the weights hold {self.held}: "
            "correct it, or fetch the checkpoint again."
        )


_RANGES = {"arange", "linspace", "logspace", "eye", "randperm"}
"""Operations whose length is a number by itself."""


def _shapes(operation: str, arguments: Any) -> Iterator[tuple[int, ...]]:
    """The sizes among an operation's arguments, and what its tensors make when they are spread over each other."""
    tensors = [argument.shape for argument in arguments if isinstance(argument, torch.Tensor)]
    if operation in _RANGES:
        lengths = [int(argument) for argument in arguments if isinstance(argument, int | float)]
        yield (max(map(abs, lengths), default=0),)
    for argument in arguments:
        if isinstance(argument, list | tuple) and all(type(side) is int for side in argument):
            yield (*argument, math.prod(tensors[0])) if operation == "repeat" else tuple(argument)
    if len(tensors) > 1:
        try:
            yield tuple(torch.broadcast_shapes(*tensors))  # type: ignore[no-untyped-call]
        except RuntimeError:  # an operation of another kind
            return


def _numbers(settings: Any, key: str) -> Iterator[tuple[str, float]]:
    if isinstance(settings, Mapping):
        for name, value in settings.items():
            yield from _numbers(value, f"{key}.{name}" if key else str(name))
    elif isinstance(settings, list | tuple):
        for value in settings:
            yield from _numbers(value, key)
    elif isinstance(settings, int | float) and not isinstance(settings, bool):
        yield key, settings
