"""Settings of a training run, read from a TOML file; every field has a default that we used."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from megafs_video.errors import ConfigError, InputNotFoundError


@dataclass(frozen=True)
class LoopConfig:
    """What both trainings share."""

    seed: int = 0
    num_steps: int = 1100
    learning_rate: float = 1e-3  # peak of a warm-up followed by a half cosine
    warmup_steps: int = 50
    ema_decay: float = 0.99
    clip_norm: float = 1.0
    log_every: int = 10
    save_every: int = 100
    sheet_every: int = 100


@dataclass(frozen=True)
class EncoderConfig(LoopConfig):
    """HieRFE (Eq. 8): weights of the losses and where the faces come from."""

    num_rendered: int = 2000  # generated faces with known codes, drawn before the first step
    code_batch: int = 16  # rendered faces a step, while only codes are learnt
    late_code_batch: int = 8  # and afterwards
    picture_batch: int = 6  # photographs and rendered faces a step: losses on pictures
    picture_from_step: int = 450  # codes first
    weight_code: float = 1.0
    weight_reconstruction: float = 1.0  # λ1
    weight_perceptual: float = 0.8  # λ2
    weight_identity: float = 1.0  # λ3
    weight_landmark: float = 20.0  # λ4, for points in [-1, 1]
    weight_constant: float = 0.1


@dataclass(frozen=True)
class TransferConfig(LoopConfig):
    """FTM (Eq. 14)."""

    num_steps: int = 1600
    num_rendered: int = 320  # generated faces that the picture head is fitted on
    batch: int = 6
    same_share: float = 0.2  # pairs whose source is the target: reconstruction (Eq. 9)
    weight_reconstruction: float = 8.0  # φ1
    weight_perceptual: float = 1.0  # φ2
    weight_identity: float = 6.0  # φ3
    weight_landmark: float = 100.0  # φ4, for points in [-1, 1]
    weight_norm: float = 0.1  # φ5


C = TypeVar("C", bound=LoopConfig)


def read_config(path: Path | None, kind: type[C]) -> C:
    """The configuration in a TOML file, or the defaults; ConfigError names a wrong key."""
    if path is None:
        return kind()
    if not path.is_file():
        raise InputNotFoundError(f"no configuration file at {path}")
    try:
        found: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not a TOML file: {error}") from error
    defaults = {field.name: field.default for field in fields(kind)}
    for name, value in found.items():
        if name not in defaults:
            raise ConfigError(f"{path} sets {name}, which is not one of: {', '.join(defaults)}")
        if type(value) is not type(defaults[name]):
            wanted = type(defaults[name]).__name__
            raise ConfigError(f"{path} sets {name} to {value!r}, wanted a value of type {wanted}")
    return kind(**found)
