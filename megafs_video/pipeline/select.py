"""Select: which of the tracked faces are swapped; the others go no further."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from megafs_video.faces.contract import Recognizer
from megafs_video.values import FloatArray, FrameFaces, TrackedFace, check_shape

MIN_COSINE = 0.3
"""Two faces are one person's if their identities agree this much. ArcFace MobileFaceNet on 69
photographs: 99 % of the pairs of strangers below 0.17 and the most alike at 0.25; frames of one
person in one clip at 0.52 or more."""

# A track is judged by its first frames, all seen before any of them is let through.
_FRAMES_TO_JUDGE = 5


@dataclass(frozen=True, eq=False)
class FaceChoice:
    """Which faces of the target are swapped."""

    mode: Literal["largest", "all", "index", "reference"] = "largest"
    index: int = 0  # for "index": 0 is the leftmost face in the first frame of a shot
    reference: FloatArray | None = None  # for "reference": identity [512] of length 1

    def __post_init__(self) -> None:
        if self.index < 0:
            raise ValueError(f"FaceChoice.index is {self.index}, wanted 0 or more")
        if (self.mode == "reference") != (self.reference is not None):
            raise ValueError("FaceChoice.reference and its mode go together")
        if self.reference is not None:
            check_shape("FaceChoice.reference", self.reference, (None,))

    @staticmethod
    def parse(text: str) -> FaceChoice:
        """``largest``, ``all`` or a number; ValueError for anything else.

        >>> FaceChoice.parse("2").index
        2
        """
        if text == "largest":
            return FaceChoice("largest")
        if text == "all":
            return FaceChoice("all")
        if text.isascii() and text.isdigit():
            return FaceChoice("index", index=int(text))
        raise ValueError(f"no such choice of a face: {text!r}; wanted largest, all or a number")


@dataclass(frozen=True, eq=False)
class Select:
    """Stage that keeps the chosen faces of each frame.

    - ``largest``: the largest face of a shot's first frame that has one. It stays chosen while
      it is tracked; it is replaced when it was away for more than ``max_gap_frames`` frames.
    - ``all``: every face.
    - ``index``: faces are counted from left to right in the first frame of a shot that has one;
      a face that comes later gets the lowest number that is free, which it is when its owner was
      away for more than ``max_gap_frames`` frames.
    - ``reference``: every track whose first five frames show the person of the reference. It is
      decided once, before the first of them passes, so a face never flips.

    A shot begins when none of the visible faces was seen before, since a cut ends every track.
    """

    choice: FaceChoice
    recognizer: Recognizer | None = None  # for the mode "reference"
    max_gap_frames: int = 10
    min_cosine: float = MIN_COSINE

    def __post_init__(self) -> None:
        if self.choice.mode == "reference" and self.recognizer is None:
            raise ValueError("Select needs a recognizer to find the person of the reference")
        if self.max_gap_frames < 0:
            raise ValueError(f"max_gap_frames is {self.max_gap_frames}, wanted 0 or more")

    @property
    def lookahead(self) -> int:
        """Frames by which a person is judged."""
        return _FRAMES_TO_JUDGE - 1 if self.choice.mode == "reference" else 0

    def __call__(
        self, items: Iterator[FrameFaces[TrackedFace]]
    ) -> Iterator[FrameFaces[TrackedFace]]:
        if self.choice.mode == "all":
            yield from items
        elif self.choice.reference is not None and self.recognizer is not None:
            yield from self._matching(items, self.choice.reference, self.recognizer)
        else:
            yield from self._numbered(items)

    def _numbered(
        self, items: Iterator[FrameFaces[TrackedFace]]
    ) -> Iterator[FrameFaces[TrackedFace]]:
        by_size = self.choice.mode == "largest"
        wanted = 0 if by_size else self.choice.index
        numbers = _Numbers(self.max_gap_frames, by_size)
        for item in items:
            numbers = item.frame.carried("select", numbers)
            ordered = sorted(item.faces, key=_smallness if by_size else _place)
            chosen_id = numbers.step([tracked.track_id for tracked in ordered]).get(wanted)
            kept = tuple(tracked for tracked in item.faces if tracked.track_id == chosen_id)
            yield FrameFaces(item.frame, kept)

    def _matching(
        self,
        items: Iterator[FrameFaces[TrackedFace]],
        reference: FloatArray,
        recognizer: Recognizer,
    ) -> Iterator[FrameFaces[TrackedFace]]:
        waiting: deque[FrameFaces[TrackedFace]] = deque()
        known = _Judgements()

        def released() -> FrameFaces[TrackedFace]:
            item = waiting.popleft()
            kept = tuple(tracked for tracked in item.faces if known.matches[tracked.track_id])
            return FrameFaces(item.frame, kept)

        for item in items:
            known = item.frame.carried("select", known)
            known.frame_index += 1
            waiting.append(item)
            for tracked in item.faces:
                if tracked.track_id not in known.matches:
                    first = _Unjudged(known.frame_index)
                    identity = recognizer.embed(item.frame.pixels, tracked.face)
                    known.unjudged.setdefault(tracked.track_id, first).identities.append(identity)
            known.judge(reference, self.min_cosine, self.lookahead)
            if len(waiting) > self.lookahead:
                yield released()
        known.judge(reference, self.min_cosine, 0)
        while waiting:
            yield released()


@dataclass
class _Unjudged:
    """A track that has just begun."""

    first_index: int  # of the frame that showed it first
    identities: list[FloatArray] = field(default_factory=list)  # [512] each


@dataclass
class _Judgements:
    """Which tracks are the reference's, as of a frame."""

    frame_index: int = -1
    unjudged: dict[int, _Unjudged] = field(default_factory=dict)  # by track
    matches: dict[int, bool] = field(default_factory=dict)

    def judge(self, reference: FloatArray, min_cosine: float, min_age_frames: int) -> None:
        """Judge every track that began ``min_age_frames`` ago or earlier."""
        for track_id, track in list(self.unjudged.items()):
            if self.frame_index - track.first_index >= min_age_frames:
                mean = np.mean(self.unjudged.pop(track_id).identities, axis=0)  # [512]
                cosine = float(mean @ reference / np.linalg.norm(mean))
                self.matches[track_id] = cosine >= min_cosine


@dataclass
class _Numbers:
    """Numbers of the faces of a shot, in the order in which they came.

    ``_recount_without_first``: when number 0 is gone for good, all visible faces count anew.
    """

    _max_gap_frames: int
    _recount_without_first: bool
    _owners: dict[int, int] = field(default_factory=dict)  # number -> track
    _missing_frames: dict[int, int] = field(default_factory=dict)  # number -> frames since seen
    _newest_id: int = -1

    def step(self, visible_ids: list[int]) -> dict[int, int]:
        """The track of each number, given the tracks of a frame in the order of counting."""
        if visible_ids and min(visible_ids) > self._newest_id:
            self._restart()
        self._newest_id = max([self._newest_id, *visible_ids])
        for number, owner in list(self._owners.items()):
            away = 0 if owner in visible_ids else self._missing_frames[number] + 1
            self._missing_frames[number] = away
            if away > self._max_gap_frames:
                del self._owners[number], self._missing_frames[number]
        if self._recount_without_first and 0 not in self._owners:
            self._restart()
        for track_id in visible_ids:
            if track_id not in self._owners.values():
                number = next(n for n in range(len(self._owners) + 1) if n not in self._owners)
                self._owners[number] = track_id
                self._missing_frames[number] = 0
        return self._owners

    def _restart(self) -> None:
        self._owners.clear()
        self._missing_frames.clear()


def _smallness(tracked: TrackedFace) -> float:
    return -tracked.face.area


def _place(tracked: TrackedFace) -> float:
    return float(tracked.face.box_xyxy[0] + tracked.face.box_xyxy[2])
