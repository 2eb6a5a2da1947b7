"""How near do smoothed trajectories come to the true ones? A made clip whose truth is known.

Run: python -m benchmarks.yardstick [--seconds 3] [--rate 30] [--crf 32] [--smooth light]

Our generator draws a person who does not exist, on a smooth path: the head turns and nods, the lips
speak (tones of 2.3, 3.7, 5 and 6.6 Hz), the eyes blink, and the picture moves, grows and tilts on
the screen. An H.264 encoder adds its noise. Raw and smoothed codes come from the compressed clip as
in a swap. The truth is what the encoder reads from the picture before that, cut out where it truly
is. For the codes of 64 px and on, which carry identity, there is a second truth: on the generator's
own path they do not change at all. Errors are root mean squares over frames, without the mean over
the clip (a codec's blur is no flicker), in parts of the codes' own size. The gain at 5 Hz is that
of the truth's own tone.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from examples.make_clip import Studio, measure
from megafs_video.faces.mesh import Mesh, build_mesh
from megafs_video.faces.scrfd import build_scrfd
from megafs_video.geometry.similarity import compose, invert, resize
from megafs_video.geometry.squares import Square
from megafs_video.geometry.templates import FACE_OVAL, LEFT_EYE, RIGHT_EYE
from megafs_video.model import load_model
from megafs_video.pipeline.align import Align, cut_crop
from megafs_video.pipeline.contract import FaceModel
from megafs_video.pipeline.detect import Detect
from megafs_video.pipeline.encode import Encode
from megafs_video.pipeline.profile import PROFILES
from megafs_video.pipeline.smooth import Smooth
from megafs_video.pipeline.track import Track
from megafs_video.pipeline.transfer import Transfer
from megafs_video.values import (
    AlignedCrop,
    EncodedFace,
    FloatArray,
    Frame,
    FrameFaces,
    TrackedFace,
    UInt8Array,
)
from megafs_video.video.read import read_frames
from megafs_video.weights.fetch import ensure

PERSON_SEED, SOURCE_SEED, NUM_MEASURED = 27, 6, 80
SPEECH_HZ = (2.3, 3.7, 5.0, 6.6)
GAIN_HZ = 5.0
BLINK_SECONDS, BLINKS_AT_SECONDS = 0.2, (0.7, 1.9, 2.6)
HEIGHT, WIDTH, SIDE = 480, 640, 400.0
POSE_CODES, FACE_CODES = slice(0, 4), slice(2, 7)  # none of those that carry identity
PARTS = {
    "C": None,
    "4 and 8 px": slice(0, 3),
    "16 px": slice(3, 5),
    "32 px": slice(5, 7),
    "64 px": slice(7, 9),
    "128 px on": slice(9, None),
}
IDENTITY = {"64 px": slice(7, 9), "128 px on": slice(9, None), "both": slice(7, None)}

Encoded = list[FrameFaces[EncodedFace]]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rate", type=int, default=30, help="frames a second")
    parser.add_argument("--crf", type=int, default=32, help="of H.264: more is noisier")
    parser.add_argument("--smooth", default="light")
    parser.add_argument("--model", default="mobile")
    chosen = parser.parse_args()
    seconds = np.arange(round(chosen.seconds * chosen.rate)) / chosen.rate  # [T]
    studio, model = Studio(), load_model(chosen.model, device="auto")
    profile = PROFILES[chosen.smooth]
    paths = ensure(["scrfd", "face-mesh"])
    detector = build_scrfd(paths["scrfd"])
    with build_mesh(paths["face-mesh"]) as mesh, tempfile.TemporaryDirectory() as folder:
        directions = find_directions(studio, mesh)
        squares = true_squares(seconds)
        pictures = [
            place(studio.draw(styles, 1024), square)
            for styles, square in zip(
                true_styles(studio, directions, seconds), squares, strict=True
            )
        ]
        clip = Path(folder) / "yardstick.mp4"
        write_clip(clip, pictures, chosen.rate, chosen.crf)
        tracked = list(Track()(Detect(detector, mesh)(read_frames(clip))))
    truth = encode(model, true_crops(tracked, pictures, squares, model.dims.crop_size))
    raw = encode(model, Align(model.dims.crop_size)(iter(tracked)))
    placed = encode(model, Align(model.dims.crop_size, profile)(iter(tracked)))
    smooth = list(Smooth(profile)(iter(placed)))
    console = Console()
    caption = f"{len(seconds)} frames, crf {chosen.crf}, --smooth {chosen.smooth}"
    console.print(codes_table(caption, seconds, truth, raw, placed, smooth))
    console.print(identity_table(raw, placed, smooth))
    console.print(place_table(squares, raw, smooth))
    source = model.encode(
        torch.from_numpy(studio.draw(studio.codes(SOURCE_SEED), model.dims.crop_size).copy())
        .permute(2, 0, 1)[None]
        .to(model.device)
        / 127.5
        - 1
    )
    transfer = Transfer(model, (source,))
    after = list(Smooth(profile)(transfer(iter(placed))))
    wanted, unsmoothed, before = (list(transfer(iter(each))) for each in (truth, raw, smooth))
    console.print(order_table(wanted, unsmoothed, before, after))


def find_directions(studio: Studio, mesh: Mesh) -> Tensor:
    """Unit vectors [4, 512] along which faces turn, nod, open the mouth, and close the eyes."""
    detector = build_scrfd(ensure(["scrfd"])["scrfd"])
    kept, measured = [], []
    for codes in studio.codes(seed=5, count=NUM_MEASURED).chunk(NUM_MEASURED):
        pixels = studio.draw(codes, 256)
        found = detector.detect(pixels)
        face = mesh.refine(pixels, found[0]) if found else None
        if face is not None:
            kept.append(codes)
            measured.append([*measure(face.landmarks_xy), -opening(face.landmarks_xy)])
    codes, measures = torch.cat(kept), torch.tensor(np.array(measured), dtype=torch.float32)
    measures = (measures - measures.mean(dim=0)) / measures.std(dim=0)  # [N, 4]
    directions: Tensor = measures.T @ (codes - codes.mean(dim=0))  # [4, 512]
    return directions.div(directions.norm(dim=1, keepdim=True))


def opening(mesh_xy: FloatArray) -> float:
    """How far the eyes are open, in their widths."""
    heights = [
        float(np.linalg.norm(mesh_xy[eye[1]] - mesh_xy[eye[5]])) for eye in (LEFT_EYE, RIGHT_EYE)
    ]
    widths = [
        float(np.linalg.norm(mesh_xy[eye[0]] - mesh_xy[eye[3]])) for eye in (LEFT_EYE, RIGHT_EYE)
    ]
    return sum(heights) / sum(widths)


def true_styles(studio: Studio, directions: Tensor, seconds: FloatArray) -> list[Tensor]:
    """The person's codes [1, L, 512] in every frame."""
    person = studio.codes(PERSON_SEED)[:, None].repeat(1, studio.num_styles, 1)
    turn, nod, open_mouth, close_eyes = directions
    phases = np.random.default_rng(0).uniform(0, 2 * np.pi, len(SPEECH_HZ))
    found = []
    for now in seconds:
        spoken = np.sin(2 * np.pi * np.array(SPEECH_HZ) * now + phases).mean()
        steps = np.abs(now - np.array(BLINKS_AT_SECONDS)) / BLINK_SECONDS
        blink = np.square(np.cos(np.pi / 2 * np.clip(2 * steps, 0, 1))).sum()
        styles = person.clone()
        styles[:, POSE_CODES] += (-1.0 + 1.5 * np.sin(2 * np.pi * 0.4 * now)) * turn
        styles[:, POSE_CODES] += 0.8 * np.sin(2 * np.pi * 0.7 * now + 1) * nod
        styles[:, FACE_CODES] += (1.5 + 3.0 * spoken) * open_mouth
        styles[:, FACE_CODES] += 4.0 * blink * close_eyes
        found.append(styles)
    return found


def true_squares(seconds: FloatArray) -> list[Square]:
    """Where the picture is on the screen in every frame."""
    return [
        Square(
            WIDTH / 2 + 40 * np.sin(2 * np.pi * 0.5 * now),
            HEIGHT / 2 + 15 * np.sin(2 * np.pi * 0.8 * now),
            SIDE * (1 + 0.06 * np.sin(2 * np.pi * 0.3 * now)),
            0.06 * np.sin(2 * np.pi * 0.6 * now),
        )
        for now in seconds
    ]


def place(picture: UInt8Array, square: Square) -> UInt8Array:
    """The picture on the screen [HEIGHT, WIDTH, 3], before its own blurred continuation."""
    side = round(square.side)
    small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
    to_frame = compose(resize(side, 1024), invert(square.frame_to_crop(1024)))
    sharp = cv2.warpAffine(
        small, to_frame, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    inside = cv2.warpAffine(np.ones((side, side), np.float32), to_frame, (WIDTH, HEIGHT))
    mask = cv2.GaussianBlur(cv2.erode(inside, np.ones((13, 13))), (0, 0), 4)
    mask = np.minimum(mask, inside)
    return np.asarray(cv2.blendLinear(sharp, cv2.GaussianBlur(sharp, (0, 0), 20), mask, 1 - mask))


def write_clip(path: Path, pictures: Sequence[UInt8Array], rate: int, crf: int) -> None:
    """An MP4 with H.264 of the given rate factor."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=rate, options={"crf": str(crf)})
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "yuv420p"
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def true_crops(
    tracked: Sequence[FrameFaces[TrackedFace]],
    pictures: Sequence[UInt8Array],
    squares: Sequence[Square],
    crop_size: int,
) -> list[FrameFaces[AlignedCrop]]:
    """What the encoder would see without noise, and cut out where it truly is."""
    crops = []
    for item, pixels, square in zip(tracked, pictures, squares, strict=True):
        (found,) = item.faces
        oval_xy = found.face.landmarks_xy[list(FACE_OVAL)]
        crop = cut_crop(pixels, found, square, oval_xy, crop_size=crop_size)
        frame = Frame(pixels, item.frame.pts, item.frame.time_base)
        crops.append(FrameFaces(frame, (crop,)))
    return crops


def encode(model: FaceModel, crops: Any) -> Encoded:
    """Codes of the only face of each frame."""
    return list(Encode(model)(iter(crops)))


def part_of(items: Encoded, part: slice | None) -> FloatArray:
    """One part of the codes over time, [T, D]; C without a slice."""
    latents = [item.faces[0].latents for item in items]
    rows = [each.constant if part is None else each.styles[:, part] for each in latents]
    return np.stack([row.double().numpy().ravel() for row in rows])


def error(found: FloatArray, truth: FloatArray) -> float:
    """Root mean square of the difference about its mean over time, in parts of the truth's size."""
    difference = found - truth
    difference = difference - difference.mean(axis=0)
    return float(np.sqrt(np.square(difference).mean() / np.square(truth).mean()))


def gain(seconds: FloatArray, found: FloatArray, truth: FloatArray) -> float:
    """How much of the truth's own tone of ``GAIN_HZ`` is found, under a Hann window."""
    window = np.hanning(len(seconds) + 2)[1:-1] * np.exp(-2j * np.pi * GAIN_HZ * seconds)
    tones = [window @ (values - values.mean(axis=0)) for values in (found, truth)]
    return float((np.vdot(tones[1], tones[0]) / np.vdot(tones[1], tones[1])).real)


def codes_table(
    caption: str,
    seconds: FloatArray,
    truth: Encoded,
    raw: Encoded,
    placed: Encoded,
    smooth: Encoded,
) -> Table:
    """Errors of each part of the codes, and gains at 5 Hz."""
    table = Table(title="codes", caption=caption)
    columns = ("part", "raw error", "place only", "smoothed", "change", "raw gain", "gain at 5 Hz")
    for column in columns:
        table.add_column(column, justify="right")
    for name, part in PARTS.items():
        true, *others = (part_of(items, part) for items in (truth, raw, placed, smooth))
        errors = [error(each, true) for each in others]
        gains = [gain(seconds, each, true) for each in (others[0], others[2])]
        table.add_row(
            name,
            *(f"{each:.4f}" for each in errors),
            f"{100 * (errors[2] / errors[0] - 1):+.0f} %",
            *(f"{each:.3f}" for each in gains),
        )
    return table


def identity_table(raw: Encoded, placed: Encoded, smooth: Encoded) -> Table:
    """How much the codes change that do not change in truth."""
    table = Table(title="identity codes, which are constant in truth")
    for column in ("part", "raw error", "place only", "smoothed", "change"):
        table.add_column(column, justify="right")
    for name, part in IDENTITY.items():
        found = [part_of(items, part) for items in (raw, placed, smooth)]
        constant = np.broadcast_to(found[0].mean(axis=0), found[0].shape)
        errors = [error(each, constant) for each in found]
        change = f"{100 * (errors[2] / errors[0] - 1):+.0f} %"
        table.add_row(name, *(f"{each:.4f}" for each in errors), change)
    return table


def place_table(squares: Sequence[Square], raw: Encoded, smooth: Encoded) -> Table:
    """How far the corners of the crop are from the true ones."""
    table = Table(title="corners of the crop, pixels of the screen")
    for column in ("raw error", "smoothed", "change"):
        table.add_column(column, justify="right")
    true_xy = np.stack([square.corners_xy for square in squares])
    errors = []
    for items in (raw, smooth):
        crops = [item.faces[0].crop for item in items]
        found = [Square.from_matrix(crop.frame_to_crop, crop.pixels.shape[0]) for crop in crops]
        missed = np.stack([square.corners_xy for square in found]) - true_xy  # [T, 4, 2]
        missed -= missed.mean(axis=0)
        errors.append(float(np.sqrt(np.square(missed).sum(axis=2).mean())))
    change = f"{100 * (errors[1] / errors[0] - 1):+.0f} %"
    table.add_row(*(f"{each:.3f}" for each in errors), change)
    return table


def order_table(wanted: Encoded, raw: Encoded, before: Encoded, after: Encoded) -> Table:
    """Errors of swapped codes when they are smoothed before and after the transfer."""
    table = Table(title="swapped codes, by where they are smoothed")
    for column in ("part", "not at all", "before transfer", "after transfer"):
        table.add_column(column, justify="right")
    for name, part in PARTS.items():
        true = part_of(wanted, part)
        errors = (error(part_of(items, part), true) for items in (raw, before, after))
        table.add_row(name, *(f"{each:.4f}" for each in errors))
    return table


if __name__ == "__main__":
    main()
