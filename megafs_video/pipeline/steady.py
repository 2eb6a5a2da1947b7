"""Steady: each point of a swapped face keeps its colour as it moves with the target's face."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import exp

import numpy as np

from megafs_video.faces.libraries import opencv
from megafs_video.geometry.flow import flow, occluded
from megafs_video.geometry.similarity import compose, invert, resize, scale_of
from megafs_video.geometry.warps import warp
from megafs_video.pipeline.profile import Profile
from megafs_video.values import FloatArray, FrameFaces, SwappedCrop, UInt8Array

# Pixels that differ by less from what the flow brings along tremble, and by more have changed: at
# 40 a second row of teeth is seen in a mouth that speaks, at 16 half of the calm is lost.
_TREMOR_LEVELS = 30.0
# Side of the crop in which flow and differences are looked at, pixels.
_CROP_SIZE = 256
# A track that is away for longer begins anew.
_MAX_AWAY_SECONDS = 0.5


@dataclass(frozen=True, eq=False)
class _Last:
    """A track when it was last seen."""

    seconds: float
    crop: UInt8Array  # [G, G, 3], of the target
    frame_to_crop: FloatArray  # [2, 3]
    picture: FloatArray  # [R, R, 3] float32, levels: the same place, generated


@dataclass(frozen=True)
class Steady:
    """Stage that calms skin and hair: the generated picture is averaged along the target's flow.

    A recursive mean of the first order, whose memory is the profile's ``texture_seconds``. It
    has no lag, since what it remembers moves along. Where the flow there and back disagrees, or
    the two pictures differ by much (a mouth that opens, a blink), the new picture counts alone.
    Without a profile every item passes through untouched.
    """

    profile: Profile | None

    @property
    def lookahead(self) -> int:
        """It is causal."""
        return 0

    def __call__(
        self, items: Iterator[FrameFaces[SwappedCrop]]
    ) -> Iterator[FrameFaces[SwappedCrop]]:
        if self.profile is None:
            yield from items
            return
        tracks: dict[int, _Last] = {}
        for item in items:
            tracks = item.frame.carried("steady", tracks)
            seconds = item.frame.seconds
            earliest = seconds - _MAX_AWAY_SECONDS
            tracks = {number: last for number, last in tracks.items() if last.seconds >= earliest}
            faces = []
            for face in map(at_frame_scale, item.faces):
                picture = face.pixels.astype(np.float32)
                frame_to_crop = compose(face.frame_to_crop, resize(len(face.mask), _CROP_SIZE))
                if face.track_id in tracks:
                    last = tracks[face.track_id]
                    memory = exp((last.seconds - seconds) / self.profile.texture_seconds)
                    picture = _averaged(last, item.frame.pixels, frame_to_crop, picture, memory)
                crop = warp(item.frame.pixels, frame_to_crop, _CROP_SIZE)
                tracks[face.track_id] = _Last(seconds, crop, frame_to_crop, picture)
                faces.append(replace(face, pixels=np.rint(picture).astype(np.uint8)))
            yield FrameFaces(item.frame, tuple(faces))


def at_frame_scale(swapped: SwappedCrop) -> SwappedCrop:
    """The face no larger than it is in the frame.

    Averaging over areas first: sampling a large picture sparsely would flicker.
    """
    shown_size = swapped.mask.shape[0] / scale_of(swapped.frame_to_crop)  # pixels of the frame
    picture, side = swapped.pixels, max(1, round(shown_size))
    if side >= picture.shape[0]:
        return swapped
    cv2 = opencv()
    # Halves are ten times as fast as other factors.
    while picture.shape[0] >= 2 * side and picture.shape[0] % 2 == 0:
        half = (picture.shape[0] // 2,) * 2
        picture = cv2.resize(picture, half, interpolation=cv2.INTER_AREA)
    picture = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
    return replace(swapped, pixels=np.asarray(picture, np.uint8))


def _averaged(
    last: _Last,
    frame_pixels: UInt8Array,
    frame_to_crop: FloatArray,
    picture: FloatArray,
    memory: float,
) -> FloatArray:
    """The new picture [R, R, 3] with the last one mixed in where it moved along.

    ``memory`` is the share of the last one, 0 to 1, where both agree.
    """
    cv2 = opencv()
    after = warp(frame_pixels, last.frame_to_crop, _CROP_SIZE)  # where the last crop was
    back = flow(after, last.crop)  # [G, G, 2]
    hidden = occluded(back, flow(last.crop, after))
    # Each point of the new crop, where it lies in the last one, and where the flow has it from.
    x, y = np.meshgrid(np.arange(_CROP_SIZE), np.arange(_CROP_SIZE))
    crop_to_last = compose(invert(frame_to_crop), last.frame_to_crop)
    here = (np.stack([x, y], axis=2) @ crop_to_last[:, :2].T + crop_to_last[:, 2]).astype(
        np.float32
    )
    known = np.dstack([back, 1.0 - hidden]).astype(np.float32)
    known = cv2.remap(known, here, None, cv2.INTER_LINEAR, borderValue=(0, 0, 0))  # [G, G, 3]
    there = here + known[..., :2]
    is_inside = ((there >= 0) & (there <= _CROP_SIZE - 1)).all(axis=2)
    share = memory * is_inside * known[..., 2]  # [G, G]

    size, last_size = len(picture), len(last.picture)
    crop_to_picture = resize(_CROP_SIZE, last_size)
    places = there * crop_to_picture[0, 0] + crop_to_picture[:, 2]
    full = {"dsize": (size, size), "interpolation": cv2.INTER_LINEAR}
    places = cv2.resize(places.astype(np.float32), **full)
    moved = cv2.remap(
        last.picture, places, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )  # [R, R, 3]
    crop_size = (_CROP_SIZE, _CROP_SIZE)
    levels = cv2.resize(np.abs(moved - picture), crop_size, interpolation=cv2.INTER_AREA)
    share = share * np.exp(-np.square(levels.mean(axis=2) / _TREMOR_LEVELS))
    share = cv2.resize(share.astype(np.float32), **full)[..., None]  # [R, R, 1]
    return np.asarray(np.clip(picture + share * (moved - picture), 0, 255))
