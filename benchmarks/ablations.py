"""What is each choice of the training worth? Short runs that are alike but for one thing.

Run: python benchmarks/ablations.py --faces FACES [--faces MORE ...] --output OUTPUT
         [--of encoder] [--of transfer] [--only NAME ...] [--steps 60] [--pairs 40]

Encoders begin anew, FTM beside the finished encoder ``--encoder``, all with the same seed, the same
faces and as many steps. Each is then measured as ``megafs-video evaluate pairs`` does, on
validation photographs of the first folder, and, for an encoder, once more with the photographs at
half their size and as poor JPEGs, as a codec leaves them. A few minutes are not eleven hours: the
table says what helps at the start, and what costs time. A run that was stopped goes on, and a
finished one is not repeated; OUTPUT/ablations.csv keeps the figures.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from megafs_video.evaluation.pairs import FTM, RECONSTRUCTION, compare, draw, evaluate_pairs
from megafs_video.evaluation.portrait import open_examiner
from megafs_video.evaluation.report import PictureSummary
from megafs_video.model import Model, load_model
from megafs_video.networks.dims import Dims
from megafs_video.networks.perceptual import Lpips
from megafs_video.parts import build_lpips
from megafs_video.training import readouts
from megafs_video.training.config import EncoderConfig, TransferConfig
from megafs_video.training.faces import list_faces, read_faces
from megafs_video.training.run import train_encoder, train_transfer
from megafs_video.values import UInt8Array
from megafs_video.weights.bundled import bundled_path
from megafs_video.weights.checkpoint import load_checkpoint
from megafs_video.weights.fetch import ensure

POOR_QUALITY = 40  # of a JPEG, 0 to 100
FIT_STEPS = 100  # of the picture head, which follows anyway: a quarter of what a training gives it


@dataclass(frozen=True)
class Variation:
    """What one run has otherwise."""

    settings: Mapping[str, object] = field(default_factory=dict)
    dims: Mapping[str, object] = field(default_factory=dict)


ENCODERS = {
    "as it is": Variation(),
    "half as wide": Variation(
        dims={
            "backbone_widths": (32, 64, 128, 128),
            "pyramid_width": 64,
            "mapping_width": 48,
        }
    ),
    "twice as wide": Variation(
        dims={
            "backbone_widths": (128, 256, 512, 512),
            "pyramid_width": 256,
            "mapping_width": 192,
        }
    ),
    "backbone not from face parsing": Variation({"warm_backbone": False}),
    "no face-recognition features": Variation(dims={"identity_size": 0}),
    "no landmarks": Variation(dims={"num_landmarks": 0}),
    "no correction": Variation(dims={"num_corrections": 0}),
    "half of the steps codes first": Variation({"picture_from_step": 0.5}),
    "known codes count for nothing": Variation({"weight_code": 0.0}),
    "drawn faces only": Variation({"picture_from_step": 1.0}),
    "no drawn face of mixed codes": Variation({"mixed_share": 0.0}),
    "the generator's own C": Variation({"weight_constant": 10.0}),  # W+
    "nothing degraded or turned": Variation({"augmented": False}),
    "no identity loss": Variation({"weight_identity": 0.0}),
    "squares at full size": Variation({"reconstruction_size": 128}),
}
TRANSFERS = {
    "as it is": Variation(),
    "one cell a block": Variation(dims={"transfer_cells": 1}),
    "twice as wide": Variation(dims={"transfer_width": 128}),
    "no norm loss": Variation({"weight_norm": 0.0}),
    "norm loss times 50": Variation({"weight_norm": 1.0}),
    "half of the identity loss": Variation({"weight_identity": 8.0}),
    "identity loss by SFace": Variation({"identity_network": "sface"}),
}
VARIATIONS = {"encoder": ENCODERS, "transfer": TRANSFERS}


def main() -> None:
    """Train and measure what is not measured yet, then print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faces", type=Path, action="append", required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--encoder", type=Path, help="a finished one (default: that of mobile)")
    parser.add_argument("--of", choices=VARIATIONS, action="append")
    parser.add_argument("--only", action="append", help="names of variations")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--pairs", type=int, default=40)
    chosen = parser.parse_args()
    chosen.output.mkdir(parents=True, exist_ok=True)
    readouts.STEPS = FIT_STEPS
    for of in chosen.of or VARIATIONS:
        rows = {}
        for name, variation in VARIATIONS[of].items():
            if chosen.only and name not in chosen.only:
                continue
            row = chosen.output / of / name.replace(" ", "-") / "figures.csv"
            if not row.exists():
                figures = measured(of, variation, row.parent, chosen)
                with row.open("w", newline="") as file:
                    csv.writer(file).writerows(figures.items())
            with row.open(newline="") as file:
                rows[name] = {key: float(value) for key, value in csv.reader(file)}
            Console(width=150).print(table(of, rows, chosen))


def measured(
    of: str, variation: Variation, folder: Path, chosen: argparse.Namespace
) -> dict[str, float]:
    """Train one variation, and measure it."""
    folder.mkdir(parents=True, exist_ok=True)
    share_rendered(chosen.output / "rendered", folder / "rendered")
    began = perf_counter()
    if of == "encoder":
        train_one_encoder(variation, folder, chosen)
    else:
        train_one_transfer(variation, folder, chosen)
    seconds = perf_counter() - began
    model = load_model(folder, swapper="lcr" if of == "encoder" else "ftm")
    lpips = build_lpips(ensure(["lpips-alex"])["lpips-alex"])
    photos = list_faces(chosen.faces[0], validation=True)
    with open_examiner() as examine:
        measurement = evaluate_pairs(photos, model, lpips, examine, num_pairs=chosen.pairs)
    by_name = {one.picture: one for one in measurement.report.pictures}
    found = summary(by_name[RECONSTRUCTION], "reconstruction ", is_swap=False)
    found |= summary(by_name[FTM], "swap ", is_swap=True)
    if of == "encoder":
        found |= of_poor_copies(model, lpips, photos[: chosen.pairs])
    speeds = seconds_of(model, read_faces(photos[:1], model.dims.crop_size))
    for path in folder.glob("*.pt"):
        path.unlink()  # half a gigabyte
    return found | speeds | {"training s": seconds}


def train_one_encoder(variation: Variation, folder: Path, chosen: argparse.Namespace) -> None:
    """HieRFE from nothing, by pictures of 128 px."""
    config = EncoderConfig(
        num_steps=chosen.steps,
        num_rendered=750,
        code_batch=16,
        late_code_batch=4,
        picture_batch=10,
        picture_from_step=0,
        window_batch=0,
        warmup_steps=10,
        ema_decay=0.95,
        weight_reconstruction=4.0,
        weight_perceptual=1.0,
        weight_landmark=150.0,
        weight_expression=15.0,
        weight_mesh=0.0,
        weight_code=0.1,
        weight_constant=0.002,
        sheet_every=chosen.steps,
    )
    settings = dict(variation.settings)
    if isinstance(share := settings.get("picture_from_step"), float):
        settings["picture_from_step"] = int(share * chosen.steps)
    dims = replace(Dims(num_spans=0), **dict(variation.dims))
    train_encoder(chosen.faces, folder, replace(config, **settings), dims=dims)


def train_one_transfer(variation: Variation, folder: Path, chosen: argparse.Namespace) -> None:
    """FTM from nothing, and the heads of the codes that it moves, beside a finished HieRFE."""
    config = TransferConfig(
        num_steps=chosen.steps,
        encoder_rate=0.0,
        learning_rate=1.2e-3,
        warmup_steps=10,
        ema_decay=0.95,
        window_batch=0,
        weight_reconstruction=15.0,
        weight_perceptual=2.9,
        weight_identity=16.0,
        weight_landmark=150.0,
        weight_mesh=0.0,
        weight_norm=0.02,
        sheet_every=chosen.steps,
    )
    path = chosen.encoder or bundled_path("mobile/encoder.safetensors")
    tensors = load_checkpoint(path, kind="encoder").tensors
    start = folder / "start.pt"  # as a run's, which leaves the dims of FTM to us
    torch.save({"average": {f"encoder.{name}": t.float() for name, t in tensors.items()}}, start)
    dims = replace(Dims(num_kept=0), **dict(variation.dims))
    settings = dict(variation.settings)
    train_transfer(chosen.faces, folder, start, replace(config, **settings), dims=dims)


def share_rendered(drawn: Path, here: Path) -> None:
    """Faces with known codes are drawn once."""
    drawn.mkdir(exist_ok=True)
    if not here.is_symlink():
        here.symlink_to(drawn.resolve(), target_is_directory=True)


def summary(picture: PictureSummary, prefix: str, *, is_swap: bool) -> dict[str, float]:
    """Figures of one row of the yardstick."""
    found = {} if is_swap else {"MSE": picture.mse, "LPIPS": picture.lpips}
    for one in picture.likenesses:
        cosine = one.to_source if is_swap else one.to_target
        found[one.judge] = float("nan") if cosine is None else cosine
    if picture.share_of_random is not None:
        found["turn %"] = 100 * picture.share_of_random.turn_degrees
        found["3DMM %"] = 100 * picture.share_of_random.coefficients
    return {prefix + name: value for name, value in found.items()}


def of_poor_copies(model: Model, lpips: Lpips, photos: list[Path]) -> dict[str, float]:
    """Errors to photographs of reconstructions that were read from poor copies of them."""
    size = model.dims.crop_size
    errors = []
    for path in photos:
        photo = read_faces([path], size)[0]
        pictures = draw(model, photo, poor_copy(photo))
        pictures[1] = pictures[0]  # it is judged by the photograph
        mse, distances = compare(lpips, pictures)
        errors.append((mse[1], distances[1]))
    mse, distance = np.mean(errors, axis=0)
    return {"poor copies MSE": float(mse), "poor copies LPIPS": float(distance)}


def poor_copy(photo: UInt8Array) -> UInt8Array:
    """A picture [S, S, 3] at half its size and as a JPEG of low quality, as large as before."""
    size = photo.shape[0]
    small = cv2.resize(photo, (size // 2, size // 2), interpolation=cv2.INTER_AREA)
    _, packed = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, POOR_QUALITY])
    found = cv2.imdecode(packed, cv2.IMREAD_COLOR)
    return np.asarray(cv2.resize(found, (size, size), interpolation=cv2.INTER_CUBIC), np.uint8)


def seconds_of(model: Model, photos: UInt8Array) -> dict[str, float]:
    """Medians of encoding, of moving and of drawing one face, milliseconds."""
    pixels = torch.from_numpy(photos).permute(0, 3, 1, 2).float() / 127.5 - 1
    latents = model.encode(pixels)
    parts = {
        "encode ms": lambda: model.encode(pixels),
        "transfer ms": lambda: model.transfer(latents, latents),
        "generate ms": lambda: model.generate(latents),
    }
    taken: dict[str, list[float]] = {name: [] for name in parts}
    for _ in range(11):  # in turn, so that all meet the same machine
        for name, part in parts.items():
            began = perf_counter()
            part()
            taken[name].append(1000 * (perf_counter() - began))
    return {name: float(np.median(values)) for name, values in taken.items()}


def table(of: str, rows: Mapping[str, Mapping[str, float]], chosen: argparse.Namespace) -> Table:
    """One line for each variation."""
    found = Table(of, title=f"{chosen.steps} steps, {chosen.pairs} pairs")
    names = list(next(iter(rows.values())))
    for name in names:
        found.add_column(name, justify="right")
    for variation, row in rows.items():
        found.add_row(variation, *(f"{row[name]:.3g}" for name in names))
    return found


if __name__ == "__main__":
    main()
