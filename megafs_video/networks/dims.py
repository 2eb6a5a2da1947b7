"""Every size of a model, in one value that travels inside each checkpoint."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Dims:
    """Sizes of HieRFE, FTM and the generator. The defaults are the model ``mobile``."""

    crop_size: int = 256  # the encoder's input, pixels
    style_size: int = 512  # one style code
    constant_channels: int = 512  # C is [constant_channels, 4, 4]
    generator_channels: tuple[int, ...] = (512, 512, 512, 512, 512, 256, 128, 64)  # 4 px, 8 px, …
    num_low: int = 4  # coarse codes that stay the target's
    codes_per_map: tuple[int, ...] = (4, 6, 6)  # HieRFE: codes read from the 8, 16, 32 px maps
    backbone_widths: tuple[int, ...] = (64, 128, 256, 256)  # two residual blocks a stage
    pyramid_width: int = 128  # channels of the feature pyramid
    mapping_width: int = 96  # channels inside a mapping network
    identity_size: int = 512  # frozen face-recognition features beside the backbone; 0 for none
    transfer_width: int = 64  # hidden units of K1 and K2 (the paper: 256)
    transfer_cells: int = 3

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            sizes = value if isinstance(value, tuple) else (value,)
            if not all(type(size) is int and size >= 0 for size in sizes):
                raise ValueError(f"Dims.{field.name} is {value!r}, wanted whole numbers")
        if not 0 <= self.num_low < self.num_styles:
            raise ValueError(f"Dims.num_low is {self.num_low}, wanted 0 to {self.num_styles - 1}")
        if sum(self.codes_per_map) != self.num_styles:
            raise ValueError(
                f"Dims.codes_per_map adds up to {sum(self.codes_per_map)}, "
                f"but the generator takes {self.num_styles} codes"
            )

    @property
    def num_styles(self) -> int:
        """Distinct codes: one for the first convolution, two a block, one for the picture."""
        return 2 * len(self.generator_channels)

    @property
    def num_high(self) -> int:
        """Codes that the swapper may change."""
        return self.num_styles - self.num_low

    @property
    def resolution(self) -> int:
        """Side of the generated picture, pixels."""
        return 4 << len(self.generator_channels)

    def to_json(self) -> str:
        """One line of JSON, as stored in checkpoints."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Dims:
        """The value that ``to_json`` wrote; ValueError names a field that does not belong.

        >>> Dims.from_json(Dims().to_json()) == Dims()
        True
        """
        found = json.loads(text)
        known = {field.name for field in fields(Dims)}
        if not isinstance(found, dict) or set(found) - known:
            raise ValueError(f"not the sizes of a model: {text[:80]}")
        sizes: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in found.items()
        }
        return Dims(**sizes)


TINY = Dims(
    crop_size=64,
    style_size=8,
    constant_channels=8,
    generator_channels=(8, 8, 8),
    num_low=2,
    codes_per_map=(2, 2, 2),
    backbone_widths=(4, 4, 8, 8),
    pyramid_width=8,
    mapping_width=8,
    identity_size=0,
    transfer_width=8,
)
"""A model small enough for unit tests: it draws pictures of 32 pixels."""
