"""Settings of a training run, read from a TOML file; every field has a default that we used."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from megafs_video.errors import ConfigError, InputNotFoundError

# Counts that something is divided by, or that nothing can be made of if there are none.
AT_LEAST_ONE = {
    "batch",
    "code_batch",
    "head_blocks",
    "late_code_batch",
    "log_every",
    "num_rendered",
    "num_steps",
    "picture_batch",
    "save_every",
    "sheet_every",
}
# Those that divide the pictures of the head, and their windows.
RECONSTRUCTION_SIZES = (4, 8, 16, 32, 64, 128)
IDENTITY_NETWORKS = ("arcface-mbf", "sface")


@dataclass(frozen=True)
class LoopConfig:
    """What both trainings share."""

    seed: int = 0
    num_steps: int = 1100
    num_minutes: float = 0.0  # stop after so long, with the schedule done; 0 for no limit
    learning_rate: float = 1e-3  # peak of a warm-up followed by a half cosine
    warmup_steps: int = 50
    ema_decay: float = 0.99
    clip_norm: float = 1.0
    log_every: int = 10
    save_every: int = 100
    sheet_every: int = 100

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool | str):
                continue
            least = 1 if field.name in AT_LEAST_ONE else 0
            if not (math.isfinite(value) and value >= least):
                raise ValueError(f"{field.name} is {value}, wanted a number from {least} up")
        if self.ema_decay >= 1:
            raise ValueError(f"ema_decay is {self.ema_decay}, wanted less than 1")


@dataclass(frozen=True)
class PictureConfig(LoopConfig):
    """Weights of the losses between pictures: λ of Eq. 8, φ of Eq. 14, and ours."""

    weight_reconstruction: float = 2.0  # λ1, φ1; a weight of 0 leaves a loss out
    reconstruction_size: int = 32  # px of a face, at which squares are taken: of texture, which
    # never lies where the photograph's does, squares leave nothing; it is up to LPIPS
    weight_perceptual: float = 1.0  # λ2, φ2
    weight_identity: float = 1.0  # λ3, φ3
    identity_network: str = "arcface-mbf"  # that this loss asks; what it asks must not judge
    weight_landmark: float = 100.0  # λ4, φ4, for points in [-1, 1]
    weight_expression: float = 10.0  # between 106 landmarks
    weight_mesh: float = 10.0  # between MediaPipe's, which know lids and lips better
    weight_gaze: float = 10.0  # of its pupils in their eyes
    window_batch: int = 4  # faces a step that also have a window drawn by the whole generator
    weight_window: float = 1.0  # of such a window: its squares (λ1, φ1) and LPIPS (λ2, φ2)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.reconstruction_size not in RECONSTRUCTION_SIZES:
            sizes = ", ".join(map(str, RECONSTRUCTION_SIZES))
            raise ValueError(f"reconstruction_size is {self.reconstruction_size}, wanted {sizes}")
        if self.identity_network not in IDENTITY_NETWORKS:
            names = " or ".join(IDENTITY_NETWORKS)
            raise ValueError(f"identity_network is {self.identity_network!r}, wanted {names}")


@dataclass(frozen=True)
class ReadingConfig(PictureConfig):
    """Weights of what is asked of HieRFE before anything is drawn from its codes (ours)."""

    weight_sketch: float = 0.5  # of what the encoder draws to correct itself
    corrector_only: bool = False  # nothing else learns, from sketches alone: ten times as fast
    weight_code: float = 1.0
    weight_constant: float = 0.02
    mixed_share: float = 0.5  # of the generated faces, whose later codes are another face's
    drawn_share: float = 0.0  # of what is taken for photographs: pictures of the generated faces
    rare_share: float = 0.0  # and of photographs of rare expressions
    augmented: bool = True  # photographs are turned and relit, all faces degraded as in video

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("mixed_share", "drawn_share", "rare_share"):
            if getattr(self, name) > 1:
                raise ValueError(f"{name} is {getattr(self, name)}, wanted a share from 0 to 1")


@dataclass(frozen=True)
class EncoderConfig(ReadingConfig):
    """HieRFE (Eq. 8): weights of the losses and where the faces come from."""

    num_rendered: int = 2000  # generated faces with known codes, drawn before the first step
    code_batch: int = 16  # rendered faces a step, while only codes are learnt
    late_code_batch: int = 8  # and afterwards
    picture_batch: int = 6  # photographs and rendered faces a step: losses on pictures
    picture_from_step: int = 450  # codes first
    head_blocks: int = 4  # of the generator, before pictures are drawn: 3 for 64 px, 4 for 128 px
    weight_perceptual: float = 0.8
    warm_backbone: bool = True  # a fresh one starts from face parsing


@dataclass(frozen=True)
class TransferConfig(ReadingConfig):
    """FTM (Eq. 14), and HieRFE, which goes on learning beside it."""

    num_steps: int = 800
    read_anew: bool = False  # teach the reader of spans again, and add to what leads the codes
    code_length: float = 1.0  # of those read from the middle map, when the run starts
    kept_codes: int = 0  # the last so many, which FTM leaves the target's when the run starts
    code_reach: float = (
        0.0  # standard deviations beyond which FTM hears none, from the start; 0: as is
    )
    encoder_rate: float = 0.3  # of the learning rate, for HieRFE but the heads of the high codes
    num_rendered: int = 750  # generated faces: the picture head is fitted on them
    code_batch: int = 4  # of them a step, whose codes are known
    batch: int = 12  # photographs a step: each is the target of another, or of itself
    same_share: float = 0.33  # pairs whose source is the target: reconstruction (Eq. 9)
    direct_share: float = 0.5  # of those, drawn from HieRFE's codes, which must stay true
    weight_code: float = 0.1
    weight_constant: float = 0.002
    weight_identity: float = 8.0
    weight_landmark: float = 200.0
    weight_expression: float = 20.0
    weight_norm: float = 0.05  # φ5

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.code_length == 0:
            raise ValueError("code_length is 0.0, wanted more: such codes would draw one face")


C = TypeVar("C", bound=LoopConfig)


def read_config(path: Path | None, kind: type[C]) -> C:
    """The settings in a TOML file, or the defaults.

    InputNotFoundError: no such file. ConfigError names a wrong key, type or number.
    """
    if path is None:
        return kind()
    try:
        found: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputNotFoundError(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not a TOML file: {error}") from error
    defaults = {field.name: field.default for field in fields(kind)}
    for name, value in found.items():
        if name not in defaults:
            raise ConfigError(f"{path} sets {name}, which is not one of: {', '.join(defaults)}")
        if type(value) is int and type(defaults[name]) is float:
            value = found[name] = float(value)  # a person may well write 1 for 1.0
        if type(value) is not type(defaults[name]):
            wanted = type(defaults[name]).__name__
            raise ConfigError(f"{path} sets {name} to {value!r}, wanted a value of type {wanted}")
    try:
        return kind(**found)
    except ValueError as error:
        raise ConfigError(f"{path} cannot be used: {error}") from error
