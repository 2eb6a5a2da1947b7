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
_FLOW_SIZE = 256
# A track that is away for longer begins anew.
_MAX_AWAY_SECONDS = 0.5


@dataclass(frozen=True, eq=False)
class _Last:
    """A track when it was last seen."""

    seconds: float
    pixels: UInt8Array  # [H, W, 3], the whole frame
    frame_to_picture: FloatArray  # [2, 3]
    picture: FloatArray  # [R, R, 3] float32, levels


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
            earliest = item.frame.seconds - _MAX_AWAY_SECONDS
            tracks = {n: last for n, last in tracks.items() if last.seconds >= earliest}
            faces = []
            for face in item.faces:
                face = at_frame_scale(face)
                now = _Last(
                    item.frame.seconds,
                    item.frame.pixels,
                    _frame_to_picture(face),
                    face.pixels.astype(np.float32),
                )
                if face.track_id in tracks:
                    last = tracks[face.track_id]
                    memory = exp((last.seconds - now.seconds) / self.profile.texture_seconds)
                    now = replace(now, picture=_averaged(last, now, memory))
                tracks[face.track_id] = now
                faces.append(replace(face, pixels=np.rint(now.picture).astype(np.uint8)))
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


def _frame_to_picture(swapped: SwappedCrop) -> FloatArray:
    crop_to_picture = resize(swapped.mask.shape[0], swapped.pixels.shape[0])
    return compose(swapped.frame_to_crop, crop_to_picture)


def _averaged(last: _Last, now: _Last, memory: float) -> FloatArray:
    """The new picture [R, R, 3] with the last one mixed in where it moved along.

    ``memory`` is the share of the last one, 0 to 1, where both agree.
    """
    cv2 = opencv()
    size = now.picture.shape[0]
    grid_to_picture = resize(_FLOW_SIZE, size)
    frame_to_grid = compose(now.frame_to_picture, invert(grid_to_picture))
    before, after = (warp(one.pixels, frame_to_grid, _FLOW_SIZE) for one in (last, now))
    back = flow(after, before)  # [G, G, 2]
    x, y = np.meshgrid(np.arange(_FLOW_SIZE), np.arange(_FLOW_SIZE))
    places = np.stack([x, y], axis=2) + back
    grid_to_last = compose(invert(frame_to_grid), last.frame_to_picture)
    places = places @ grid_to_last[:, :2].T + grid_to_last[:, 2]  # in the last picture
    last_size = last.picture.shape[0]
    inside = ((places >= 0) & (places <= last_size - 1)).all(axis=2)
    share = memory * (inside & ~occluded(back, flow(before, after)))  # [G, G]

    full = {"dsize": (size, size), "interpolation": cv2.INTER_LINEAR}
    moved = cv2.remap(
        last.picture,
        cv2.resize(places.astype(np.float32), **full),
        None,
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )  # [R, R, 3]
    grid = (_FLOW_SIZE, _FLOW_SIZE)
    levels = cv2.resize(np.abs(moved - now.picture), grid, interpolation=cv2.INTER_AREA)
    share = share * np.exp(-np.square(levels.mean(axis=2) / _TREMOR_LEVELS))
    share = cv2.resize(share.astype(np.float32), **full)[..., None]  # [R, R, 1]
    return np.asarray(np.clip(now.picture + share * (moved - now.picture), 0, 255))
