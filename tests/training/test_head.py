"""The picture head: a transform and its inverse, and a fit that finds what is there."""

from __future__ import annotations

import pytest
import torch

from megafs_video.errors import ConfigError
from megafs_video.networks.generator import inverse_haar
from megafs_video.training.head import (
    MARGIN,
    NUM_HELD_OUT,
    SPOTS,
    WINDOW,
    PictureHead,
    fit_picture_head,
    haar,
    scaled_features,
    window_corner,
    window_distance,
)
from megafs_video.training.rendered import RenderedFaces
from megafs_video.training.sheets import to_host_pixels
from megafs_video.values import Latents
from tests.tiny import check_close, random_latents, tiny_lpips
from tests.training.small import SMALL, head_of, small_generator, small_head, small_rendered


def test_the_haar_transform_and_its_inverse_undo_each_other() -> None:
    pixels = torch.randn(2, 3, 8, 6)
    check_close(inverse_haar(haar(pixels)), pixels)
    bands = torch.randn(2, 12, 4, 3)
    check_close(haar(inverse_haar(bands)), bands)


def test_a_flat_picture_has_only_a_low_band() -> None:
    bands = haar(torch.full((1, 3, 4, 4), 0.5))
    assert torch.equal(bands[:, :3], torch.full((1, 3, 2, 2), 0.5))
    assert torch.equal(bands[:, 3:], torch.zeros(1, 9, 2, 2))


def test_the_head_draws_128_pixels_and_lets_gradients_through() -> None:
    latents = random_latents(2, SMALL)
    latents.constant.requires_grad_()
    latents.styles.requires_grad_()
    pixels = small_head()(latents)
    assert pixels.shape == (2, 3, 128, 128)
    torch.autograd.backward(pixels.square().sum())
    assert latents.constant.grad is not None
    assert latents.constant.grad.abs().max() > 0
    assert latents.styles.grad is not None
    acting = latents.styles.grad.abs().amax(dim=(0, 2)) > 0
    # Codes of the first convolution and four blocks, and the next block's first; no later one.
    assert acting.tolist() == [True] * 10 + [False] * 2


@torch.no_grad()
def made_by_a_head(count: int) -> tuple[RenderedFaces, PictureHead]:
    """Pictures that a known head draws exactly, but for 8 bits."""
    generator = small_generator()
    styles = torch.randn(count, SMALL.num_styles, SMALL.style_size).half()
    latents = Latents(generator.constant.expand(count, -1, -1, -1), styles.float())
    features = scaled_features(generator, generator.features(latents, 4), latents, 4)
    torch.manual_seed(4)
    # Weak enough for nothing to be clipped: every feature about zero, and of one size.
    weight = 0.015 * torch.randn(12, features.shape[1]) / features.std(dim=(0, 2, 3))
    bias = -weight @ features.mean(dim=(0, 2, 3))
    head = head_of(torch.cat((weight, bias[:, None]), dim=1))
    return RenderedFaces(to_host_pixels(head(latents)), styles), head


def test_a_picture_that_is_linear_in_the_features_is_fitted_exactly() -> None:
    torch.manual_seed(0)
    faces, made = made_by_a_head(12 + NUM_HELD_OUT)
    fitted, error = fit_picture_head(small_generator(), faces, count=12)
    # All that is left is the rounding to 8 bits: a twelfth of a squared level.
    assert error == pytest.approx((2 / 255) ** 2 / 12, rel=0.05)
    latents = random_latents(2, SMALL, seed=9)
    with torch.no_grad():
        difference = (fitted(latents) - made(latents)).abs().mean()
    assert difference < 1e-3


def test_too_few_faces_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"num_rendered is 30.* set num_rendered to 32 or more"):
        fit_picture_head(small_generator(), small_rendered(30), count=12)


def test_pictures_are_brought_to_the_size_of_the_head() -> None:
    resized = small_head().resized
    assert resized(torch.zeros(2, 3, 256, 256)).shape == (2, 3, 128, 128)
    checks = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(1, 3, 128, 128)
    assert torch.equal(resized(checks), torch.zeros(1, 3, 128, 128))


@torch.no_grad()
def test_a_window_is_that_part_of_the_picture() -> None:
    head, latents = small_head(), random_latents(2, SMALL)
    features = head.features(latents)
    side = (WINDOW - 2 * MARGIN) * head.scale
    for corner in ((0, 0), (13, 40), (44, 44)):
        top, left = (head.scale * (place + MARGIN) for place in corner)
        whole = small_generator()(latents)[:, :, top : top + side, left : left + side]
        check_close(head.window(features, latents, corner), whole)


@torch.no_grad()
def test_the_head_follows_the_pictures_it_is_shown() -> None:
    head, latents = small_head(), random_latents(2, SMALL)
    features = head.features(latents)
    wanted = head.resized(small_generator()(latents))
    before = (head.draw(features, latents) - wanted).square().mean()
    random = torch.Generator().manual_seed(0)
    photographs = torch.zeros(2, 3, 256, 256)
    for _ in range(40):
        window_distance(head, features, latents, photographs, tiny_lpips(), random)
    after = (head.draw(features, latents) - wanted).square().mean()
    assert after < 0.5 * before


def test_the_distance_of_a_window_is_to_the_same_part_of_the_photograph() -> None:
    head, latents = small_head(), random_latents(1, SMALL)
    with torch.no_grad():
        features, drawn = head.features(latents), small_generator()(latents)
        random = torch.Generator().manual_seed(3)
        squares, perceptual = window_distance(head, features, latents, drawn, tiny_lpips(), random)
    assert squares < 1e-9
    assert perceptual < 1e-9


def test_windows_lie_everywhere_and_most_often_about_eyes_and_mouth() -> None:
    random = torch.Generator().manual_seed(0)
    corners = [window_corner(64, random) for _ in range(600)]
    assert all(0 <= number <= 64 - WINDOW for corner in corners for number in corner)
    middles = torch.tensor(corners) + WINDOW / 2
    for spot in SPOTS:
        is_near = (middles - 64 * torch.tensor(spot)).abs().amax(dim=1) <= WINDOW / 4 + 1
        assert 0.15 < is_near.float().mean() < 0.4  # anywhere: a sixteenth
    assert (middles.amin(dim=0) < 14).all()
    assert (middles.amax(dim=0) > 50).all()
