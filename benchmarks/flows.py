"""Which optical flow is good enough to carry a head's crop and its skin, and what does it cost?

Run: python -m benchmarks.flows --clip CLIP [--clip CLIP ...] [--frames 60]

Along each clip, from frame to frame in the view of the largest face, several flows are held
against one of the full size, of the most patches and with the most refinement. ``steps`` is how far
the step of a pixel misses, ``head`` how far the corners of the face do when the head is moved as a
whole; both in pixels of the view, in which the FFHQ square of the face has 190. One thread.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from itertools import islice, pairwise
from pathlib import Path
from time import thread_time
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from megafs_video.evaluation.clips import find_face
from megafs_video.faces.libraries import opencv
from megafs_video.faces.mesh import build_mesh
from megafs_video.faces.scrfd import build_scrfd
from megafs_video.geometry.flow import head_motion, head_view, quick_flow
from megafs_video.geometry.similarity import transform_points
from megafs_video.geometry.squares import Square
from megafs_video.geometry.templates import mesh_square
from megafs_video.values import FaceMotion, FloatArray, UInt8Array
from megafs_video.video.read import read_frames
from megafs_video.weights.fetch import ensure

Flow = Callable[[UInt8Array, UInt8Array], FloatArray]
IN_VIEW = np.eye(2, 3)  # what is compared stays in pixels of the view


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clip", type=Path, action="append", required=True)
    parser.add_argument("--frames", type=int, default=60, help="of each clip")
    chosen = parser.parse_args()
    opencv().setNumThreads(1)
    pairs = [pair for clip in chosen.clip for pair in pairwise(views_of(clip, chosen.frames))]
    finest = dis(stride=2, iterations=50, refinements=10, finest_scale=0)
    wanted = [finest(after, before) for before, after in pairs]
    ways: dict[str, Flow] = {
        "as it is used": quick_flow,
        "patches 4 apart": dis(stride=4),
        "patches 6 apart": dis(stride=6),
        "not refined": dis(refinements=0),
        "half as fine": dis(finest_scale=2),
        "preset medium": dis(stride=3, iterations=25, refinements=5),
        "preset fast": dis(stride=4, iterations=16, refinements=5, finest_scale=2),
    }
    table = Table("flow", "ms", "steps", "95 of 100", "head", "95 of 100")
    table.title = f"{len(pairs)} pairs of frames of {len(chosen.clip)} clips"
    for name, flow in ways.items():
        seconds, steps, heads = [], [], []
        for (before, after), truth in zip(pairs, wanted, strict=True):
            started = thread_time()
            found = flow(after, before)
            seconds.append(thread_time() - started)
            steps.append(np.hypot(*np.moveaxis(found - truth, 2, 0)).ravel())
            missed_xy = moved_corners(found) - moved_corners(truth)
            heads.append(np.hypot(*missed_xy.T).mean())
        numbers = (
            1000 * np.median(seconds),
            np.mean(steps),
            np.quantile(steps, 0.95),
            np.mean(heads),
            np.quantile(heads, 0.95),
        )
        table.add_row(name, *(f"{number:.3f}" for number in numbers))
    Console(width=100).print(table)


def views_of(clip: Path, num_frames: int) -> Iterator[UInt8Array]:
    """What a swap remembers of each frame, about where the largest face is in the first."""
    paths = ensure(["scrfd", "face-mesh"])
    square = None
    for frame in islice(read_frames(clip), num_frames):
        if square is None:
            with build_mesh(paths["face-mesh"]) as mesh:
                face = find_face(frame.pixels, build_scrfd(paths["scrfd"]), mesh)
            if face is None:
                raise SystemExit(f"{clip}: no face in the first frame; choose another clip")
            square = mesh_square(face.landmarks_xy)
        yield head_view(frame.pixels, square)


def dis(
    *, stride: int = 5, iterations: int = 12, refinements: int = 1, finest_scale: int = 1
) -> Flow:
    """OpenCV's flow with patches so many pixels apart."""
    cv2 = opencv()
    estimator: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    estimator.setPatchStride(stride)
    estimator.setGradientDescentIterations(iterations)
    estimator.setVariationalRefinementIterations(refinements)
    estimator.setFinestScale(finest_scale)
    return lambda start, end: np.asarray(estimator.calc(start, end, None))


def moved_corners(steps: FloatArray) -> FloatArray:
    """Where the corners [4, 2] of the view go with the head."""
    size = len(steps)
    motion = head_motion(FaceMotion(0.0, IN_VIEW, steps, np.ones((size, size), bool)))
    return transform_points(Square(size / 2, size / 2, size, 0.0).corners_xy, motion)


if __name__ == "__main__":
    main()
