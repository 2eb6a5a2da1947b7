"""Folded batch norms: the same numbers from fewer steps."""

from __future__ import annotations

import torch
from torch import nn

from megafs_video.networks.encoder import Encoder
from megafs_video.networks.fold import fold_batch_norms
from megafs_video.networks.frozen import freeze
from megafs_video.networks.order import SmallMapConv
from tests.tiny import check_close, random_pixels, shaken
from tests.training.small import SMALL, small_generator


def test_a_folded_encoder_reads_the_same_codes() -> None:
    torch.manual_seed(0)
    encoder = freeze(shaken(Encoder(SMALL), amount=0.1))
    for part in encoder.modules():
        if isinstance(part, nn.BatchNorm2d):
            assert part.running_mean is not None
            assert part.running_var is not None
            part.running_mean.normal_(std=0.1)
            part.running_var.uniform_(0.5, 2)
    pixels, identity, points = random_pixels(3, 64), torch.randn(3, 6), torch.randn(3, 106, 2)
    wanted = encoder(pixels, identity, points, small_generator())
    found = fold_batch_norms(encoder)(pixels, identity, points, small_generator())
    check_close(found.styles, wanted.styles)
    check_close(found.constant, wanted.constant)
    assert not any(isinstance(part, nn.BatchNorm2d) for part in encoder.modules())
    assert isinstance(encoder.constant, SmallMapConv)
