"""Resampling filters by name."""

from __future__ import annotations

from enum import Enum

from PIL import Image


class Filter(Enum):
    """Pillow's resampling filters, by the names that timm, torchvision and Pillow share."""

    NEAREST = "nearest"
    BOX = "box"
    BILINEAR = "bilinear"
    HAMMING = "hamming"
    BICUBIC = "bicubic"
    LANCZOS = "lanczos"

    @property
    def pillow(self) -> Image.Resampling:
        """The same filter in Pillow's numbering."""
        return Image.Resampling[self.name]

    @classmethod
    def from_pillow(cls, number: int) -> Filter:
        """The filter of a `"resample": 3` in a `preprocessor_config.json`.

        Args:
            number: Pillow's number, 0 to 5.

        Returns:
            The filter.

        Raises:
            ValueError: If no filter has this number.
        """
        for member in cls:
            if member.pillow == number:
                return member
        known = ", ".join(f"{int(member.pillow)} ({member.value})" for member in cls)
        raise ValueError(f"unknown resampling filter number {number!r}; expected one of {known}")

    @classmethod
    def from_name(cls, name: str) -> Filter:
        """The filter of a name such as `"bicubic"`, in any case.

        Args:
            name: A name used by timm, open_clip or torchvision.

        Returns:
            The filter.

        Raises:
            ValueError: If no filter has this name.
        """
        try:
            return cls(name.lower())
        except ValueError:
            known = ", ".join(member.value for member in cls)
            raise ValueError(f"unknown resampling filter {name!r}; expected one of {known}") from None
