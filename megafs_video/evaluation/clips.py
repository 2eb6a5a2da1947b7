"""What a swap did to one clip: whether all but the face is kept, and whose face it is now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TypeVar

import numpy as np

from megafs_video.errors import SourceFaceError
from megafs_video.evaluation.identity import Recogniser, mean_pair_cosine
from megafs_video.faces.contract import Detector, Landmarker
from megafs_video.faces.framing import moved, pad_by_half
from megafs_video.values import Face, FloatArray, Frame, UInt8Array
from megafs_video.video.packets import sound_packets
from megafs_video.video.picture import read_picture
from megafs_video.video.probe import probe
from megafs_video.video.read import read_frames

S = TypeVar("S")

# Rounding to the output's clock may move a frame by less than this; a frame lasts far longer.
TOLERANCE_SECONDS = 1e-6


@dataclass(frozen=True)
class IdentityScore:
    """Mean cosines over the sampled frames in which both faces were found, by one network."""

    recogniser: str
    swapped_to_source: float
    target_to_source: float  # before the swap
    swapped_to_target: float  # of the same frame
    target_to_itself: float  # all pairs of frames of the target: how alike "the same" is here
    swapped_to_others: float | None = None  # people who have no part in it; None: none were given
    target_to_others: float | None = None

    @property
    def gain(self) -> float:
        """How much nearer to the source the swap brought the face; more than 0 is nearer."""
        return self.swapped_to_source - self.target_to_source

    @property
    def gain_to_others(self) -> float | None:
        """How much nearer to everybody else: a face that only becomes average gains this, too."""
        if self.swapped_to_others is None or self.target_to_others is None:
            return None
        return self.swapped_to_others - self.target_to_others


@dataclass(frozen=True)
class ClipComparison:
    """A target and its swapped copy; a whole copy has the same frames, times and sound."""

    num_target_frames: int
    num_swapped_frames: int
    num_moved_frames: int  # shown at another time in the copy
    target_seconds: float | None  # the container's claim of the duration
    swapped_seconds: float | None
    num_sound_packets: int  # of the target
    num_changed_packets: int  # with another payload or time, missing or added
    num_sampled_frames: int
    num_target_unfound: int  # sampled frames of the target without a face
    num_swapped_unfound: int  # those with one, without one in the copy
    scores: tuple[IdentityScore, ...]  # empty when fewer than two frames have both faces

    @property
    def keeps_frames(self) -> bool:
        """As many frames, each at its time."""
        return self.num_target_frames == self.num_swapped_frames and self.num_moved_frames == 0

    @property
    def keeps_sound(self) -> bool:
        """Every packet of sound byte by byte, at its time."""
        return self.num_changed_packets == 0


def compare_clips(
    source: Path,
    target: Path,
    swapped: Path,
    detector: Detector,
    landmarker: Landmarker,
    recognisers: Sequence[Recogniser],
    *,
    every_frames: int = 10,
    others: Mapping[str, FloatArray] | None = None,
    progress: Callable[[int], None] = lambda num_frames: None,
) -> ClipComparison:
    """Compare ``swapped`` with the ``target`` it was made from and the photograph ``source``.

    The largest face of every ``every_frames``-th target frame is looked at, and the face at the
    same place in the copy. Both clips are read once, side by side; pictures are not kept.
    ``others`` are identities [M, D] of people who have no part in it, by recogniser's name, as
    ``photo_identities`` gives them.

    InputNotFoundError, PictureError, VideoError: a file cannot be read. SourceFaceError: no
    face in the source. ValueError: ``every_frames`` is less than 1.
    """
    if every_frames < 1:
        raise ValueError(f"every_frames is {every_frames}, wanted at least 1")
    sources = photo_identities([source], detector, landmarker, recognisers)
    if any(len(found) == 0 for found in sources.values()):
        raise SourceFaceError(f"no face found in {source}; use the photograph of the swap")
    count = _Count()
    identities: list[tuple[list[FloatArray], list[FloatArray]]] = []
    for index, (before, after) in enumerate(_side_by_side(target, swapped, count)):
        progress(index + 1)
        if index % every_frames:
            continue
        count.sampled += 1
        face = find_face(before.pixels, detector, landmarker)
        if face is None:
            count.target_unfound += 1
            continue
        swapped_face = find_face(after.pixels, detector, landmarker, near=face)
        if swapped_face is None:
            count.swapped_unfound += 1
            continue
        identities.append(
            (
                [network.embed(before.pixels, face) for network in recognisers],
                [network.embed(after.pixels, swapped_face) for network in recognisers],
            )
        )
    before_info, after_info = probe(target), probe(swapped)
    num_tracks = max(len(before_info.audio_codecs), len(after_info.audio_codecs))
    num_packets, num_changed = _compare_sound(target, swapped, num_tracks)
    return ClipComparison(
        num_target_frames=count.target,
        num_swapped_frames=count.swapped,
        num_moved_frames=count.moved,
        target_seconds=before_info.duration_seconds,
        swapped_seconds=after_info.duration_seconds,
        num_sound_packets=num_packets,
        num_changed_packets=num_changed,
        num_sampled_frames=count.sampled,
        num_target_unfound=count.target_unfound,
        num_swapped_unfound=count.swapped_unfound,
        scores=tuple(
            _score(
                network.name,
                sources[network.name][0],
                np.stack([targets[which] for targets, _ in identities]),
                np.stack([swaps[which] for _, swaps in identities]),
                None if others is None else others[network.name],
            )
            for which, network in enumerate(recognisers)
            if len(identities) > 1
        ),
    )


def photo_identities(
    paths: Iterable[Path],
    detector: Detector,
    landmarker: Landmarker,
    recognisers: Sequence[Recogniser],
) -> dict[str, FloatArray]:
    """Identities [M, D] of the largest face of each photograph, by recogniser's name.

    Photographs in which no face is found are left out, so M may be less than their number.
    """
    found: dict[str, list[FloatArray]] = {network.name: [] for network in recognisers}
    for path in paths:
        pixels = read_picture(path)
        face = find_face(pixels, detector, landmarker)
        if face is None:
            # MediaPipe may want more room around a face than an aligned photograph has.
            padded, (left, top) = pad_by_half(pixels)
            face = find_face(padded, detector, landmarker)
            face = None if face is None else moved(face, -left, -top)
        if face is not None:
            for network in recognisers:
                found[network.name].append(network.embed(pixels, face))
    return {name: np.array(identities) for name, identities in found.items()}


def find_face(
    pixels: UInt8Array,
    detector: Detector,
    landmarker: Landmarker,
    *,
    near: Face | None = None,
) -> Face | None:
    """The largest face with its mesh, or the one whose middle is nearest to another's."""
    return first_seen(pixels, detector, landmarker.refine, near=near)


def first_seen(
    pixels: UInt8Array,
    detector: Detector,
    see: Callable[[UInt8Array, Face], S | None],
    *,
    near: Face | None = None,
) -> S | None:
    """What ``see`` makes of the first face in which it sees anything.

    Faces come the largest first, or by the distance of their middle from another's.
    """
    for face in sorted(detector.detect(pixels), key=lambda face: _rank(face, near)):
        seen = see(pixels, face)
        if seen is not None:
            return seen
    return None


def _rank(face: Face, near: Face | None) -> float:
    if near is None:
        return -face.area
    return float(np.hypot(*(_middle(face) - _middle(near))))


def _middle(face: Face) -> FloatArray:
    return (face.box_xyxy[:2] + face.box_xyxy[2:]) / 2


@dataclass
class _Count:
    """What went by while two clips were read."""

    target: int = 0
    swapped: int = 0
    moved: int = 0
    sampled: int = 0
    target_unfound: int = 0
    swapped_unfound: int = 0


def _side_by_side(target: Path, swapped: Path, count: _Count) -> Iterator[tuple[Frame, Frame]]:
    """Frames of both clips in order, as long as both have one; counts go to the very end."""
    target_frames, swapped_frames = read_frames(target), read_frames(swapped)
    try:
        for before, after in zip_longest(target_frames, swapped_frames):
            count.target += before is not None
            count.swapped += after is not None
            if before is not None and after is not None:
                count.moved += abs(before.seconds - after.seconds) > TOLERANCE_SECONDS
                yield before, after
    finally:
        target_frames.close()
        swapped_frames.close()


def _compare_sound(target: Path, swapped: Path, num_tracks: int) -> tuple[int, int]:
    """Packets of the target, and places at which the two differ."""
    num_packets = num_changed = 0
    for track in range(num_tracks):
        pairs = zip_longest(sound_packets(target, track), sound_packets(swapped, track))
        for before, after in pairs:
            num_packets += before is not None
            num_changed += before != after
    return num_packets, num_changed


def _score(
    name: str,
    source: FloatArray,
    targets: FloatArray,
    swaps: FloatArray,
    others: FloatArray | None,
) -> IdentityScore:
    """source [D], targets and swaps [T, D], others [M, D], all rows of length 1."""
    return IdentityScore(
        recogniser=name,
        swapped_to_source=float((swaps @ source).mean()),
        target_to_source=float((targets @ source).mean()),
        swapped_to_target=float((swaps * targets).sum(axis=1).mean()),
        target_to_itself=mean_pair_cosine(targets),
        swapped_to_others=None if others is None else float((swaps @ others.T).mean()),
        target_to_others=None if others is None else float((targets @ others.T).mean()),
    )
