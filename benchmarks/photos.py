"""How well the default model swaps photographs it never saw: a short table for the model card.

    python benchmarks/photos.py --faces DIR --pairs 60

DIR holds FFHQ-aligned 256 px faces; only those that training keeps for validation are used.
Identities are judged by networks that no training has seen (SFace and EdgeFace).
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn import functional

from megafs_video.evaluation.identity import load_recognisers
from megafs_video.faces.mesh import build_mesh
from megafs_video.faces.scrfd import build_scrfd
from megafs_video.model import Model, load_model
from megafs_video.networks.transfer import replace_codes
from megafs_video.training.faces import list_faces, read_faces, to_device_pixels
from megafs_video.training.sheets import rows_of, to_host_pixels
from megafs_video.values import FloatArray, UInt8Array
from megafs_video.video.picture import write_picture
from megafs_video.weights.fetch import ensure


class Judge:
    """Identities of pictures, by each recognition network."""

    def __init__(self) -> None:
        paths = ensure(("scrfd", "face-mesh"))
        self.detector = build_scrfd(paths["scrfd"])
        self.landmarker = build_mesh(paths["face-mesh"])
        self.recognisers = load_recognisers()

    def __call__(self, pixels: UInt8Array) -> dict[str, FloatArray] | None:
        """Identity by network, or None where no face is found."""
        for found in self.detector.detect(pixels):
            face = self.landmarker.refine(pixels, found)
            if face is not None:
                return {one.name: one.embed(pixels, face) for one in self.recognisers}
        return None


def small(pixels: Tensor) -> Tensor:
    """Generated pictures at the size of the photographs: [N, 3, R, R] -> [N, 3, 256, 256]."""
    return functional.interpolate(pixels, (256, 256), mode="area").clamp(-1, 1)


def pairs(model: Model, faces: UInt8Array) -> Iterator[dict[str, Tensor]]:
    """Source, target and what becomes of them, each [1, 3, 256, 256]; face i with face i + 1."""
    for index in range(len(faces) - 1):
        source, target = (to_device_pixels(faces[i : i + 1]) for i in (index, index + 1))
        source_latents, target_latents = model.encode(source), model.encode(target)
        replaced = replace_codes(source_latents, target_latents, model.dims.num_low)
        yield {
            "source": source,
            "target": target,
            "reconstruction of the target": small(model.generate(target_latents)),
            "LCR": small(model.generate(replaced)),
            "FTM": small(model.generate(model.transfer(source_latents, target_latents))),
        }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--model", default="mobile")
    parser.add_argument("--sheet", type=Path, help="write the first eight pairs as a picture")
    settings = parser.parse_args()
    model, judge = load_model(settings.model), Judge()
    paths = list_faces(settings.faces, validation=True)[: settings.pairs + 1]
    cosines: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    errors, missed, shown = [], 0, []
    for pair in pairs(model, read_faces(paths, 256)):
        errors.append(
            float((pair["reconstruction of the target"] - pair["target"]).square().mean())
        )
        if len(shown) < 8:
            shown.append(pair)
        found = {name: judge(to_host_pixels(picture)[0]) for name, picture in pair.items()}
        if any(identity is None for identity in found.values()):
            missed += 1
            continue
        for name, identities in found.items():
            for network in identities or ():
                for other in ("source", "target"):
                    wanted = (found[other] or {})[network]
                    cosines[name, network, other].append(float(identities[network] @ wanted))
    table = Table(title=f"{len(errors)} pairs, {missed} with a face that was not found")
    for heading in ("picture", "judge", "cosine to the source", "to the target"):
        table.add_column(heading)
    for name, network in dict.fromkeys((name, network) for name, network, _ in cosines):
        means = [f"{np.mean(cosines[name, network, other]):.3f}" for other in ("source", "target")]
        table.add_row(name, network, *means)
    console = Console()
    console.print(table)
    console.print(f"inversion: mean squared error {np.mean(errors):.4f} on [-1, 1] at 256 px")
    if settings.sheet is not None:
        rows = [torch.cat([pair[name] for pair in shown]) for name in shown[0]]
        write_picture(settings.sheet, rows_of(*rows), overwrite=True)


if __name__ == "__main__":
    main()
