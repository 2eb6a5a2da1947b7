"""What does each part of a face's codes carry: speech, blinks, pose, identity, colour?

Run: python benchmarks/layers.py --source PHOTO --clip CLIP [--frames 10] [--every 6]

Every few frames of CLIP are encoded and given PHOTO's identity, without smoothing. Then one part of
the codes after another is held at its mean over the frames, and the picture drawn from it is
compared with the one drawn from all codes: how far lips, lids and the whole face are then from
where they were, and how far the mean colour. And one part after another is given back the
target's own code: how much of the source's identity (SFace) is lost with it. All in parts of what
holding, or giving back, everything does.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from megafs_video.evaluation.clips import find_face, photo_identities
from megafs_video.evaluation.identity import build_sface
from megafs_video.faces.contract import Detector, Landmarker
from megafs_video.geometry.similarity import fit_similarity, transform_points
from megafs_video.geometry.templates import LEFT_EYE, MOUTH_CORNERS, RIGHT_EYE
from megafs_video.pipeline.align import Align
from megafs_video.pipeline.contract import FaceModel
from megafs_video.pipeline.detect import Detect
from megafs_video.pipeline.encode import Encode
from megafs_video.pipeline.options import SwapOptions
from megafs_video.pipeline.prepare import prepared
from megafs_video.pipeline.select import Select
from megafs_video.pipeline.track import Track
from megafs_video.pipeline.transfer import Transfer
from megafs_video.pixels import to_host
from megafs_video.values import Face, FloatArray, Latents, UInt8Array
from megafs_video.video.read import read_frames
from megafs_video.weights.fetch import ensure

LIPS = (*MOUTH_CORNERS, 0, 13, 14, 17, 81, 178, 311, 402)
LIDS = (*LEFT_EYE, *RIGHT_EYE)
# Style codes by the layers that they drive, pixels.
PARTS = {
    "C": slice(0, 0),
    "4": slice(0, 1),
    "8": slice(1, 3),
    "16": slice(3, 5),
    "32": slice(5, 7),
    "64": slice(7, 9),
    "128 on": slice(9, None),
}
ALL = "all of them"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=Path, required=True, help="the photograph to swap in")
    parser.add_argument("--clip", type=Path, required=True)
    parser.add_argument("--start", type=float, default=0.0, help="seconds")
    parser.add_argument("--frames", type=int, default=10)
    parser.add_argument("--every", type=int, default=6, help="look at every so many frames")
    parser.add_argument("--model", default="mobile")
    chosen = parser.parse_args()
    sface = build_sface(ensure(["sface"])["sface"])
    with prepared(chosen.source, SwapOptions(), model=chosen.model) as cast:
        finders, model = cast.finders, cast.model
        frames = read_frames(chosen.clip, start_seconds=chosen.start)
        gap_seconds = SwapOptions().max_gap_seconds
        tracked = Track(gap_seconds, finders.recognizer)(
            Detect(finders.detector, finders.landmarker)(frames)
        )
        found = Select(cast.choice, gap_seconds)(tracked)
        picked = islice(found, 0, chosen.frames * chosen.every, chosen.every)
        encoded = list(Encode(model)(Align(model.dims.crop_size)(picked)))
        swapped = list(Transfer(model, cast.source_latents)(iter(encoded)))
        target = Latents.concat([item.faces[0].latents for item in encoded])
        codes = Latents.concat([item.faces[0].latents for item in swapped])
        mean = Latents(
            codes.constant.mean(dim=0, keepdim=True).expand_as(codes.constant),
            codes.styles.mean(dim=0, keepdim=True).expand_as(codes.styles),
        )
        [sources] = photo_identities(
            [chosen.source], finders.detector, finders.landmarker, [sface]
        ).values()

        def seen(latents: Latents) -> tuple[FloatArray, FloatArray, FloatArray]:
            """Meshes [N, 478, 2], mean colours [N, 3] and cosines to the source [N]."""
            pictures = draw(model, latents)
            faces = [look(each, finders.detector, finders.landmarker) for each in pictures]
            return (
                np.stack([face.landmarks_xy for face in faces]),
                np.stack([each[96:192, 80:176].mean(axis=(0, 1)) for each in pictures]),
                np.array(
                    [
                        sface.embed(pixels, face) @ sources[0]
                        for pixels, face in zip(pictures, faces, strict=True)
                    ]
                ),
            )

        whole = seen(codes)
        rows: dict[str, list[float]] = {}
        for name in (*PARTS, ALL):
            held, given = (with_part(codes, other, name) for other in (mean, target))
            meshes, colours, _ = seen(held)
            pose, lips, lids = moved(whole[0], meshes)
            shift = float(np.linalg.norm(colours - whole[1], axis=1).mean())
            rows[name] = [pose, lips, lids, shift, float((whole[2] - seen(given)[2]).mean())]
    table = Table(caption=f"{chosen.clip.name}, {len(codes)} frames", title="part of the whole")
    for column in ("held / given back", "pose", "lips", "lids", "colour", "identity"):
        table.add_column(column, justify="right")
    for name, values in rows.items():
        shown = values if name == ALL else np.divide(values, rows[ALL])
        table.add_row(name, *(f"{value:.2f}" for value in shown))
    Console().print(table)


def with_part(codes: Latents, other: Latents, name: str) -> Latents:
    """The codes with one part of another's."""
    if name == ALL:
        return other
    part = PARTS[name]
    styles = codes.styles.clone()
    styles[:, part] = other.styles[:, part]
    constant: Tensor = other.constant if name == "C" else codes.constant
    return Latents(constant, styles)


def draw(model: FaceModel, latents: Latents) -> list[UInt8Array]:
    """Pictures [256, 256, 3], one by one."""
    pictures = []
    for index in range(len(latents)):
        one = latents[index : index + 1]
        pixels = model.generate(Latents(one.constant.to(model.device), one.styles.to(model.device)))
        shrunk = torch.nn.functional.interpolate(pixels, size=(256, 256), mode="area")
        pictures.extend(to_host(shrunk))
    return pictures


def look(pixels: UInt8Array, detector: Detector, landmarker: Landmarker) -> Face:
    """The face of a generated picture, which always has one."""
    face = find_face(pixels, detector, landmarker)
    assert face is not None
    return face


def moved(before_xy: FloatArray, after_xy: FloatArray) -> tuple[float, float, float]:
    """How far [N, 478, 2] the whole faces moved, and lips and lids within them, pixels of 256."""
    pose = float(np.linalg.norm(after_xy - before_xy, axis=2).mean())
    laid_xy = np.stack(
        [
            transform_points(after, fit_similarity(after, before))
            for before, after in zip(before_xy, after_xy, strict=True)
        ]
    )

    def within(points: Sequence[int]) -> float:
        difference = (laid_xy - before_xy)[:, list(points)]
        return float(np.linalg.norm(difference, axis=2).mean())

    return pose, within(LIPS), within(LIDS)


if __name__ == "__main__":
    main()
