"""Which parts have to be smoothed? One clip, swapped with each part of ``light`` alone.

Run: python -m benchmarks.parts --source PHOTO --clip CLIP [--end 1.6]

Prints what each part alone, and all but each, leaves of the warping error in excess of the input's
own, and what it does to identity, expression, and the flicker of colour.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from megafs_video import SwapOptions, swap_video
from megafs_video.evaluation.identity import build_sface
from megafs_video.evaluation.video import Figure, measure_video
from megafs_video.faces.mesh import build_mesh
from megafs_video.faces.scrfd import build_scrfd
from megafs_video.model import load_model
from megafs_video.pipeline import build
from megafs_video.pipeline.profile import PROFILES, Profile
from megafs_video.trajectories.fits import Gaussian
from megafs_video.weights.fetch import ensure

RAW = Gaussian(sigma_seconds=1e-6, radius_seconds=1e-6)  # sees the frame itself and no other
PARTS = {
    "crop and mask": ("place", "outline"),
    "codes": ("constant", "coarse", "middle", "fine"),
    "light": ("colour",),
    "skin": ("texture_seconds",),
}
FIGURES = ("identity to source", "expression error", "colour flicker")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--source", type=Path, required=True, help="the photograph to swap in")
    parser.add_argument("--clip", type=Path, required=True)
    parser.add_argument("--end", type=float, default=1.6, help="seconds of the clip")
    chosen = parser.parse_args()
    paths = ensure(["scrfd", "face-mesh", "sface"])
    model = load_model(device="auto")
    detector, sface = build_scrfd(paths["scrfd"]), build_sface(paths["sface"])
    table = Table(title=f"{chosen.clip.name}, the first {chosen.end:g} s")
    for column in ("smoothed", "warping error above the input's", *FIGURES):
        table.add_column(column, justify="left" if column == "smoothed" else "right")
    raw_excess = 0.0
    with (
        tempfile.TemporaryDirectory() as folder,
        build_mesh(paths["face-mesh"], with_expression=True) as mesh,
    ):
        for number, (name, profile) in enumerate(variants()):
            copy = Path(folder) / f"{number}{chosen.clip.suffix}"
            build.PROFILES = {**PROFILES, "light": profile}
            options = SwapOptions(end_seconds=chosen.end)
            swap_video(chosen.source, chosen.clip, copy, model=model, options=options)
            found = measure_video(
                chosen.source, chosen.clip, copy, detector, mesh, sface, end_seconds=chosen.end
            )
            figures = {figure.name: figure for figure in found.figures}
            excess = excess_of(figures["warping error"])
            raw_excess = raw_excess or excess
            change = f"{excess:.3g} ({100 * (excess / raw_excess - 1):+.0f} %)"
            table.add_row(name, change, *(f"{figures[each].swapped:.4g}" for each in FIGURES))
    Console().print(table)


def excess_of(figure: Figure) -> float:
    """What the copy has more of than the input."""
    return max(figure.swapped - figure.target, 0.0)


def variants() -> Iterator[tuple[str, Profile]]:
    """Nothing, each part alone, all but each, and all."""
    light = PROFILES["light"]
    assert light is not None
    everything = {field.name for field in fields(Profile)}
    yield "nothing", without(light, everything)
    for part, names in PARTS.items():
        yield f"{part} alone", without(light, everything - set(names))
    for part, names in PARTS.items():
        yield f"all but {part}", without(light, set(names))
    yield "all", light


def without(profile: Profile, names: set[str]) -> Profile:
    """The profile with those of its fields left as they come."""
    return replace(profile, **{name: 1e-6 if name == "texture_seconds" else RAW for name in names})


if __name__ == "__main__":
    main()
