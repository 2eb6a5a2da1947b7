"""Is a swap steadier with smoothing than without, and what does that cost? One clip, one table.

Run: python benchmarks/steadiness.py --source PHOTO --clip CLIP [--end 3] [--folder FOLDER]

Swaps CLIP twice, with ``--smooth none`` and with ``--smooth light`` (or another), and measures both
copies as ``megafs-video evaluate video`` does. For what a copy should not have more of than the
input itself, the excess over the input's own value is compared. With FOLDER, the copies, a plot
over time of each, and a strip of frames (input, none, smoothed; enlarged about the face) are kept,
and copies that are there already are measured as they are.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from megafs_video import SwapOptions, swap_video
from megafs_video.evaluation.clips import find_face
from megafs_video.evaluation.identity import build_sface
from megafs_video.evaluation.timelines import draw_plot
from megafs_video.evaluation.video import VideoMeasurement, measure_video
from megafs_video.faces.contract import Detector, Landmarker
from megafs_video.faces.mesh import build_mesh
from megafs_video.faces.scrfd import build_scrfd
from megafs_video.geometry.templates import mesh_square
from megafs_video.geometry.warps import warp
from megafs_video.model import load_model
from megafs_video.video.picture import write_picture
from megafs_video.video.read import read_frames
from megafs_video.weights.fetch import ensure

IN_EXCESS = ("warping error", "landmark acceleration", "colour flicker")
STRIP_FRAMES, STRIP_PIXELS = 8, 256


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=Path, required=True, help="the photograph to swap in")
    parser.add_argument("--clip", type=Path, required=True)
    parser.add_argument("--end", type=float, help="seconds; the whole clip if not given")
    parser.add_argument("--smooth", default="light", help="beside none")
    parser.add_argument("--model", default="mobile")
    parser.add_argument("--folder", type=Path, help="keep copies, plots and strip here")
    chosen = parser.parse_args()
    paths = ensure(["scrfd", "face-mesh", "sface"])
    model = load_model(chosen.model, device="auto")
    names = ("none", chosen.smooth)
    with (
        tempfile.TemporaryDirectory() as temporary,
        build_mesh(paths["face-mesh"], with_expression=True) as mesh,
    ):
        folder = chosen.folder or Path(temporary)
        detector, sface = build_scrfd(paths["scrfd"]), build_sface(paths["sface"])
        copies = [
            folder / f"{chosen.clip.stem}-{name.replace(':', '-')}{chosen.clip.suffix}"
            for name in names
        ]
        found = []
        for name, copy in zip(names, copies, strict=True):
            if not copy.exists():
                options = SwapOptions(smooth=name, end_seconds=chosen.end)
                swap_video(chosen.source, chosen.clip, copy, model=model, options=options)
            found.append(
                measure_video(
                    chosen.source,
                    chosen.clip,
                    copy,
                    detector,
                    mesh,
                    sface,
                    end_seconds=chosen.end,
                )
            )
            draw_plot(found[-1], copy.with_suffix(".png"))
        clips = [chosen.clip, *copies]
        write_strip(folder / f"{chosen.clip.stem}-strip.png", clips, len(found[0].seconds), mesh)
    Console().print(figures_table(chosen.clip.name, names, *found))


def figures_table(
    clip: str, names: Sequence[str], off: VideoMeasurement, on: VideoMeasurement
) -> Table:
    """Each figure of the input and of both copies, and how they compare."""
    table = Table(title=f"{clip}, {len(off.seconds)} frames")
    table.add_column("figure")
    for column in ("input", *names, "change", "of the input's own"):
        table.add_column(column, justify="right")
    for before, after in zip(off.figures, on.figures, strict=True):
        start, end = before.swapped, after.swapped
        if before.name in IN_EXCESS:
            start, end = max(start - before.target, 0.0), max(end - before.target, 0.0)
        change = f"{100 * (end / start - 1):+.1f} %" if start > 0 else "no excess"
        if before.name in IN_EXCESS and start > 0:
            change += " of the excess"
        numbers = (f"{value:.4g}" for value in (before.target, before.swapped, after.swapped))
        table.add_row(before.name, *numbers, change, f"{after.ratio:.4f}")
    return table


def write_strip(path: Path, clips: Sequence[Path], num_frames: int, mesh: Landmarker) -> None:
    """A row per clip and a column per moment, evenly spread, cut out about the input's face."""
    detector: Detector = build_scrfd(ensure(["scrfd"])["scrfd"])
    step = max(1, num_frames // STRIP_FRAMES)
    columns = []
    readers = [islice(read_frames(clip), step // 2, num_frames, step) for clip in clips]
    for frames in zip(*readers, strict=True):
        face = find_face(frames[0].pixels, detector, mesh)
        if face is not None:
            place = mesh_square(face.landmarks_xy).frame_to_crop(STRIP_PIXELS)
            columns.append(np.vstack([warp(one.pixels, place, STRIP_PIXELS) for one in frames]))

    write_picture(path, np.hstack(columns), overwrite=True)


if __name__ == "__main__":
    main()
