"""Select: which of the tracked faces are swapped, and by which source; the others go no further."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from megafs_video.pipeline.track import MAX_GAP_SECONDS
from megafs_video.values import FloatArray, FrameFaces, TrackedFace, check_shape

MIN_COSINE = 0.3
"""Two faces are one person's if their identities agree this much. ArcFace MobileFaceNet on 69
photographs: 99 % of the pairs of strangers below 0.17 and the most alike at 0.25; frames of one
person in one clip at 0.52 or more."""

# A track is judged by its first frames, all seen before any of them is let through. What is in
# one of them only is no person to be counted.
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


@dataclass(frozen=True)
class _Glimpse:
    """The faces of a frame that waits to be judged; the frame is not needed for that."""

    faces: tuple[TrackedFace, ...]
    shot_index: int
    seconds: float


@dataclass
class _Role:
    """What is known of a track."""

    identity: FloatArray  # [D] of length 1, as of the newest frame
    seconds: float  # when it was seen last
    person: int | None = None  # whose it is; once known, it stays
    names_person: bool = False  # whether the person was first seen here


@dataclass
class _Casting:
    """Whose each track is, as of a frame."""

    people: list[FloatArray]  # identities [D] of length 1
    max_people: int  # newcomers are taken in until there are so many; 0: none ever
    roles: dict[int, _Role] = field(default_factory=dict)  # by the number of the track
    waiting: deque[_Glimpse] = field(default_factory=deque)

    def look(self, item: FrameFaces[TrackedFace]) -> None:
        """Learn who is in the newest frame."""
        seconds = item.frame.seconds
        self.waiting.append(_Glimpse(item.faces, item.shot_index, seconds))
        for tracked in item.faces:
            if tracked.identity is None:
                raise ValueError("people are told apart by identity: give Track a recognizer")
            role = self.roles.setdefault(tracked.track_id, _Role(tracked.identity, seconds))
            role.identity, role.seconds = tracked.identity, seconds
            if role.names_person and role.person is not None:
                self.people[role.person] = tracked.identity

    def judge(
        self, order: Callable[[TrackedFace], float], min_cosine: float
    ) -> Mapping[int, int | None]:
        """Whose each track of the oldest frame that waits is, newcomers being taken in in order."""
        num_frames = sum(each.shot_index == self.waiting[0].shot_index for each in self.waiting)
        num_seen = Counter(face.track_id for each in self.waiting for face in each.faces)
        faces = self.waiting.popleft().faces
        for tracked in sorted(faces, key=order):
            role = self.roles[tracked.track_id]
            if role.person is not None:
                continue
            role.person = self._person(role.identity, faces, min_cosine)
            is_there = num_seen[tracked.track_id] >= min(2, num_frames)
            if role.person is None and is_there and len(self.people) < self.max_people:
                role.person, role.names_person = len(self.people), True
                self.people.append(role.identity)
        return {tracked.track_id: self.roles[tracked.track_id].person for tracked in faces}

    def _person(
        self, identity: FloatArray, faces: Sequence[TrackedFace], min_cosine: float
    ) -> int | None:
        """The most alike of the people who are known, if alike enough."""
        # Of people who are counted, none is twice in a frame; of people whose pictures were
        # given, a mirror may show one again.
        others = {self.roles[face.track_id].person for face in faces if self.max_people}
        free = [number for number in range(len(self.people)) if number not in others]
        cosines = [float(self.people[number] @ identity) for number in free]
        if not free or max(cosines) < min_cosine:
            return None
        return free[int(np.argmax(cosines))]

    def forget(self, max_gap_seconds: float) -> None:
        """Forget tracks that are over for every frame that waits."""
        if self.waiting:
            over_seconds = self.waiting[0].seconds - max_gap_seconds - 1e-6
            self.roles = {i: role for i, role in self.roles.items() if role.seconds >= over_seconds}


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
        casting = _Casting(list(self.choice.people), max_people)
        waiting: deque[FrameFaces[TrackedFace]] = deque()
        for item in items:
            casting = item.frame.carried("select", casting)
            casting.look(item)
            waiting.append(item)
            if len(casting.waiting) > self.lookahead:
                yield from self._judged(waiting, casting)
        while casting.waiting:
            yield from self._judged(waiting, casting)

    def _judged(
        self, waiting: deque[FrameFaces[TrackedFace]], casting: _Casting
    ) -> Iterator[FrameFaces[TrackedFace]]:
        """The oldest frame that is to be judged; none if it came before a checkpoint."""
        order = _smallness if self.choice.mode == "largest" else _place
        is_here = len(waiting) == len(casting.waiting)
        people = casting.judge(order, self.min_cosine)
        casting.forget(self.max_gap_seconds)
        if is_here:
            yield self._kept(waiting.popleft(), people)

    def _kept(
        self, item: FrameFaces[TrackedFace], people: Mapping[int, int | None]
    ) -> FrameFaces[TrackedFace]:
        """The frame with its chosen faces."""
        kept = []
        for tracked in item.faces:
            person = people[tracked.track_id]
            if person is not None and self.choice.people:
                kept.append(replace(tracked, source_index=person))
            elif person is not None and person == self.choice.index:
                kept.append(tracked)
        return replace(item, faces=tuple(kept))


def _smallness(tracked: TrackedFace) -> float:
    return -tracked.face.area


def _place(tracked: TrackedFace) -> float:
    return float(tracked.face.box_xyxy[0] + tracked.face.box_xyxy[2])
