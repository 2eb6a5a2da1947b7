"""What lies in which code? Swaps that keep ever more of the target's, and codes without C.

Run: python benchmarks/codes.py --photos PHOTOS [--pairs 60] [--seed 0] [--model mobile]

Plain code replacement (LCR, paper §4.4) on pairs of validation photographs, as ``megafs-video
evaluate pairs`` draws and judges them, with the first 0, 2, 4, ... codes the target's, and once
with C the source's. Then FTM, and the reconstruction of the target: with its own C (W++), and with
the mean C in its place (W+, on weights that were trained with C: an upper bound of what its absence
costs). A share is of two strangers' difference.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor
from torch.nn import functional

from megafs_video.evaluation.gallery import Gallery, choose_pairs, hang_gallery, read_photo
from megafs_video.evaluation.portrait import Change, change_between, mean_change, open_examiner
from megafs_video.evaluation.report import Likeness
from megafs_video.model import Model, load_model
from megafs_video.networks.encoder import Encoder
from megafs_video.networks.transfer import replace_codes
from megafs_video.pixels import to_device, to_host
from megafs_video.training.faces import list_faces
from megafs_video.values import Latents

KEPT = (0, 2, 4, 6, 8, 10)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", default="mobile")
    chosen = parser.parse_args()
    model = load_model(chosen.model)
    size = model.dims.crop_size
    likenesses: dict[str, list[tuple[Likeness, ...]]] = defaultdict(list)
    changes: dict[str, list[Change]] = defaultdict(list)
    errors: dict[str, list[float]] = defaultdict(list)
    missing: dict[str, int] = defaultdict(int)
    with open_examiner() as examine:
        paths = list_faces(chosen.photos, validation=True)
        pairs = choose_pairs(paths, chosen.pairs, chosen.seed)
        gallery = hang_gallery(pairs, size, examine, lambda done: None)
        for index, (source, target) in enumerate(track(gallery.pairs, "drawing")):
            photos = to_device([read_photo(source, size), read_photo(target, size)], model.device)
            for name, latents in variants(model, photos).items():
                drawn = model.generate(latents)
                small = functional.interpolate(drawn, (size, size), mode="area").clamp(-1, 1)
                errors[name].append(float((small - photos[1:]).square().mean()))
                portrait = examine(to_host(small)[0])
                if portrait is None:
                    missing[name] += 1
                    continue
                is_swap = "reconstruction" not in name
                likenesses[name].append(gallery.likenesses(index, portrait, shows_source=is_swap))
                changes[name].append(change_between(portrait, gallery.portraits[target]))
    Console(width=130).print(
        table(gallery, errors, likenesses, changes, missing, f"{len(gallery.pairs)} pairs")
    )


@torch.inference_mode()
def variants(model: Model, photos: Tensor) -> dict[str, Latents]:
    """W++ of every row of the table, of a source and a target [2, 3, S, S]."""
    latents = model.encode(photos)
    source, target = latents[:1], latents[1:]
    found = {f"LCR, {kept} codes kept": replace_codes(source, target, kept) for kept in KEPT}
    kept = model.dims.num_low
    swapped = replace_codes(source, target, kept)
    found[f"LCR, {kept} codes kept, the source's C"] = Latents(source.constant, swapped.styles)
    found["FTM"] = model.transfer(source, target)
    found["reconstruction, W++"] = target
    encoder = model.encoder
    assert isinstance(encoder, Encoder)
    mean = encoder.constant_mean.to(model.device).float()
    found["reconstruction, W+"] = Latents(mean, target.styles)
    return found


def table(
    gallery: Gallery,
    errors: dict[str, list[float]],
    likenesses: dict[str, list[tuple[Likeness, ...]]],
    changes: dict[str, list[Change]],
    missing: dict[str, int],
    title: str,
) -> Table:
    """One row for each way of putting codes together."""
    judges = [scale.judge for scale in gallery.judges]
    found = Table("", *(f"{judge}: source, target, top-1" for judge in judges), title=title)
    for name in ("turn", "3DMM", "blendshapes", "MSE", "no face"):
        found.add_column(name, justify="right")
    for name, squares in errors.items():
        cells = []
        for place in range(len(judges)):
            seen = [each[place] for each in likenesses[name]]
            cosines = (
                np.mean([each.to_source for each in seen]),
                np.mean([each.to_target for each in seen]),
            )
            top = sum(each.is_retrieved for each in seen) / len(squares)
            cells.append(f"{cosines[0]:.3f}, {cosines[1]:.3f}, {top:.0%}")
        mean = mean_change(changes[name])
        assert mean is not None
        share = mean.share_of(gallery.random_change)
        cells += [
            f"{share.turn_degrees:.0%}",
            f"{share.coefficients:.0%}",
            f"{share.blendshapes:.0%}",
            f"{np.mean(squares):.3f}",
            str(missing[name]),
        ]
        found.add_row(name, *cells)
    return found


if __name__ == "__main__":
    main()
