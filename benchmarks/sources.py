"""Several sources in every clip: whose face is it, and does it move as the target's?

Run: python benchmarks/sources.py --clip CLIP [CLIP ...] --source PHOTO [PHOTO ...]
     [--folder FOLDER] [--photos PHOTOS] [--every 10]

Each source is swapped into each clip, unless the folder holds that swap already. Of every so many
frames the largest face of the clip and of the swap are measured as ``megafs-video evaluate pairs``
measures pictures: cosines by SFace and EdgeFace, which no training here has seen, turn of the head,
expression by a 3D face model and by MediaPipe's blendshapes, each also as a share of what two
strangers differ by. A picture in the folder shows six moments of each clip above its swaps.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from megafs_video import load_model, swap_video
from megafs_video.evaluation.gallery import choose_pairs, hang_gallery
from megafs_video.evaluation.portrait import (
    Change,
    Examiner,
    Portrait,
    change_between,
    mean_change,
    open_examiner,
)
from megafs_video.faces.contract import Detector
from megafs_video.faces.scrfd import build_scrfd
from megafs_video.training.faces import list_faces
from megafs_video.values import Face, UInt8Array
from megafs_video.video.picture import read_picture, write_picture
from megafs_video.video.read import read_frames
from megafs_video.weights.fetch import ensure

PHOTOS = Path(__file__).parents[2] / "shared" / "faces" / "photo"
NUM_MOMENTS, SHOWN_SIZE = 6, 256
NUM_STRANGERS = 60  # pairs of photographs that give the scale


@dataclass
class Seen:
    """What was measured of one swap."""

    num_frames: int = 0
    num_unfound: int = 0
    cosines: list[list[tuple[float, float, float]]] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    shown: list[UInt8Array] = field(default_factory=list)  # of the swap
    shown_target: list[UInt8Array] = field(default_factory=list)


def main() -> None:
    """Print the table, a row for each swap."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clip", type=Path, nargs="+", required=True)
    parser.add_argument("--source", type=Path, nargs="+", required=True)
    parser.add_argument("--folder", type=Path, default=Path("swaps"))
    parser.add_argument("--photos", type=Path, default=PHOTOS, help="strangers, for the scale")
    parser.add_argument("--model", default="mobile")
    parser.add_argument("--every", type=int, default=10, help="look at every so many frames")
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    model = load_model(chosen.model)
    console = Console(width=130)
    with open_examiner() as examine:
        pairs = choose_pairs(list_faces(chosen.photos, validation=True), NUM_STRANGERS, 0)
        strangers = hang_gallery(pairs, SHOWN_SIZE, examine, lambda done: None).random_change
        detector = build_scrfd(ensure(["scrfd"])["scrfd"])
        for clip in chosen.clip:
            table = new_table(clip)
            rows: list[UInt8Array] = []
            for source in chosen.source:
                swapped = chosen.folder / f"{source.stem}-{clip.stem}.mp4"
                if not swapped.exists():
                    swap_video(source, clip, swapped, model=model)
                portrait = examine(read_picture(source))
                if portrait is None:
                    parser.error(f"no face found in {source}")
                seen = look(clip, swapped, portrait, examine, detector, chosen.every)
                table.add_row(source.stem, *cells(seen, strangers))
                rows += [] if rows else [np.concatenate(seen.shown_target, axis=1)]
                rows.append(np.concatenate(seen.shown, axis=1))
            console.print(table)
            write_picture(chosen.folder / f"{clip.stem}.jpg", np.concatenate(rows), overwrite=True)


def look(
    clip: Path,
    swapped: Path,
    source: Portrait,
    examine: Examiner,
    detector: Detector,
    every_frames: int,
) -> Seen:
    """Measure every so many frames of both clips, read side by side."""
    seen = Seen()
    sampled: list[tuple[UInt8Array, UInt8Array]] = []
    for index, (before, after) in enumerate(
        zip(read_frames(clip), read_frames(swapped), strict=True)
    ):
        if index % every_frames:
            continue
        seen.num_frames += 1
        faces = detector.detect(before.pixels)
        if faces:
            face = max(faces, key=lambda each: each.area)
            sampled.append((shown(before.pixels, face), shown(after.pixels, face)))
        target, swap = examine(before.pixels), examine(after.pixels)
        if target is None:
            continue
        if swap is None:
            seen.num_unfound += 1
            continue
        seen.changes.append(change_between(swap, target))
        seen.cosines.append(
            [
                (
                    float(target.identities[judge] @ identity),
                    float(swap.identities[judge] @ identity),
                    float(swap.identities[judge] @ target.identities[judge]),
                )
                for judge, identity in source.identities.items()
            ]
        )
    for place in np.linspace(0, len(sampled) - 1, NUM_MOMENTS).round().astype(int):
        seen.shown_target.append(sampled[place][0])
        seen.shown.append(sampled[place][1])
    return seen


def shown(pixels: UInt8Array, face: Face) -> UInt8Array:
    """The head of a face, [S, S, 3]."""
    left, top, right, bottom = face.box_xyxy
    half = 0.75 * max(right - left, bottom - top)
    x, y = (left + right) / 2, (top + bottom) / 2
    scale = SHOWN_SIZE / (2 * half)
    to_shown = np.array([[scale, 0, scale * (half - x)], [0, scale, scale * (half - y)]])
    found = cv2.warpAffine(pixels, to_shown, (SHOWN_SIZE, SHOWN_SIZE), flags=cv2.INTER_AREA)
    return np.asarray(found, np.uint8)


def new_table(clip: Path) -> Table:
    """A table without rows."""
    table = Table("source", title=f"{clip.name}: cosine to source before → after, to target")
    for name in ("SFace", "EdgeFace", "turn °", "3DMM", "blendshapes", "no face"):
        table.add_column(name, justify="right", no_wrap=True)
    return table


def cells(seen: Seen, strangers: Change) -> list[str]:
    """A row of the table."""
    cosines = np.array(seen.cosines).mean(axis=0)  # [judges, 3]
    mean = mean_change(seen.changes)
    assert mean is not None
    share = mean.share_of(strangers)
    return [
        *(f"{before:.3f} → {after:.3f}, {kept:.3f}" for before, after, kept in cosines),
        f"{mean.turn_degrees:.1f} ({share.turn_degrees:.0%})",
        f"{mean.coefficients:.2f} ({share.coefficients:.0%})",
        f"{mean.blendshapes:.2f} ({share.blendshapes:.0%})",
        f"{seen.num_unfound} of {seen.num_frames}",
    ]


if __name__ == "__main__":
    main()
