"""Where a training starts: codes that become shorter, and a swap that does not notice."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from megafs_video.networks.encoder import Encoder
from megafs_video.networks.transfer import FAR, FaceTransfer
from megafs_video.training.config import TransferConfig
from megafs_video.training.start import change_start, keep_late_codes, shorten
from tests.tiny import check_close, random_pixels, shaken
from tests.training.small import SMALL

LENGTH = 0.8
DIMS = replace(SMALL, num_corrections=0, num_low=3, codes_per_map=(4, 3, 5))
MIDDLE = slice(4, 7)


@torch.no_grad()
def codes_of(encoder: Encoder) -> Tensor:
    """L [3, 12, 8] of noise."""
    random = torch.Generator().manual_seed(0)
    identity = torch.randn(3, DIMS.identity_size, generator=random)
    landmarks = torch.randn(3, DIMS.num_landmarks, 2, generator=random)
    styles: Tensor = encoder(random_pixels(3, DIMS.crop_size), identity, landmarks).styles
    return styles


def test_low_codes_have_no_gain() -> None:
    dims = replace(DIMS, num_low=8)  # all of the middle map's, and one more
    encoder, transfer = Encoder(dims), FaceTransfer(dims)
    shorten(encoder, transfer, LENGTH)
    assert transfer.gain is not None
    assert torch.equal(transfer.gain, torch.ones(4, 1))


@torch.no_grad()
def test_codes_of_the_middle_map_become_shorter_and_swaps_stay_as_they_were() -> None:
    torch.manual_seed(0)
    encoder, transfer = shaken(Encoder(DIMS)), shaken(FaceTransfer(DIMS))
    encoder.style_mean.copy_(transfer.style_mean)
    encoder.style_scale.copy_(transfer.style_scale)
    before = codes_of(encoder)
    swapped = transfer.mix(before[:1, DIMS.num_low :], before[:, DIMS.num_low :])
    shorten(encoder, transfer, LENGTH)
    after = codes_of(encoder)
    wanted = before - encoder.style_mean
    wanted[:, MIDDLE] *= LENGTH
    check_close(after - encoder.style_mean, wanted)
    again = transfer.mix(after[:1, DIMS.num_low :], after[:, DIMS.num_low :])
    # What FTM gives back to the target, too.
    check_close(again, swapped)


def test_a_run_says_how_far_ftm_hears() -> None:
    encoder, transfer = Encoder(DIMS), FaceTransfer(DIMS)
    assert transfer.reach is not None
    change_start(encoder, transfer, TransferConfig())
    assert transfer.reach.tolist() == [FAR]
    change_start(encoder, transfer, TransferConfig(code_reach=2.5))
    assert transfer.reach.tolist() == [2.5]
    assert transfer.gain is not None
    assert (transfer.gain == 1).all()


@torch.no_grad()
def test_late_codes_are_the_targets_and_others_are_swapped_as_before() -> None:
    torch.manual_seed(0)
    transfer = shaken(FaceTransfer(DIMS))
    transfer.keeper = None
    source, target = torch.randn(2, 3, DIMS.num_high, DIMS.style_size).unbind()
    before = transfer.mix(source, target)
    keep_late_codes(transfer, 4)
    after = transfer.mix(source, target)
    check_close(after[:, -4:], target[:, -4:])
    assert torch.equal(after[:, :-4], before[:, :-4])
