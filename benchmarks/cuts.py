"""Are cuts found exactly, and nothing else taken for one?

Run: python benchmarks/cuts.py [CLIP ...] [--photos FOLDER]

Each clip (by default those of ../shared/videos) holds one shot. It is looked at as it is, and at
a half, a third and a fifth of its frames, which makes every movement as much faster; with the
middle cut out as an oval head and carried over a flat wall; with flashes; and with fades to black
and back. Pieces of all clips are joined by hard cuts and by dissolves. Photographs in one framing,
when a folder is given, are the hardest cuts: a face follows a face in the same place. A cut is
found if it is said of the very frame that begins the shot.
"""

from __future__ import annotations

import argparse
from collections.abc import Collection, Sequence
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from megafs_video.pipeline.cuts import Change, CutFinder
from megafs_video.values import UInt8Array
from megafs_video.video.picture import read_picture
from megafs_video.video.read import read_frames

CLIPS = Path(__file__).parents[2] / "shared" / "videos"
HEIGHT, WIDTH = 216, 384  # so small that whole clips can be kept, and twice a thumbnail
PIECE_FRAMES, DISSOLVE_FRAMES, FADE_FRAMES = 20, 8, 10
NUM_PHOTOS = 300
Shot = list[UInt8Array]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", nargs="*", type=Path, default=sorted(CLIPS.glob("*.mp4")))
    parser.add_argument("--photos", type=Path, help="a folder of photographs in one framing")
    chosen = parser.parse_args()
    chance = np.random.default_rng(0)
    shots = {
        path.stem: [fitted(frame.pixels) for frame in read_frames(path)] for path in chosen.clips
    }
    table = Table("clip", "frames", "cuts", "found", "false", "of these taken back")
    for name, shot in shots.items():
        for step in (1, 2, 3, 5):
            add(table, f"{name}, one frame in {step}", shot[::step])
        for part in (0.1, 0.2):
            add(table, f"{name}, head over a wall, {part:.0%} a frame", carried(shot, part))
        add(table, f"{name}, flashes", flashed(shot, chance))
        add(table, f"{name}, fades to black and back", faded(shot))
    if len(shots) > 1:
        pieces = alternating(list(shots.values()))
        add(table, "hard cuts", *joined(pieces))
        add(table, f"dissolves of {DISSOLVE_FRAMES} frames", dissolved(pieces))
    if chosen.photos is not None:
        paths = sorted(chosen.photos.iterdir())
        photos = [read_picture(paths[i]) for i in chance.permutation(len(paths))[:NUM_PHOTOS]]
        add(table, "photographs, two frames each", *joined([[photo] * 2 for photo in photos]))
    Console().print(table)


def add(table: Table, name: str, frames: Sequence[UInt8Array], cuts: Collection[int] = ()) -> None:
    """A row on what is said of frames that are cut before each index of ``cuts``."""
    finder = CutFinder()
    changes = [finder.step(pixels) for pixels in frames]
    said = {index for index, change in enumerate(changes) if change is Change.CUT}
    numbers = (
        len(frames),
        len(cuts),
        len(said.intersection(cuts)),
        len(said.difference(cuts)),
        changes.count(Change.RETURN),
    )
    table.add_row(name, *map(str, numbers))


def fitted(pixels: UInt8Array) -> UInt8Array:
    """The middle of a picture, [HEIGHT, WIDTH, 3]."""
    scale = max(HEIGHT / pixels.shape[0], WIDTH / pixels.shape[1])
    size = (round(pixels.shape[1] * scale), round(pixels.shape[0] * scale))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    top, left = (size[1] - HEIGHT) // 2, (size[0] - WIDTH) // 2
    return np.ascontiguousarray(small[top : top + HEIGHT, left : left + WIDTH], np.uint8)


def carried(shot: Shot, part: float) -> Shot:
    """The middle as an oval head that goes to and fro, by that part of its width a frame."""
    oval = np.zeros((HEIGHT, HEIGHT), np.uint8)
    cv2.ellipse(oval, (HEIGHT // 2, HEIGHT // 2), (78, 100), 0, 0, 360, 1, -1)
    way = WIDTH - HEIGHT
    frames = []
    for index, pixels in enumerate(shot):
        left = round(abs((index * part * 156 + way) % (2 * way) - way))
        frames.append(np.full_like(pixels, (90, 120, 105)))
        head = pixels[:, way // 2 : way // 2 + HEIGHT]
        frames[-1][:, left : left + HEIGHT][oval > 0] = head[oval > 0]
    return frames


def flashed(shot: Shot, chance: np.random.Generator) -> Shot:
    """One frame in about 15 is brighter by 30 to 200 levels."""
    lights = np.where(chance.random(len(shot)) < 1 / 15, chance.uniform(30, 200, len(shot)), 0)
    return [shone(pixels, 1.0, light) for pixels, light in zip(shot, lights, strict=True)]


def faded(shot: Shot) -> Shot:
    """Black every four times ``FADE_FRAMES`` frames."""
    phases = (np.arange(len(shot)) / (2 * FADE_FRAMES)) % 2
    factors = np.clip(2 * np.abs(phases - 1), 0, 1)
    return [shone(pixels, factor, 0) for pixels, factor in zip(shot, factors, strict=True)]


def shone(pixels: UInt8Array, factor: float, offset: float) -> UInt8Array:
    """Other light, cut off where the picture cannot hold it."""
    return np.clip(pixels * factor + offset, 0, 255).astype(np.uint8)


def alternating(shots: Sequence[Shot]) -> list[Shot]:
    """Pieces of all shots by turns, so that each is followed by another shot's."""
    num_rounds = min(map(len, shots)) // PIECE_FRAMES
    starts = range(0, num_rounds * PIECE_FRAMES, PIECE_FRAMES)
    return [shot[start : start + PIECE_FRAMES] for start in starts for shot in shots]


def joined(pieces: Sequence[Shot]) -> tuple[Shot, list[int]]:
    """The pieces one after the other, and the first frame of each but the first."""
    starts = np.cumsum([len(piece) for piece in pieces])[:-1]
    return [pixels for piece in pieces for pixels in piece], starts.tolist()


def dissolved(pieces: Sequence[Shot]) -> Shot:
    """The pieces, each of which dissolves into the next."""
    frames = list(pieces[0])
    for piece in pieces[1:]:
        for index in range(DISSOLVE_FRAMES):
            share = (index + 1) / (DISSOLVE_FRAMES + 1)
            under = frames[index - DISSOLVE_FRAMES]
            mixed = cv2.addWeighted(under, 1 - share, piece[index], share, 0)
            frames[index - DISSOLVE_FRAMES] = np.asarray(mixed, np.uint8)
        frames += piece[DISSOLVE_FRAMES:]
    return frames


if __name__ == "__main__":
    main()
