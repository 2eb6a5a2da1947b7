"""Where one shot ends and the next begins, told from small pictures as the frames come by."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
import numpy.typing as npt

from megafs_video.faces.libraries import opencv
from megafs_video.values import UInt8Array, check_pixels

_THUMB_WIDTH, _THUMB_HEIGHT = 48, 32
# Two pictures are of one shot if their patterns correlate more than this, whatever their
# brightness. Talking heads stay above 0.9, and two unrelated pictures seldom reach 0.4.
_MIN_LIKENESS = 0.5
# A frame much less like the last one than the frames before it were is a cut even so.
_MAX_DROP = 0.35
# A thumbnail with less contrast than this (levels of 255) is a fade or a flash: it has no
# pattern to compare.
_MIN_CONTRAST = 4.0
# A flash or a damaged picture lasts no longer; after it the shot goes on.
_MAX_FLASH_FRAMES = 3

Thumb = npt.NDArray[np.float32]


class Change(Enum):
    """How a frame follows the one before it."""

    NONE = "the same shot"
    CUT = "a new shot"
    RETURN = "back to the shot before the last cut, which was only a flash"


@dataclass
class CutFinder:
    """Tells for frame after frame whether it begins a shot; one per clip.

    Brightness does not count, so neither a flash nor a fade is a cut. A flash that hides the
    picture looks like a cut when it comes; when the shot goes on behind it within three frames,
    ``RETURN`` says so.
    """

    _last: Thumb | None = None  # the last frame with a pattern
    _before_cut: Thumb | None = None
    _frames_since_cut: int = 0
    _likenesses: deque[float] = field(default_factory=lambda: deque(maxlen=8))  # in this shot

    def step(self, pixels: UInt8Array) -> Change:
        """How the next frame follows."""
        thumb = _thumb(pixels)
        self._frames_since_cut += 1
        if thumb is None:
            return Change.NONE
        last, self._last = self._last, thumb
        if last is None:
            return Change.NONE
        likeness = _likeness(last, thumb)
        usual = float(np.median(self._likenesses)) if self._likenesses else 1.0
        if likeness >= _MIN_LIKENESS and usual - likeness <= _MAX_DROP:
            self._likenesses.append(likeness)
            return Change.NONE
        before_cut, self._before_cut = self._before_cut, last
        flashed = before_cut is not None and self._frames_since_cut <= _MAX_FLASH_FRAMES
        self._frames_since_cut = 0
        self._likenesses.clear()
        if flashed and before_cut is not None and _likeness(before_cut, thumb) >= _MIN_LIKENESS:
            self._before_cut = None
            return Change.RETURN
        return Change.CUT


def _thumb(pixels: UInt8Array) -> Thumb | None:
    """A small picture [32, 48, 3] of mean 0 and length 1, or None when it has no pattern."""
    check_pixels("pixels", pixels)
    # Most pixels may be left out first: averaging them all takes 8 ms at 1080p.
    step = max(
        1, min(pixels.shape[0] // (4 * _THUMB_HEIGHT), pixels.shape[1] // (4 * _THUMB_WIDTH))
    )
    sparse = np.ascontiguousarray(pixels[::step, ::step])
    cv2 = opencv()
    small = cv2.resize(sparse, (_THUMB_WIDTH, _THUMB_HEIGHT), interpolation=cv2.INTER_AREA)
    centred = small.astype(np.float32) - np.float32(small.mean())
    length = float(np.linalg.norm(centred))
    if length < _MIN_CONTRAST * np.sqrt(centred.size):
        return None
    return np.asarray(centred / np.float32(length))


def _likeness(first: Thumb, second: Thumb) -> float:
    """Correlation of two thumbnails, -1 to 1."""
    return float(np.vdot(first, second))
