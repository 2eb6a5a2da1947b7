"""A model's folder: the published files by their published names, or our own checkpoints.

It only looks at names, so that a verb can tell what it would need before torch is loaded.
"""

from __future__ import annotations

from pathlib import Path

from megafs_video.errors import InputNotFoundError

SWAPPERS = ("ftm", "injection", "lcr")
OFFICIAL_GENERATOR = "stylegan2-ffhq-config-f.pth"
GENERATOR_SUFFIXES = (".pth", ".pt", ".pkl")
OWN_GENERATOR = "generator.safetensors"


def official_swapper(folder: Path, swapper: str) -> Path:
    """Where a folder of published files has HieRFE and the swapper, be it there or not."""
    return folder / f"{swapper}_final.pth"


def is_official(folder: Path) -> bool:
    """Whether a folder holds published files of any swapper."""
    return any(official_swapper(folder, swapper).is_file() for swapper in SWAPPERS)


def brings_generator(folder: Path) -> bool:
    """Whether a model's folder has a generator of its own; else it uses the default model's."""
    return is_official(folder) or (folder / OWN_GENERATOR).is_file()


def official_generator(folder: Path) -> Path:
    """The generator of a folder of published files: by its published name, or the only other file.

    Any StyleGAN2 file will do (.pth and .pt in the rosinality layout, NVIDIA's .pkl).
    InputNotFoundError if there is none, or if several could be meant.
    """
    published = folder / OFFICIAL_GENERATOR
    if published.is_file():
        return published
    swappers = [official_swapper(folder, swapper) for swapper in SWAPPERS]
    others = sorted(
        path
        for path in folder.iterdir()
        if path.suffix in GENERATOR_SUFFIXES and path not in swappers
    )
    if not others:
        raise InputNotFoundError(
            f"{folder} has no generator: put {OFFICIAL_GENERATOR} (or another StyleGAN2 file, "
            f"{', '.join(GENERATOR_SUFFIXES)}) into it"
        )
    if len(others) > 1:
        raise InputNotFoundError(
            f"{folder} has several files that may be the generator "
            f"({', '.join(path.name for path in others)}); leave one, or call it "
            f"{OFFICIAL_GENERATOR}"
        )
    return others[0]
