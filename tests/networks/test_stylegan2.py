"""StyleGAN2: every fast form draws what the plain one draws."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from benchmarks import straightforward
from megafs_video.networks.dims import Dims
from megafs_video.networks.frozen import freeze
from megafs_video.networks.order import to_channels_last
from megafs_video.networks.rosinality import stylegan2_state
from megafs_video.networks.stylegan2 import (
    Blur,
    ModulatedConvolution,
    StyleGan2,
    double,
    spread,
)
from tests.official import TINY_PAPER, random_state, stylegan2_shapes
from tests.tiny import check_close, random_latents, random_pixels


def make_generator(dims: Dims = TINY_PAPER) -> StyleGan2:
    generator = StyleGan2(dims)
    generator.load_state_dict(stylegan2_state(random_state(stylegan2_shapes(dims)), dims))
    return to_channels_last(freeze(generator))


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("is_traced", [False, True])
@pytest.mark.parametrize("channels", [(8, 6, 6, 4), (8, 8, 6, 6, 4, 4)])
@torch.inference_mode()
def test_every_form_draws_the_published_picture(
    monkeypatch: pytest.MonkeyPatch, count: int, is_traced: bool, channels: tuple[int, ...]
) -> None:
    codes = (2, 3, 2 * len(channels) - 5)
    dims = replace(TINY_PAPER, generator_channels=channels, codes_per_map=codes)
    generator, latents = make_generator(dims), random_latents(count, dims)
    monkeypatch.setattr(torch.jit, "is_tracing", lambda: is_traced)
    state = random_state(stylegan2_shapes(dims))
    wanted = straightforward.generate(state, latents.constant, latents.styles)
    assert wanted.shape == (count, 3, dims.resolution, dims.resolution)
    check_close(generator(latents), wanted)


@torch.inference_mode()
def test_half_precision_stays_half_and_close() -> None:
    generator, latents = make_generator(), random_latents(1, TINY_PAPER)
    exact = generator(latents)
    with torch.autocast("cpu", torch.bfloat16):
        found = generator(latents).float()
    assert not torch.equal(found, exact)
    # bfloat16 keeps 8 bits; errors of several layers add up.
    torch.testing.assert_close(found, exact, atol=0.05 * float(exact.abs().max()), rtol=0)


@torch.inference_mode()
def test_nobody_gives_no_picture() -> None:
    nobody = random_latents(1, TINY_PAPER)[:0]
    assert make_generator()(nobody).shape == (0, 3, 32, 32)


@pytest.mark.parametrize("is_traced", [False, True])
def test_four_small_convolutions_are_the_transposed_one(
    monkeypatch: pytest.MonkeyPatch, is_traced: bool
) -> None:
    monkeypatch.setattr(torch.jit, "is_tracing", lambda: is_traced)
    features, window = torch.randn(2, 5, 4, 6), torch.randn(3, 5, 3, 3)
    wanted = functional.conv_transpose2d(features, window.transpose(0, 1), stride=2)
    found = spread(features, window.flip(2, 3))
    assert found.shape == (2, 3, 11, 15)
    check_close(found, functional.pad(wanted, (1, 1, 1, 1)))


def test_one_face_is_drawn_with_whichever_operand_is_smaller_scaled() -> None:
    layer = ModulatedConvolution(8, 8, 4, 16, doubles=False)
    assert layer._scales_weights(torch.zeros(1, 8, 16, 16))  # 576 weights, 4096 features
    assert not layer._scales_weights(torch.zeros(2, 8, 16, 16))
    layer = ModulatedConvolution(64, 64, 4, 4, doubles=False)
    assert not layer._scales_weights(torch.zeros(1, 64, 4, 4))  # 36864 weights, 2048 features


def test_the_blur_in_two_steps_is_the_blur_in_two_dimensions() -> None:
    features, kernel = torch.randn(2, 5, 9, 9), torch.tensor([1.0, 3, 3, 1]) / 4
    plain = torch.outer(kernel, kernel).repeat(5, 1, 1, 1)
    bias = torch.randn(5)
    wanted = functional.conv2d(features, plain, bias, groups=5)
    check_close(Blur(5)(features, bias), wanted)


def test_doubling_is_zeros_between_the_pixels_and_the_blur() -> None:
    picture = random_pixels(2, 8)
    spread = torch.zeros(2, 3, 16, 16)
    spread[:, :, ::2, ::2] = picture
    kernel = torch.tensor([1.0, 3, 3, 1]) / 4
    plain = torch.outer(kernel, kernel).repeat(3, 1, 1, 1)
    framed = functional.pad(spread, (2, 1, 2, 1))
    check_close(double(picture), functional.conv2d(framed, plain, groups=3))
