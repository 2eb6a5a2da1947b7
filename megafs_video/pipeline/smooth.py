"""Smooth: the codes of a face change no faster over time than the face does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from megafs_video.pipeline.window import Window, centred_windows
from megafs_video.trajectories.kernels import Gaussian, Kernel, SavitzkyGolay
from megafs_video.values import EncodedFace, FloatArray, FrameFaces, Latents


@dataclass(frozen=True)
class Strength:
    """One filter per kind of code: what carries speech and blinks must hardly be touched."""

    constant: Kernel  # C: the layout of the 4 px map
    coarse: Kernel  # codes of the 4 and 8 px layers: pose, shape of the head
    middle: Kernel  # codes of the 16, 32 and 64 px layers: identity, mouth, eyelids
    fine: Kernel  # codes from 128 px on: colour, light, texture

    @property
    def kernels(self) -> tuple[Kernel, ...]:
        """All of them."""
        return (self.constant, self.coarse, self.middle, self.fine)

    def of_style(self, style_index: int) -> Kernel:
        """The filter of one style code, counted from the coarsest.

        Code 0 drives the 4 px layer and then two codes drive each doubling of the size.
        """
        resolution = 4 * 2 ** ((style_index + 1) // 2)
        if resolution <= 8:
            return self.coarse
        return self.middle if resolution <= 64 else self.fine


# Gain for a tone at 2, 5 and 8 Hz (speech is 2 to 7 Hz) and what is left of white noise, at 30
# frames a second: .99, .67, -.06 and 58 %; .92, .58, .25 and 53 %; .50, .01, -.01 and 32 %.
# The radius is just above 3 (or 6) frames of 29.97 frames a second.
_SPEECH = SavitzkyGolay(radius_seconds=0.11, order=2)
_POSE = Gaussian(sigma_seconds=1 / 30, radius_seconds=0.11)
_COLOUR = Gaussian(sigma_seconds=1 / 10, radius_seconds=0.21)

STRENGTHS: dict[str, Strength | None] = {
    "off": None,
    "light": Strength(constant=_SPEECH, coarse=_SPEECH, middle=_SPEECH, fine=_POSE),
    "strong": Strength(constant=_SPEECH, coarse=_POSE, middle=_SPEECH, fine=_COLOUR),
}


_Codes = tuple[FloatArray, FloatArray]
"""C [512, 4, 4] and the styles [L, 512] of one face."""


@dataclass(frozen=True)
class Smooth:
    """Stage that filters each track's codes over a centred window of time.

    A window holds the frames of the same track within the filters' radius, and at most
    ``max_lookahead_frames`` to each side; it is cut off, not padded, at the ends of a track.
    Without a strength every item passes through untouched.
    """

    strength: Strength | None
    max_lookahead_frames: int = 8  # a bound for memory: frames wait while the window fills

    def __post_init__(self) -> None:
        if self.max_lookahead_frames < 1:
            raise ValueError(
                f"Smooth.max_lookahead_frames is {self.max_lookahead_frames}, wanted at least 1"
            )

    @property
    def lookahead(self) -> int:
        """Frames it waits for to fill the window."""
        return self.max_lookahead_frames if self.strength else 0

    def __call__(
        self, items: Iterator[FrameFaces[EncodedFace]]
    ) -> Iterator[FrameFaces[EncodedFace]]:
        if self.strength is None:
            yield from items
            return
        windows_of_items = centred_windows(
            items,
            _codes,
            radius_seconds=max(kernel.radius_seconds for kernel in self.strength.kernels),
            max_frames=self.max_lookahead_frames,
        )
        for item, windows in windows_of_items:
            faces = tuple(
                replace(face, latents=smooth_latents(self.strength, window, item.frame.seconds))
                for face, window in zip(item.faces, windows, strict=True)
            )
            yield FrameFaces(item.frame, faces)


def smooth_latents(strength: Strength, window: Window[_Codes], centre_seconds: float) -> Latents:
    """Codes at the centre of a window (N = 1) of one track."""
    offsets = np.array([moment.seconds - centre_seconds for moment in window])  # [K]
    weights = {kernel: kernel.weights(offsets) for kernel in strength.kernels}
    constants, styles = zip(*(moment.value for moment in window), strict=True)
    constant = np.einsum("k,kchw->chw", weights[strength.constant], np.stack(constants))
    per_style = [weights[strength.of_style(index)] for index in range(len(styles[0]))]  # L of [K]
    smooth_styles = np.einsum("lk,kld->ld", np.stack(per_style), np.stack(styles))
    return Latents(
        torch.from_numpy(constant.astype(np.float32))[None],
        torch.from_numpy(smooth_styles.astype(np.float32))[None],
    )


def _codes(face: EncodedFace) -> _Codes:
    return face.latents.constant[0].numpy(), face.latents.styles[0].numpy()
