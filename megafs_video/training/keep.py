"""What a swap gives back to the target (``FaceTransfer.keeper``), in one go.

Where a face looks, and how far it opens eyes and mouth, lies in the high codes too, which a swap
takes from the source. A few directions of the codes draw most of it (``training.lead``): along
these, codes go most of the way back to the target's.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from megafs_video.networks.encoder import Encoder
from megafs_video.networks.transfer import FaceTransfer
from megafs_video.training.head import PictureHead
from megafs_video.training.lead import (
    BATCH,
    NUM_MOVED,
    NUM_READ,
    clipped,
    kinds_of,
    mean_gradients,
    read_spans,
    ridge,
    standard_spans,
    steps_of,
)
from megafs_video.training.start import taught
from megafs_video.training.teachers import Teachers
from megafs_video.values import Latents, UInt8Array

STRENGTH = 0.7  # of what would be best for the expression: brows and lids are likeness, too


def prepare_keeper(
    transfer: FaceTransfer,
    encoder: Encoder,
    head: PictureHead,
    faces: UInt8Array,
    teachers: Teachers,
    path: Path,
    say: Callable[[str], None],
) -> None:
    """Set FTM's keeper, or take up what a stopped run set (in ``path``)."""
    assert transfer.keeper is not None

    def teach() -> None:
        share = fit_keeper(transfer, encoder, head, faces, teachers)
        say(f"codes say {share:.0%} of what swaps lose of the spans; {STRENGTH:.0%} is given back")

    taught(transfer.keeper, path, teach)


@torch.no_grad()
def fit_keeper(
    transfer: FaceTransfer,
    encoder: Encoder,
    head: PictureHead,
    faces: UInt8Array,
    teachers: Teachers,
) -> float:
    """Set ``transfer.keeper``, all zero so far; the share of what swaps lose that it knows of.

    Swaps lose what the target's reconstruction draws of the spans and they do not.
    """
    keeper = transfer.keeper
    assert keeper is not None
    every = max(1, len(faces) // NUM_READ)
    found = read_spans(encoder.eval(), head, faces[::every][:NUM_READ], teachers)
    targets = found.latents
    sources = Latents(targets.constant.roll(1, 0), targets.styles.roll(1, 0))
    swapped = transfer(sources, targets)
    parts = [head(swapped[start : start + BATCH]) for start in range(0, len(swapped), BATCH)]
    drawn = torch.cat([standard_spans(encoder, part, teachers) for part in parts])
    kinds = kinds_of(found.wanted, transfer.dims.num_kept)
    lost = clipped(found.drawn - drawn) @ kinds  # [N, P]
    drawing = mean_gradients(encoder, head, swapped[:NUM_MOVED], kinds, teachers)
    num_low, size = transfer.dims.num_low, transfer.dims.style_size
    drawing = drawing[:, num_low * size :]  # [P, H · 512]
    wanted = transfer.stretched(targets.styles[:, num_low:])
    apart = ((wanted - swapped.styles[:, num_low:]) / transfer.style_scale).flatten(1)
    seen = apart @ drawing.T  # [N, P]: what that should draw, if all faces were the mean one
    # About 0, not about the mean: where no codes are apart, nothing is given back.
    spread = seen.square().mean(dim=0).sqrt().clamp(min=1e-6)
    told = ridge(seen / spread, lost)  # [P, P]
    read = drawing.T @ (told / spread[:, None])  # [H · 512, P]
    keeper.read.copy_(read.view_as(keeper.read))
    steps = STRENGTH * steps_of(drawing)
    keeper.steps.copy_(steps.view(len(steps), -1, size).transpose(0, 1))
    left = lost - apart @ read
    return float(1 - left.square().sum() / lost.square().sum())
