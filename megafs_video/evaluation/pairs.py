"""The yardstick: swap N pairs of aligned photographs and measure what came out.

Four pictures of every pair are measured by the same eyes: the untouched target, the model's
reconstruction of it, plain code replacement (LCR, the paper's §4.4) and FTM (§3.2). They are
judged as the networks draw them, averaged down to the photographs' size, before any blending.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from megafs_video.evaluation.gallery import (
    Examine,
    Gallery,
    choose_pairs,
    hang_gallery,
    read_photo,
)
from megafs_video.evaluation.portrait import change_between
from megafs_video.evaluation.realism import kernel_distance
from megafs_video.evaluation.report import PairsReport, PictureFigures, summarise
from megafs_video.model import Model
from megafs_video.networks.perceptual import Lpips
from megafs_video.networks.transfer import replace_codes
from megafs_video.pixels import to_device, to_host
from megafs_video.values import FloatArray, UInt8Array

UNTOUCHED, RECONSTRUCTION, LCR, FTM = "untouched target", "reconstruction", "LCR", "FTM"
PICTURES = (UNTOUCHED, RECONSTRUCTION, LCR, FTM)
SWAPS = (LCR, FTM)  # these should show the source's face, the others the target's
KERNEL_FEATURES = "AlexNet (ImageNet), fifth convolution, mean over the picture: 256 numbers"
NUM_SHOWN = 8


@dataclass(frozen=True, eq=False)
class Measurement:
    """All that was measured, and the first pairs to look at."""

    report: PairsReport
    figures: tuple[PictureFigures, ...]  # pair by pair, in the order of PICTURES
    sheet: UInt8Array  # [5 · S, up to 8 · S, 3]: a column is a pair, the source above the rest


def evaluate_pairs(
    paths: Sequence[Path],
    model: Model,
    lpips: Lpips,
    examine: Examine,
    *,
    num_pairs: int,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Measurement:
    """Measure a model on pairs of FFHQ-aligned square photographs.

    Pictures are read when their turn comes, and only the sheet's are kept. ``lpips`` lies on
    the model's device. ``progress`` is told the photographs and pairs done, and those in all.

    PictureError: a photograph is damaged, not square or too small. SourceFaceError: no pair has
    a face in both photographs. ValueError: as ``choose_pairs``.
    """
    pairs = choose_pairs(paths, num_pairs, seed)
    size, num_photos = model.dims.crop_size, len({path for pair in pairs for path in pair})
    total = num_photos + num_pairs
    gallery = hang_gallery(pairs, size, examine, lambda done: progress(done, total))
    num_skipped = total - len(gallery.pairs)  # photographs looked at, and unusable pairs
    figures: list[PictureFigures] = []
    features: list[FloatArray] = []
    columns: list[UInt8Array] = []
    for index, (source, target) in enumerate(gallery.pairs):
        pictures = draw(model, read_photo(source, size), read_photo(target, size))
        mse, distances = compare(lpips, pictures)
        host = to_host(pictures)
        figures += look_at(gallery, index, host, mse, distances, examine)
        features.append(summaries(lpips, pictures))
        if index < NUM_SHOWN:
            columns.append(np.concatenate(list(host)))
        progress(num_skipped + index + 1, total)
    clouds = np.stack(features, axis=1)  # [5, N, 256]
    report = PairsReport(
        model=model.name,
        hashes=dict(model.hashes),
        device=model.device.type,
        precision=str(model.dtype).removeprefix("torch."),
        photos=str(paths[0].parent),
        seed=seed,
        size=size,
        num_pairs=num_pairs,
        num_photos=num_photos,
        num_photos_without_face=gallery.num_photos_without_face,
        num_unusable_pairs=num_pairs - len(gallery.pairs),
        kernel_features=KERNEL_FEATURES,
        judges=gallery.judges,
        random_change=gallery.random_change,
        pictures=tuple(
            summarise(
                figures[place :: len(PICTURES)],
                kernel_distance(cloud, clouds[0]) if len(gallery.pairs) > 1 else None,
                gallery.random_change,
                [scale.judge for scale in gallery.judges],
            )
            for place, cloud in enumerate(clouds[1:])
        ),
    )
    return Measurement(report, tuple(figures), np.concatenate(columns, axis=1))


def draw(model: Model, source: UInt8Array, target: UInt8Array) -> Tensor:
    """The source, and then PICTURES, of one pair: [5, 3, S, S] in [-1, 1] on the model's device."""
    photos = to_device([source, target], model.device)
    latents = model.encode(photos)
    first, second = latents[:1], latents[1:]
    drawn = [
        second,
        replace_codes(first, second, model.dims.num_low),
        model.transfer(first, second),
    ]
    # One at a time: a batch of pictures at full size takes memory and saves no time.
    small = [
        functional.interpolate(model.generate(one), photos.shape[-2:], mode="area").clamp(-1, 1)
        for one in drawn
    ]
    return torch.cat([photos, *small])


@torch.inference_mode()
def compare(lpips: Lpips, pictures: Tensor) -> tuple[FloatArray, FloatArray]:
    """Mean squared error and LPIPS of PICTURES to the target, [4] each, of [5, 3, S, S]."""
    measured = pictures[1:]
    target = pictures[1:2].expand_as(measured)
    mse = (measured - target).square().mean(dim=(1, 2, 3))
    return mse.cpu().numpy(), lpips(measured, target).cpu().numpy()


@torch.inference_mode()
def summaries(lpips: Lpips, pictures: Tensor) -> FloatArray:
    """Features of pictures for the kernel distance: [5, 3, S, S] -> [5, 256]."""
    found: FloatArray = lpips.summary(pictures).cpu().numpy()
    return found


def look_at(
    gallery: Gallery,
    index: int,
    pictures: UInt8Array,
    mse: FloatArray,
    distances: FloatArray,
    examine: Examine,
) -> list[PictureFigures]:
    """Figures of PICTURES of one pair, out of [5, S, S, 3] and both errors to the target [4]."""
    source, target = gallery.pairs[index]
    before = gallery.portraits[target]
    figures = []
    for place, name in enumerate(PICTURES):
        portrait = before if name == UNTOUCHED else examine(pictures[1 + place])
        figures.append(
            PictureFigures(
                pair=index,
                source=source.name,
                target=target.name,
                picture=name,
                mse=float(mse[place]),
                lpips=float(distances[place]),
                likenesses=()
                if portrait is None
                else gallery.likenesses(index, portrait, shows_source=name in SWAPS),
                change=None if portrait is None else change_between(portrait, before),
            )
        )
    return figures
