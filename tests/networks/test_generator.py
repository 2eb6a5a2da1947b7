"""The generator: its transform, and what its picture depends on."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from megafs_video.networks.dims import TINY
from megafs_video.networks.generator import Generator, StyleMapper, inverse_haar
from megafs_video.networks.order import to_channels_last
from megafs_video.values import Latents
from tests.tiny import check_close, random_latents, shaken


def make_generator() -> Generator:
    """With weights so large that every code still shows after seven layers."""
    torch.manual_seed(0)
    return shaken(Generator(TINY), amount=0.3)


@pytest.fixture(scope="module")
def generator() -> Generator:
    return make_generator()


@torch.no_grad()
def draw(generator: Generator, latents: Latents) -> torch.Tensor:
    pixels: torch.Tensor = generator(latents)
    return pixels


@pytest.mark.parametrize("wants_gradients", [True, False])
def test_the_inverse_haar_transform_is_a_transposed_convolution(wants_gradients: bool) -> None:
    num_channels = 5
    signs = torch.tensor(
        [
            [[1.0, 1], [1, 1]],  # low
            [[1.0, 1], [-1, -1]],  # differences between rows
            [[1.0, -1], [1, -1]],  # between columns
            [[1.0, -1], [-1, 1]],  # along the diagonal
        ]
    )
    kernels = torch.zeros(4 * num_channels, num_channels, 2, 2)
    for band in range(4):
        for channel in range(num_channels):
            kernels[band * num_channels + channel, channel] = signs[band]
    bands = torch.randn(2, 4 * num_channels, 3, 7)
    wanted = functional.conv_transpose2d(bands, kernels, stride=2)
    with torch.set_grad_enabled(wants_gradients):
        check_close(inverse_haar(bands), wanted)


def test_the_picture_has_the_size_that_the_sizes_say(generator: Generator) -> None:
    assert draw(generator, random_latents(3)).shape == (3, 3, TINY.resolution, TINY.resolution)


def test_features_double_with_each_block(generator: Generator) -> None:
    latents = random_latents(2)
    with torch.no_grad():
        shapes = [generator.features(latents, depth).shape for depth in range(3)]
    assert shapes == [(2, 8, 4, 4), (2, 8, 8, 8), (2, 8, 16, 16)]


def test_no_face_gives_no_picture(generator: Generator) -> None:
    assert draw(generator, random_latents(2)[:0]).shape == (0, 3, 32, 32)


def test_a_batch_equals_its_faces_one_by_one(generator: Generator) -> None:
    latents = random_latents(4)
    singles = [draw(generator, latents[i : i + 1]) for i in range(4)]
    check_close(draw(generator, latents), torch.cat(singles))


def test_the_constant_matters(generator: Generator) -> None:
    one, other = random_latents(1), random_latents(1, seed=1)
    changed = draw(generator, Latents(other.constant, one.styles))
    assert (changed - draw(generator, one)).abs().max() > 1e-3


@pytest.mark.parametrize("position", range(TINY.num_styles))
def test_every_code_matters(generator: Generator, position: int) -> None:
    latents = random_latents(1)
    styles = latents.styles.clone()
    styles[:, position] += 1
    changed = draw(generator, Latents(latents.constant, styles))
    assert (changed - draw(generator, latents)).abs().max() > 1e-3


def test_channels_last_equals_contiguous(generator: Generator) -> None:
    latents = random_latents(2)
    wanted = draw(generator, latents)
    moved = to_channels_last(make_generator())
    check_close(draw(moved, latents), wanted)


def test_codes_do_not_depend_on_the_length_of_the_noise() -> None:
    mapper = shaken(StyleMapper(8))
    noise = torch.randn(3, 8)
    with torch.no_grad():
        codes = mapper(noise)
        check_close(mapper(5 * noise), codes)
    assert codes.shape == (3, 8)


@torch.no_grad()
def test_a_picture_is_finished_from_features_of_any_block(generator: Generator) -> None:
    latents = random_latents(2)
    whole = draw(generator, latents)
    for num_blocks in range(len(generator.blocks) + 1):
        features = generator.features(latents, num_blocks)
        check_close(generator.finish(features, latents.styles, num_blocks), whole)


@torch.no_grad()
def test_a_window_of_the_features_finishes_that_part_of_the_picture() -> None:
    torch.manual_seed(0)
    dims = replace(TINY, generator_channels=(8, 8, 8, 8, 8, 8), codes_per_map=(4, 4, 4))
    generator, latents = shaken(Generator(dims), amount=0.1), random_latents(1, dims)
    features = generator.features(latents, 3)  # 32 px of a picture of 256
    window = generator.finish(features[:, :, 5:17, 9:21], latents.styles, 3, (5, 9))
    inner = draw(generator, latents)[:, :, 8 * 7 : 8 * 15, 8 * 11 : 8 * 19]
    check_close(window[:, :, 16:-16, 16:-16], inner)
