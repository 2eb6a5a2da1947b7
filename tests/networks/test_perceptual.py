"""LPIPS: a distance, and the steps that it is made of."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from megafs_video.networks.perceptual import Lpips
from tests.tiny import random_pixels, tiny_lpips


def test_equal_pictures_are_at_distance_zero() -> None:
    pixels = random_pixels(2, 16)
    assert torch.equal(tiny_lpips()(pixels, pixels), torch.zeros(2))


def test_the_distance_is_positive_and_the_same_both_ways() -> None:
    first, second, lpips = random_pixels(3, 16), random_pixels(3, 16, seed=1), tiny_lpips()
    assert (lpips(first, second) > 0).all()
    assert torch.equal(lpips(first, second), lpips(second, first))


def test_unit_features_that_share_nothing_are_at_the_sum_of_their_weights() -> None:
    split = nn.Conv2d(3, 2, 1, bias=False)  # red lights one feature, darkness the other
    split.weight.data.copy_(torch.tensor([[1.0, 0, 0], [-1.0, 0, 0]]).view(2, 3, 1, 1))
    lpips = Lpips([split], [torch.tensor([0.25, 0.5]).view(2, 1, 1)])
    with torch.no_grad():
        distance = lpips(torch.ones(1, 3, 4, 4), -torch.ones(1, 3, 4, 4))
    assert distance.item() == pytest.approx(0.75)


def test_a_summary_is_the_last_layers_mean_over_the_picture() -> None:
    red = nn.Conv2d(3, 1, 1, bias=False)
    red.weight.data.copy_(torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1))
    lpips = Lpips([red], [torch.ones(1, 1, 1)])
    pixels = -torch.ones(2, 3, 4, 4)  # what is dark is cut off by the ReLU
    pixels[1, 0, :, :2] = 0.458 - 0.030
    with torch.no_grad():
        found = lpips.summary(pixels)
    torch.testing.assert_close(found, torch.tensor([[0.0], [0.5]]))
