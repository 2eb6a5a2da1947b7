"""Smooth: the codes of a face change no faster over time than the face does."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

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


@dataclass(frozen=True)
class _Moment:
    """The codes of one track in one frame."""

    frame_index: int
    seconds: float
    constant: FloatArray  # [512, 4, 4]
    styles: FloatArray  # [L, 512]


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
        radius_seconds = max(kernel.radius_seconds for kernel in self.strength.kernels)
        waiting: deque[FrameFaces[EncodedFace]] = deque()
        tracks: dict[int, deque[_Moment]] = {}
        first_index = 0  # of the frame that waits longest
        for frame_index, item in enumerate(items):
            waiting.append(item)
            for face in item.faces:
                moments = tracks.setdefault(face.track_id, deque())
                moments.append(_moment(frame_index, item.frame.seconds, face))
            while len(waiting) > self.lookahead or (
                item.frame.seconds - waiting[0].frame.seconds > radius_seconds
            ):
                yield self._smooth(self.strength, waiting.popleft(), first_index, tracks)
                first_index += 1
                _forget(tracks, before_index=first_index - self.lookahead)
        while waiting:
            yield self._smooth(self.strength, waiting.popleft(), first_index, tracks)
            first_index += 1

    def _smooth(
        self,
        strength: Strength,
        item: FrameFaces[EncodedFace],
        frame_index: int,
        tracks: dict[int, deque[_Moment]],
    ) -> FrameFaces[EncodedFace]:
        faces = []
        for face in item.faces:
            window = [
                moment
                for moment in tracks[face.track_id]
                if abs(moment.frame_index - frame_index) <= self.max_lookahead_frames
            ]
            latents = smooth_latents(strength, window, item.frame.seconds)
            faces.append(replace(face, latents=latents))
        return FrameFaces(item.frame, tuple(faces))


def smooth_latents(strength: Strength, window: Sequence[_Moment], centre_seconds: float) -> Latents:
    """Codes at the centre of a window (N = 1) of one track."""
    offsets = np.array([moment.seconds - centre_seconds for moment in window])  # [K]
    weights = {kernel: kernel.weights(offsets) for kernel in strength.kernels}
    constant = np.einsum(
        "k,kchw->chw",
        weights[strength.constant],
        np.stack([moment.constant for moment in window]),
    )
    per_style = [weights[strength.of_style(index)] for index in range(len(window[0].styles))]
    styles = np.einsum(
        "lk,kld->ld", np.stack(per_style), np.stack([moment.styles for moment in window])
    )
    return Latents(
        torch.from_numpy(constant.astype(np.float32))[None],
        torch.from_numpy(styles.astype(np.float32))[None],
    )


def _moment(frame_index: int, seconds: float, face: EncodedFace) -> _Moment:
    constant, styles = face.latents.constant[0].numpy(), face.latents.styles[0].numpy()
    return _Moment(frame_index, seconds, constant, styles)


def _forget(tracks: dict[int, deque[_Moment]], before_index: int) -> None:
    """Drop what no coming window reaches, and tracks of which nothing is left."""
    for track_id, moments in list(tracks.items()):
        while moments and moments[0].frame_index < before_index:
            moments.popleft()
        if not moments:
            del tracks[track_id]
