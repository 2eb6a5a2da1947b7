"""Smooth: the codes of a face change no faster over time than the face does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from megafs_video.pipeline.profile import Profile
from megafs_video.pipeline.window import (
    MAX_LOOKAHEAD_FRAMES,
    Values,
    filtered,
    lookahead_frames,
)
from megafs_video.trajectories.euro import root_mean_square
from megafs_video.trajectories.filters import Filter, Sample
from megafs_video.values import EncodedFace, FrameFaces, Latents

# Style code 0 drives the 4 px layer and then two codes drive each doubling of the size: codes
# 3 to 6 drive the layers of 16 and 32 px.
_FIRST_MIDDLE, _FIRST_FINE = 3, 7


@dataclass(frozen=True)
class Smooth:
    """Stage that filters each track's codes over time, each part of them by its own filter.

    Without a profile every item passes through untouched.
    """

    profile: Profile | None
    max_lookahead_frames: int = MAX_LOOKAHEAD_FRAMES

    @property
    def lookahead(self) -> int:
        """Most frames that wait while the filters look ahead."""
        if self.profile is None:
            return 0
        return lookahead_frames(_filters(self.profile), self.max_lookahead_frames)

    def __call__(
        self, items: Iterator[FrameFaces[EncodedFace]]
    ) -> Iterator[FrameFaces[EncodedFace]]:
        if self.profile is None:
            yield from items
            return
        for item, values_of_faces in filtered(
            items,
            _samples,
            _filters(self.profile),
            name="smooth",
            max_frames=self.max_lookahead_frames,
        ):
            faces = tuple(
                replace(face, latents=_latents(values, like=face.latents))
                for face, values in zip(item.faces, values_of_faces, strict=True)
            )
            yield FrameFaces(item.frame, faces)


def _filters(profile: Profile) -> tuple[Filter[Any], ...]:
    return (profile.constant, profile.coarse, profile.middle, profile.fine)


def _samples(seconds: float, face: EncodedFace) -> Sequence[Sample]:
    """C and the coarse, middle and fine codes as one row of numbers each."""
    styles = face.latents.styles[0].numpy()  # [L, 512]
    parts = (
        face.latents.constant[0].numpy(),
        styles[:_FIRST_MIDDLE],
        styles[_FIRST_MIDDLE:_FIRST_FINE],
        styles[_FIRST_FINE:],
    )
    return [
        Sample(
            seconds,
            part.ravel().astype(np.float64),
            face.crop.confidence,
            # A code that changes by its own size a second moves fast.
            unit=max(root_mean_square(part), 1e-6),
        )
        for part in parts
    ]


def _latents(values: Values, like: Latents) -> Latents:
    """The codes (N = 1) that were taken apart by ``_samples``."""
    constant, *styles = (torch.from_numpy(value.astype(np.float32)) for value in values)
    return Latents(
        constant.reshape(like.constant.shape), torch.cat(styles).reshape(like.styles.shape)
    )
