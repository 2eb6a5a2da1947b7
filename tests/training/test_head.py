"""The picture head: what it draws, its windows, and how it follows the generator."""

from __future__ import annotations

import pytest
import torch

from megafs_video.training.config import PictureConfig
from megafs_video.training.head import MARGIN, PictureHead, window_losses
from tests.tiny import check_close, random_latents, tiny_lpips
from tests.training.small import SMALL, small_generator, small_head


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
    # Codes of the first convolution and four blocks; of later ones, which scale what is read, none.
    assert acting.tolist() == [True] * 9 + [False] * 3


def test_pictures_are_brought_to_the_size_of_the_head() -> None:
    resized = small_head().resized
    assert resized(torch.zeros(2, 3, 256, 256)).shape == (2, 3, 128, 128)
    checks = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(1, 3, 128, 128)
    assert torch.equal(resized(checks), torch.zeros(1, 3, 128, 128))


@torch.no_grad()
def test_a_window_is_that_part_of_the_picture() -> None:
    head, latents = small_head(), random_latents(2, SMALL)
    features = head.features(latents)
    side = (head.window_size - 2 * MARGIN) * head.scale
    for corner in ((0, 0), (13, 20), (28, 28)):
        top, left = (head.scale * (place + MARGIN) for place in corner)
        whole = small_generator()(latents)[:, :, top : top + side, left : left + side]
        check_close(head.window(features, latents, corner), whole)


def test_the_head_follows_the_pictures_it_is_shown() -> None:
    head, latents = small_head(), random_latents(2, SMALL)
    with torch.no_grad():
        features = head.features(latents)
        wanted = head.resized(small_generator()(latents))
        before = (head.draw(features, latents) - wanted).square().mean()
    random = torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        torch.autograd.backward(head.follow_window(features, latents, random))
        optimizer.step()
    with torch.no_grad():
        after = (head.draw(features, latents) - wanted).square().mean()
    assert after < 0.5 * before


def test_only_following_teaches_the_head() -> None:
    head, latents = small_head(), random_latents(2, SMALL)
    latents.styles.requires_grad_()
    torch.autograd.backward(head(latents).square().sum())
    assert latents.styles.grad is not None
    assert all(weight.grad is None for weight in head.parameters())
    latents.styles.grad = None
    features = head.features(latents)
    torch.autograd.backward(head.follow_window(features, latents, torch.Generator()))
    assert latents.styles.grad is None
    assert all(weight.grad is not None for weight in head.parameters())


def window(photographs: torch.Tensor, size: int) -> float:
    """The loss of a random window of a face against a photograph of it."""
    head, latents = small_head(), random_latents(1, SMALL)
    config = PictureConfig(reconstruction_size=size)
    random = torch.Generator().manual_seed(3)
    with torch.no_grad():
        features = head.features(latents)
        losses = window_losses(head, features, latents, photographs, tiny_lpips(), random, config)
    assert set(losses) == {"window", "head"}
    return float(losses["window"])


@torch.no_grad()
def test_a_window_is_compared_with_the_same_part_of_the_photograph() -> None:
    drawn = small_generator()(random_latents(1, SMALL))
    assert window(drawn, 32) < 1e-9
    assert window(drawn + 0.1, 32) > 0.01


@torch.no_grad()
def test_squares_do_not_see_detail() -> None:
    drawn = small_generator()(random_latents(1, SMALL))
    checks = (
        torch.tensor([[0.5, -0.5], [-0.5, 0.5]]).repeat_interleave(2, 0).repeat_interleave(2, 1)
    )
    fine, coarse = (window(drawn + checks.repeat(1, 3, 64, 64), size) for size in (128, 32))
    assert fine - coarse == pytest.approx(2 * 0.25, rel=1e-3)  # weight_reconstruction is 2


def test_windows_lie_everywhere() -> None:
    head, random = small_head(), torch.Generator().manual_seed(0)
    corners = torch.tensor([head.window_corner(random) for _ in range(600)])
    last = 64 - head.window_size
    assert corners.amin(dim=0).tolist() == [0, 0]
    assert corners.amax(dim=0).tolist() == [last, last]
    assert (corners.float().mean(dim=0) - last / 2).abs().max() < 2


@torch.no_grad()
def test_a_window_is_a_quarter_of_the_picture_of_a_smaller_head_too() -> None:
    head, latents = PictureHead(small_generator(), 3), random_latents(1, SMALL)
    random = torch.Generator().manual_seed(0)
    for _ in range(5):
        corner = head.window_corner(random)
        drawn = head.window(head.features(latents), latents, corner)
        top, left = (head.scale * (place + MARGIN) for place in corner)
        check_close(drawn, small_generator()(latents)[:, :, top : top + 128, left : left + 128])


def test_squares_of_whole_pictures_do_not_see_detail_either() -> None:
    head, drawn = small_head(), torch.zeros(1, 3, 128, 128)
    checks = torch.tensor([[0.5, -0.5], [-0.5, 0.5]]).repeat(1, 3, 64, 64)
    assert head.squares(drawn, checks + 0.2, 128) == pytest.approx(0.25 + 0.04)
    assert head.squares(drawn, checks + 0.2, 32) == pytest.approx(0.04)
