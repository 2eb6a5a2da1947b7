"""Select: which of the tracked faces are swapped, and by which source; the others go no further."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from megafs_video.pipeline.track import MAX_GAP_SECONDS
from megafs_video.values import FloatArray, FrameFaces, TrackedFace, check_shape

MIN_COSINE = 0.3
"""Two faces are one person's if their identities agree this much. ArcFace MobileFaceNet on 69
photographs: 99 % of the pairs of strangers below 0.17 and the most alike at 0.25; frames of one
person in one clip at 0.52 or more."""

# A track is judged by its first frames, all seen before any of them is let through. A face that
# is in less than half of them is no person to be counted.
_FRAMES_TO_JUDGE = 5


@dataclass(frozen=True, eq=False)
class FaceChoice:
    """Which faces of the target are swapped."""

    mode: Literal["largest", "all", "index", "people"] = "largest"
    index: int = 0  # for "index": 0 is the leftmost face in the first frame that has one
    people: tuple[FloatArray, ...] = ()  # for "people": identities [D] of length 1, a source each

    def __post_init__(self) -> None:
        if self.index < 0:
            raise ValueError(f"FaceChoice.index is {self.index}, wanted 0 or more")
        if (self.mode == "people") != bool(self.people):
            raise ValueError("FaceChoice.people and its mode go together")
        for identity in self.people:
            check_shape("an identity of FaceChoice.people", identity, (None,))

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


@dataclass
class _Role:
    """What is known of a track."""

    identity: FloatArray  # [D] of length 1, as of the newest frame
    seconds: float  # when it was seen last
    person: int | None = None  # whose it is; once known, it stays
    names_person: bool = False  # whether the person was first seen here


@dataclass
class _Casting:
    """Whose each track is, and the people who are known."""

    people: list[FloatArray]  # identities [D] of length 1
    max_people: int  # newcomers are taken in until there are so many; 0: none ever
    min_cosine: float
    roles: dict[int, _Role] = field(default_factory=dict)  # by the number of the track

    def look(self, item: FrameFaces[TrackedFace]) -> None:
        """Learn who is in the newest frame."""
        seconds = item.frame.seconds
        for tracked in item.faces:
            if tracked.identity is None:
                raise ValueError("people are told apart by identity: give Track a recognizer")
            role = self.roles.setdefault(tracked.track_id, _Role(tracked.identity, seconds))
            role.identity, role.seconds = tracked.identity, seconds
            if role.names_person and role.person is not None:
                self.people[role.person] = tracked.identity

    def forget(self, before_seconds: float) -> None:
        """Forget tracks that were last seen before a time."""
        self.roles = {i: role for i, role in self.roles.items() if role.seconds >= before_seconds}

    def judge(
        self, faces: Sequence[TrackedFace], num_seen: Mapping[int, int], num_frames: int
    ) -> None:
        """Decide whose the faces are that nobody knows yet, in the order given.

        ``num_seen`` says in how many of the next ``num_frames`` frames each track is.
        """
        # Of people who are counted, none is twice in a frame; of people whose pictures were given,
        # a mirror may show one again.
        is_counting = bool(self.max_people)
        for tracked in faces:
            role = self.roles[tracked.track_id]
            if role.person is not None:
                continue
            others = {self.roles[other.track_id].person for other in faces if is_counting}
            role.person = self._person(role.identity, others)
            is_there = 2 * num_seen[tracked.track_id] > num_frames
            if role.person is None and is_there and len(self.people) < self.max_people:
                role.person, role.names_person = len(self.people), True
                self.people.append(role.identity)

    def _person(self, identity: FloatArray, others: set[int | None]) -> int | None:
        """The most alike of the people who are not among the others, if alike enough."""
        cosines = [
            -1.0 if number in others else float(person @ identity)
            for number, person in enumerate(self.people)
        ]
        best = int(np.argmax(cosines)) if cosines else 0
        return best if cosines and cosines[best] >= self.min_cosine else None


@dataclass(frozen=True, eq=False)
class Select:
    """Stage that keeps the chosen faces of each frame, each with the source it is given.

    A choice is one of people: it holds for a whole track and, by identity, for the tracks of the
    same person behind cuts and after an absence.

    - ``largest``: the largest face of the first frame that has one.
    - ``index``: people are counted in the order in which they come, those of one frame from left
      to right.
    - ``people``: those whose identities are given; each has the source of the same number.
    - ``all``: every face, known or not.

    A track is judged by the first five frames from its first, before that passes. One that is
    nobody yet may become somebody when it is seen better, and never the other way round.
    """

    choice: FaceChoice
    max_gap_seconds: float = MAX_GAP_SECONDS
    min_cosine: float = MIN_COSINE

    @property
    def lookahead(self) -> int:
        """Frames by which a person is judged."""
        return 0 if self.choice.mode == "all" else _FRAMES_TO_JUDGE - 1

    def __call__(
        self, items: Iterator[FrameFaces[TrackedFace]]
    ) -> Iterator[FrameFaces[TrackedFace]]:
        if self.choice.mode == "all":
            yield from items
            return
        max_people = 0 if self.choice.people else self.choice.index + 1
        casting = _Casting(list(self.choice.people), max_people, self.min_cosine)
        waiting: deque[FrameFaces[TrackedFace]] = deque()
        for item in items:
            casting.look(item)
            waiting.append(item)
            if len(waiting) > self.lookahead:
                yield self._kept(waiting, casting)
                # Tracks that are longer gone than this are over.
                casting.forget(waiting[0].frame.seconds - self.max_gap_seconds - 1e-6)
        while waiting:
            yield self._kept(waiting, casting)

    def _kept(
        self, waiting: deque[FrameFaces[TrackedFace]], casting: _Casting
    ) -> FrameFaces[TrackedFace]:
        """The oldest frame that waits, with its chosen faces."""
        num_seen: dict[int, int] = {}
        for item in waiting:
            for tracked in item.faces:
                num_seen[tracked.track_id] = num_seen.get(tracked.track_id, 0) + 1
        num_frames = sum(item.shot_index == waiting[0].shot_index for item in waiting)
        item = waiting.popleft()
        order = _smallness if self.choice.mode == "largest" else _place
        casting.judge(sorted(item.faces, key=order), num_seen, num_frames)
        kept = []
        for tracked in item.faces:
            person = casting.roles[tracked.track_id].person
            if person is not None and self.choice.people:
                kept.append(replace(tracked, source_index=person))
            elif person is not None and person == self.choice.index:
                kept.append(tracked)
        return replace(item, faces=tuple(kept))


def _smallness(tracked: TrackedFace) -> float:
    return -tracked.face.area


def _place(tracked: TrackedFace) -> float:
    return float(tracked.face.box_xyxy[0] + tracked.face.box_xyxy[2])
