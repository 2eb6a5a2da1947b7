"""Are two people ever mixed up who cross, leave and return, and stand behind a cut?

Run: python benchmarks/crossing.py [FRONT BEHIND] [--output FOLDER]

Two clips of one person each (by default of ../shared/videos) are composed side by side: their
heads, cut out as ovals, walk past each other, one hiding the other; meet so that one is hidden,
and turn back; stand in other places and sizes behind a cut; and at last one walks out, stays away
for a second, and comes back. Where each of them is, is known in every frame, and so is how much of
a head is hidden.

For each part of it: faces found of those to be seen (three quarters of a head or more); tracks of
each person; frames in which a track is on somebody else than before; and, for ``--map`` with one
frame of each clip as the pictures, faces with the wrong source, faces without one, and faces that
were put over somebody who hides them. ``--output`` keeps the frames, marked, as a strip.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.optimize import linear_sum_assignment

from megafs_video.faces.contract import Detector, Landmarker, Recognizer
from megafs_video.faces.mesh import build_mesh
from megafs_video.faces.recognize import build_arcface
from megafs_video.faces.scrfd import build_scrfd
from megafs_video.pipeline.bridge import Bridge
from megafs_video.pipeline.detect import Detect, find_faces
from megafs_video.pipeline.select import FaceChoice, Select
from megafs_video.pipeline.track import Track
from megafs_video.values import FloatArray, Frame, FrameFaces, TrackedFace, UInt8Array
from megafs_video.video.picture import write_picture
from megafs_video.video.read import read_frames
from megafs_video.weights.fetch import ensure

CLIPS = Path(__file__).parents[2] / "shared" / "videos"
HEIGHT, WIDTH = 240, 640
TIME_BASE = Fraction(1, 30)
SEEN = 0.75  # a head of which this much is visible is to be found
HIDDEN = 0.4  # of a head of which no more than this is visible nothing is to be swapped
FRONT, BEHIND = 0, 1
NAMES = ("front", "behind")
COLOURS = ((255, 160, 0), (0, 160, 255), (255, 0, 255))


@dataclass(frozen=True)
class Place:
    """Where a head is in the scene, in pixels."""

    center_xy: tuple[float, float]
    size: int  # height and width of the oval's square


@dataclass(frozen=True)
class Beat:
    """One frame of the play."""

    part: str
    shot_index: int
    places: tuple[Place, Place]  # of FRONT and BEHIND


@dataclass
class Figures:
    """What was counted in one part of the play."""

    frames: int = 0
    faces_to_see: int = 0
    faces_found: int = 0
    mixed_up: int = 0  # a track on somebody else than before
    wrong_source: int = 0
    no_source: int = 0  # of the faces that were found
    over_another: int = 0


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("front", nargs="?", type=Path, default=CLIPS / "head_480.mp4")
    parser.add_argument("behind", nargs="?", type=Path, default=CLIPS / "portrait_720p.mp4")
    parser.add_argument("--output", type=Path, help="a folder for a strip of marked frames")
    chosen = parser.parse_args()
    paths = ensure(("scrfd", "face-mesh", "arcface-mbf"))
    detector, recognizer = build_scrfd(paths["scrfd"]), build_arcface(paths["arcface-mbf"])
    beats = play()
    with build_mesh(paths["face-mesh"]) as mesh:
        clips = [
            [frame.pixels for frame in islice(read_frames(path), len(beats))]
            for path in (chosen.front, chosen.behind)
        ]
        figures, tracks, strip = watch(beats, clips, detector, mesh, recognizer)
    console = Console()
    console.print(table(figures))
    for (shot_index, who), numbers in sorted(tracks.items()):
        console.print(f"shot {shot_index + 1}, {NAMES[who]}: tracks {sorted(numbers)}")
    if chosen.output is not None:
        chosen.output.mkdir(parents=True, exist_ok=True)
        write_picture(chosen.output / "crossing.png", strip, True)


def play(frames_a_part: int = 60) -> list[Beat]:
    """Who is where in each frame; each of the four parts takes as many frames."""
    beats: list[Beat] = []
    for share in np.linspace(0, 1, frames_a_part):
        front, behind = 100 + 440 * share, 540 - 440 * share
        beats.append(Beat("walk past", 0, (Place((front, 125), 200), Place((behind, 115), 200))))
    for share in 1 - np.abs(np.linspace(-1, 1, frames_a_part)):
        front, behind = 540 - 200 * share, 100 + 200 * share
        beats.append(Beat("turn back", 0, (Place((front, 125), 200), Place((behind, 115), 200))))
    for share in np.linspace(0, 1, frames_a_part):
        front, behind = 160 + 20 * share, 480 - 20 * share
        beats.append(Beat("cut", 1, (Place((behind, 120), 160), Place((front, 120), 190))))
    for share in np.abs(np.linspace(-1, 1, frames_a_part)):
        # Out of the picture to the left within a quarter of the time, and back in the last one.
        behind = 180 - 290 * min(2 - 2 * share, 1)
        beats.append(Beat("away", 1, (Place((460, 120), 160), Place((behind, 120), 190))))
    return beats


def watch(
    beats: Sequence[Beat],
    clips: Sequence[Sequence[UInt8Array]],
    detector: Detector,
    landmarker: Landmarker,
    recognizer: Recognizer,
) -> tuple[dict[str, Figures], dict[tuple[int, int], set[int]], UInt8Array]:
    """Figures of each part, the tracks of each person in each shot, and a strip of frames."""
    squares, people = [], []
    for clip in clips:
        face = find_faces(clip[0], detector, landmarker)[0]
        squares.append(head_square(face.box_xyxy))
        people.append(recognizer.embed(clip[0], face))
    scenes = [composed(beat, index, clips, squares) for index, beat in enumerate(beats)]
    frames = (Frame(pixels, i, TIME_BASE) for i, (pixels, _) in enumerate(scenes))
    tracked = list(Track(recognizer=recognizer)(Detect(detector, landmarker)(frames)))
    chosen = Select(FaceChoice("people", people=tuple(people)))(iter(tracked))
    shown = list(Bridge(recognizer=recognizer)(chosen))

    figures: dict[str, Figures] = defaultdict(Figures)
    tracks: dict[tuple[int, int], set[int]] = defaultdict(set)
    owners: dict[int, int] = {}
    marked = []
    for beat, (pixels, visible), found, given in zip(beats, scenes, tracked, shown, strict=True):
        part = figures[beat.part]
        part.frames += 1
        part.faces_to_see += sum(share >= SEEN for share in visible)
        who_of = assigned(found, beat, visible)
        part.faces_found += sum(visible[who] >= SEEN for who in who_of.values())
        for track_id, who in who_of.items():
            part.mixed_up += owners.setdefault(track_id, who) != who
            tracks[beat.shot_index, who].add(track_id)
        sources = {face.track_id: face.source_index for face in given.faces}
        part.wrong_source += sum(sources.get(track, who) != who for track, who in who_of.items())
        part.no_source += sum(track not in sources for track in who_of)
        part.over_another += sum(visible[source] <= HIDDEN for source in sources.values())
        marked.append(drawn(pixels, given))
    return dict(figures), dict(tracks), np.concatenate(marked[:: max(1, len(marked) // 12)])


def head_square(box_xyxy: FloatArray) -> tuple[int, int, int]:
    """Left, top and side of the square about a head."""
    x, y = (box_xyxy[:2] + box_xyxy[2:]) / 2
    side = 1.7 * float(max(box_xyxy[2:] - box_xyxy[:2]))
    return round(x - side / 2), round(y - 0.53 * side), round(side)


def composed(
    beat: Beat,
    index: int,
    clips: Sequence[Sequence[UInt8Array]],
    squares: Sequence[tuple[int, int, int]],
) -> tuple[UInt8Array, list[float]]:
    """The frame of a beat, and the visible share of each head."""
    room = np.random.default_rng(beat.shot_index).integers(60, 190, (4, 8, 3), dtype=np.uint8)
    pixels = cv2.resize(room, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    owner = np.full((HEIGHT, WIDTH), -1)
    for who in (BEHIND, FRONT):
        place = beat.places[who]
        clip = clips[who]
        # To and fro, if the clip is shorter than the play.
        turn = index % (2 * len(clip) - 1)
        head = head_picture(clip[min(turn, 2 * len(clip) - 2 - turn)], squares[who], place.size)
        oval = np.zeros((HEIGHT, WIDTH), np.uint8)
        x, y = round(place.center_xy[0]), round(place.center_xy[1])
        half = place.size // 2
        cv2.ellipse(oval, (x, y), (round(0.4 * place.size), half - 2), 0, 0, 360, 1, -1)
        to_scene = np.array([[1.0, 0, x - half], [0, 1, y - half]])
        placed = cv2.warpAffine(head, to_scene, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
        pixels[oval > 0] = placed[oval > 0]
        owner[oval > 0] = who
    whole = [np.pi * round(0.4 * place.size) * (place.size // 2 - 2) for place in beat.places]
    visible = [float((owner == who).sum()) / whole[who] for who in (FRONT, BEHIND)]
    return np.asarray(pixels, np.uint8), visible


def head_picture(pixels: UInt8Array, square: tuple[int, int, int], size: int) -> UInt8Array:
    """The square about a head at a size, its border continued where it leaves the picture."""
    left, top, side = square
    scale = size / side
    to_head = np.array([[scale, 0, -scale * left], [0, scale, -scale * top]])
    head = cv2.warpAffine(
        cv2.GaussianBlur(pixels, (0, 0), max(0.1, 0.4 / scale)),
        to_head,
        (size, size),
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(head, np.uint8)


def assigned(item: FrameFaces[TrackedFace], beat: Beat, visible: Sequence[float]) -> dict[int, int]:
    """Whose each track is, by where the people are who can be seen at all."""
    there = [(who, place) for who, place in enumerate(beat.places) if visible[who] > HIDDEN]
    distances = np.array(
        [
            [np.hypot(*(middle(face) - place.center_xy)) / place.size for _, place in there]
            for face in item.faces
        ]
    ).reshape(len(item.faces), len(there))
    rows, columns = linear_sum_assignment(distances)
    return {
        item.faces[row].track_id: there[column][0]
        for row, column in zip(rows, columns, strict=True)
        if distances[row, column] < 0.4
    }


def middle(tracked: TrackedFace) -> FloatArray:
    """The middle of a face."""
    return (tracked.face.box_xyxy[:2] + tracked.face.box_xyxy[2:]) / 2


def drawn(pixels: UInt8Array, item: FrameFaces[TrackedFace]) -> UInt8Array:
    """The frame at half its size, with a box in the colour of each face's source."""
    marked = pixels.copy()
    for tracked in item.faces:
        left, top, right, bottom = np.round(tracked.face.box_xyxy).astype(int).tolist()
        colour = COLOURS[tracked.source_index]
        cv2.rectangle(marked, (left, top), (right, bottom), colour, 3)
        cv2.putText(
            marked, str(tracked.track_id), (left, top - 6), cv2.FONT_HERSHEY_PLAIN, 1.6, colour, 2
        )
    return np.asarray(cv2.resize(marked, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))


def table(figures: dict[str, Figures]) -> Table:
    """A row for each part."""
    columns = ("frames", "faces to see", "found", "on another", "wrong source", "no source")
    shown = Table("part", *columns, "over another", title="Two people of two clips")
    for name, part in figures.items():
        numbers = (
            part.frames,
            part.faces_to_see,
            part.faces_found,
            part.mixed_up,
            part.wrong_source,
            part.no_source,
            part.over_another,
        )
        shown.add_row(name, *map(str, numbers))
    return shown


if __name__ == "__main__":
    main()
