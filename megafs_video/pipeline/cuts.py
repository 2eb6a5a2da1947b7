"""Where one shot ends and the next begins, told from small pictures as the frames come by."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cache

import numpy as np
import numpy.typing as npt

from megafs_video.faces.libraries import opencv
from megafs_video.values import UInt8Array, check_pixels

_THUMB_WIDTH, _THUMB_HEIGHT = 96, 64
# Two pictures are of one shot if one can be made of the other by moving its parts until their
# patterns correlate this much. What fits worst is left out: nothing can be made of what a movement
# uncovers. Frames of one shot reach 0.98, also at a fifth of their rate, and 0.96 where two heads
# cross by an eighth of their width a frame; of cuts between photographs of faces in one framing 98
# in 100 stay below 0.85 and all below 0.9, cuts between clips below 0.8.
_MIN_LIKENESS = 0.93
_COMPARED_SHARE = 0.9
# Pictures as like as this without any movement are not worth the search for one.
_SURELY_LIKE = 0.95
# A thumbnail with less contrast than this (levels of 255) is a fade or a flash: it has no
# pattern to compare.
_MIN_CONTRAST = 4.0
# A flash or a damaged picture lasts no longer; after it the shot goes on.
_MAX_FLASH_FRAMES = 3


class Change(Enum):
    """How a frame follows the one before it."""

    NONE = "the same shot"
    CUT = "a new shot"
    RETURN = "back to the shot before the last cut, which was only a flash"


@dataclass(frozen=True, eq=False)
class Thumb:
    """A small picture whatever its brightness and contrast."""

    pattern: npt.NDArray[np.float32]  # [64, 96, 3], of mean 0 and length 1
    grey: UInt8Array  # [64, 96], of a mean and contrast common to all

    @staticmethod
    def of(pixels: UInt8Array) -> Thumb | None:
        """The thumbnail of a picture [H, W, 3], or None when it has no pattern."""
        check_pixels("pixels", pixels)
        cv2 = opencv()
        # Most pixels may be left out first: averaging them all takes 8 ms at 1080p.
        height, width = pixels.shape[:2]
        some = (min(width, 3 * _THUMB_WIDTH), min(height, 3 * _THUMB_HEIGHT))
        sparse = cv2.resize(pixels, some, interpolation=cv2.INTER_NEAREST)
        size = (_THUMB_WIDTH, _THUMB_HEIGHT)
        small = cv2.resize(sparse, size, interpolation=cv2.INTER_AREA)  # [64, 96, 3]
        centred = small.astype(np.float32) - np.float32(small.mean())
        contrast = float(np.sqrt(np.square(centred).mean()))
        if contrast < _MIN_CONTRAST:
            return None
        grey = np.clip(128 + centred @ np.full(3, 40 / 3 / contrast, np.float32), 0, 255)
        return Thumb(centred / np.linalg.norm(centred), grey.astype(np.uint8))


@dataclass
class CutFinder:
    """Tells for frame after frame whether it begins a shot; one per clip.

    Neither brightness nor movement counts, so that flashes, fades, slow dissolves, heads over a
    flat wall and turning cameras are no cuts. A flash that hides the picture looks like a cut
    when it comes; when the shot goes on behind it within three frames, ``RETURN`` says so.
    """

    last: Thumb | None = None  # of the last frame with a pattern
    before_cut: Thumb | None = None
    frames_since_cut: int = 0

    def step(self, pixels: UInt8Array) -> Change:
        """How the next frame follows."""
        thumb = Thumb.of(pixels)
        self.frames_since_cut += 1
        if thumb is None:
            return Change.NONE
        last, self.last = self.last, thumb
        if last is None:
            return Change.NONE
        if likeness(last, thumb) >= _MIN_LIKENESS:
            return Change.NONE
        before_cut, self.before_cut = self.before_cut, last
        flashed = before_cut is not None and self.frames_since_cut <= _MAX_FLASH_FRAMES
        self.frames_since_cut = 0
        if flashed and before_cut is not None and likeness(before_cut, thumb) >= _MIN_LIKENESS:
            self.before_cut = None
            return Change.RETURN
        return Change.CUT


def likeness(first: Thumb, second: Thumb) -> float:
    """How well the second picture can be made of parts of the first, -1 to 1.

    The correlation of their patterns, but for the misfit of the tenth that fits worst, after the
    first was warped along the optical flow (Kroeger et al., *Fast Optical Flow using Dense Inverse
    Search*, ECCV 2016). The flow is sought from where everything stays and, if need be, from the
    one shift that fits best (phase correlation).
    """
    found = float(np.vdot(first.pattern, second.pattern))
    if found < _SURELY_LIKE:
        found = max(found, _warped_likeness(first, second, None))
    if found < _MIN_LIKENESS:
        found = max(found, _warped_likeness(first, second, _shift(first, second)))
    return found


def _warped_likeness(
    first: Thumb, second: Thumb, guess_xy: npt.NDArray[np.float32] | None
) -> float:
    cv2 = opencv()
    finder = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    flow_xy = finder.calc(second.grey, first.grey, guess_xy)  # [64, 96, 2]
    warped = cv2.remap(
        first.pattern,
        _grid_xy() + flow_xy,
        None,
        interpolation=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    warped -= warped.mean()
    warped /= max(float(np.linalg.norm(warped)), 1e-6)
    misfit = np.square(warped - second.pattern).sum(axis=2)  # [64, 96], 2 - 2 correlation in all
    return 1.0 - 0.5 * float(misfit[misfit <= np.quantile(misfit, _COMPARED_SHARE)].sum())


def _shift(first: Thumb, second: Thumb) -> npt.NDArray[np.float32]:
    """The flow [64, 96, 2] that is the same everywhere and fits best."""
    shift_xy, _ = opencv().phaseCorrelate(
        second.grey.astype(np.float32), first.grey.astype(np.float32), _window()
    )
    return np.tile(np.float32(shift_xy), (_THUMB_HEIGHT, _THUMB_WIDTH, 1))


@cache
def _grid_xy() -> npt.NDArray[np.float32]:
    """Where each pixel of a thumbnail is, [64, 96, 2]."""
    y, x = np.mgrid[:_THUMB_HEIGHT, :_THUMB_WIDTH].astype(np.float32)
    return np.stack([x, y], axis=2)


@cache
def _window() -> npt.NDArray[np.float32]:
    """A bell that hides the borders, where shifted pictures differ."""
    cv2 = opencv()
    return np.asarray(
        cv2.createHanningWindow((_THUMB_WIDTH, _THUMB_HEIGHT), cv2.CV_32F), np.float32
    )
