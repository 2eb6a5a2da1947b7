"""Every size of a model, in one value that travels inside each checkpoint."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any

FAMILIES = ("mobile", "paper")
SPACES = ("W++", "W+")


@dataclass(frozen=True)
class Dims:
    """Sizes of HieRFE, FTM and the generator. The defaults are the model ``mobile``.

    The family ``paper`` is the published model at any size; ``PAPER`` is the one of the paper.
    """

    family: str = "mobile"  # which networks the sizes are of: one of FAMILIES
    space: str = "W++"  # what HieRFE predicts; W+ leaves C to the generator (paper, Table 3)
    crop_size: int = 256  # the encoder's input, pixels
    style_size: int = 512  # one style code
    constant_channels: int = 512  # C is [constant_channels, 4, 4]
    generator_channels: tuple[int, ...] = (512, 512, 512, 512, 512, 256, 128, 64)  # 4 px, 8 px, …
    num_low: int = 4  # coarse codes that stay the target's
    codes_per_map: tuple[int, ...] = (4, 6, 6)  # HieRFE: codes read from the 8, 16, 32 px maps
    backbone_widths: tuple[int, ...] = (64, 128, 256, 256)  # one stage each
    backbone_depths: tuple[int, ...] = (2, 2, 2, 2)  # residual blocks of a stage
    pyramid_width: int = 128  # channels of the feature pyramid
    mapping_width: int = 96  # channels inside a mapping network
    identity_size: int = 512  # frozen face-recognition features beside the backbone; 0 for none
    num_landmarks: int = 106  # points that a frozen landmarker adds to the maps; 0 for none
    num_spans: int = 30  # offsets of pupils, lids, brows and lips read beside these; 0 for none
    num_corrections: int = 2  # times that C and the low codes are corrected by what they draw
    transfer_width: int = 64  # hidden units of K1 and K2 (the paper: 256)
    transfer_cells: int = 3
    num_kept: int = 16  # kinds of expression that FTM gives back to the target; 0 for none

    def __post_init__(self) -> None:
        for name, choices in (("family", FAMILIES), ("space", SPACES)):
            if getattr(self, name) not in choices:
                raise ValueError(
                    f"Dims.{name} is {getattr(self, name)!r}, wanted one of {', '.join(choices)}"
                )
        for field in fields(self):
            if field.name in ("family", "space"):
                continue
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
        if self.num_spans and not self.num_landmarks:
            raise ValueError(
                f"Dims.num_spans is {self.num_spans}, wanted 0 without landmarks to stand beside"
            )
        if len(self.backbone_depths) != len(self.backbone_widths) or 0 in self.backbone_depths:
            raise ValueError(
                f"Dims.backbone_depths is {self.backbone_depths}, wanted a number from 1 for each "
                f"of the {len(self.backbone_widths)} stages"
            )
        if self.family == "paper":
            self._check_paper()

    def _check_paper(self) -> None:
        """The published networks have no such freedom as ours."""
        num_stages = 5 if self.space == "W++" else 4
        wanted = {
            "crop_size": 256,
            "identity_size": 0,
            "num_landmarks": 0,
            "num_spans": 0,
            "num_corrections": 0,
            "num_kept": 0,
            "num_low": self.codes_per_map[0],
        }
        for name, size in wanted.items():
            if getattr(self, name) != size:
                raise ValueError(f"Dims.{name} is {getattr(self, name)}, the paper has {size}")
        if len(self.codes_per_map) != 3 or len(self.backbone_widths) != num_stages:
            raise ValueError(
                f"Dims.codes_per_map and Dims.backbone_widths have {len(self.codes_per_map)} and "
                f"{len(self.backbone_widths)} sizes, the paper's {self.space} 3 and {num_stages}"
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
    def num_points(self) -> int:
        """Landmarks and spans that HieRFE hears."""
        return self.num_landmarks + self.num_spans

    @property
    def resolution(self) -> int:
        """Side of the generated picture, pixels."""
        # StyleGAN2 draws at the size of its last block, MobileStyleGAN at twice that.
        num_doublings = len(self.generator_channels) - (self.family == "paper")
        return 4 << num_doublings

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
        # Files of before there were any say nothing.
        return Dims(**({"num_spans": 0, "num_kept": 0} | sizes))


PAPER = Dims(
    family="paper",
    generator_channels=(512, 512, 512, 512, 512, 256, 128, 64, 32),
    codes_per_map=(4, 6, 8),
    backbone_widths=(64, 128, 256, 512, 512),
    backbone_depths=(3, 4, 6, 3, 2),
    pyramid_width=512,
    mapping_width=512,
    identity_size=0,
    num_landmarks=0,
    num_spans=0,
    num_corrections=0,
    transfer_width=256,
    num_kept=0,
)
"""The published model: ResNet-50 with a fifth stage, 18 codes, StyleGAN2 at 1024 px."""

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
    num_landmarks=0,
    num_spans=0,
    num_corrections=0,
    transfer_width=8,
    num_kept=0,
)
"""A model small enough for unit tests: it draws pictures of 32 pixels."""
