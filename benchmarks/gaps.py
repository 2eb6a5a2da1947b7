"""Is a face put back where it was missed, and left alone where it is hidden?

Run: python benchmarks/gaps.py [CLIP ...] [--frames 120] [--missed 4]

The faces of each clip (by default those of ../shared/videos) are found, and every second so many
found frames running are taken away again, as if the detector had missed them; and once more with
a patch in the colour of a corner of the picture laid over the face. Printed: in how many of
those frames the face is shown again, and how far its landmarks are from those that were found, in
parts of the face's side, beside what leaving them where they were would give.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from megafs_video.faces.mesh import build_mesh
from megafs_video.faces.recognize import build_arcface
from megafs_video.faces.scrfd import build_scrfd
from megafs_video.pipeline.bridge import Bridge
from megafs_video.pipeline.detect import Detect
from megafs_video.pipeline.track import Track
from megafs_video.values import Face, FrameFaces, TrackedFace
from megafs_video.video.read import read_frames
from megafs_video.weights.fetch import ensure

CLIPS = Path(__file__).parents[2] / "shared" / "videos"
PERIOD_FRAMES = 15


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", nargs="*", type=Path, default=sorted(CLIPS.glob("*.mp4")))
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--missed", type=int, default=4, help="frames running, fewer than 15")
    chosen = parser.parse_args()
    paths = ensure(("scrfd", "face-mesh", "arcface-mbf"))
    detector, recognizer = build_scrfd(paths["scrfd"]), build_arcface(paths["arcface-mbf"])
    table = Table("clip", "frames missed", "put back", "off by", "off if left", "shown when hidden")
    for path in chosen.clips:
        frames = islice(read_frames(path), chosen.frames)
        with build_mesh(paths["face-mesh"]) as mesh:
            found = list(Track(recognizer=recognizer)(Detect(detector, mesh)(frames)))
        is_missed = [
            index >= PERIOD_FRAMES
            and index % PERIOD_FRAMES < chosen.missed
            and index < len(found) - PERIOD_FRAMES
            for index in range(len(found))
        ]
        gone = [
            replace(item, faces=()) if missed else item
            for item, missed in zip(found, is_missed, strict=True)
        ]
        hidden = [
            covered(gone_item, item) if missed else item
            for gone_item, item, missed in zip(gone, found, is_missed, strict=True)
        ]
        bridge = Bridge(recognizer=recognizer)
        shown = [item.faces for item in bridge(iter(gone))]
        false = [item.faces for item in bridge(iter(hidden))]
        missed = [index for index, each in enumerate(is_missed) if each]
        errors, errors_if_left = [], []
        for index in missed:
            truth = found[index].faces[0].face
            last = found[index - index % PERIOD_FRAMES - 1].faces[0].face
            errors += [distance(face.face, truth) for face in shown[index]]
            errors_if_left.append(distance(last, truth))
        table.add_row(
            path.name,
            str(len(missed)),
            str(sum(bool(shown[index]) for index in missed)),
            f"{np.mean(errors):.3f}" if errors else "-",
            f"{np.mean(errors_if_left):.3f}",
            str(sum(bool(false[index]) for index in missed)),
        )
    Console().print(table)


def covered(
    item: FrameFaces[TrackedFace], found: FrameFaces[TrackedFace]
) -> FrameFaces[TrackedFace]:
    """The frame with a patch over each face that was found."""
    pixels = item.frame.pixels.copy()
    for tracked in found.faces:
        left, top, right, bottom = np.round(tracked.face.box_xyxy).astype(int).clip(0)
        region = pixels[top:bottom, left:right]
        region[:] = pixels[0, 0]
    return replace(item, frame=replace(item.frame, pixels=pixels))


def distance(face: Face, truth: Face) -> float:
    """Mean distance of the landmarks, as a part of the face's side."""
    apart = np.hypot(*(face.landmarks_xy - truth.landmarks_xy).T).mean()
    return float(apart / np.sqrt(truth.area))


if __name__ == "__main__":
    main()
