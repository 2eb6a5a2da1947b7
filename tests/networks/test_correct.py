"""The corrector: steps of C and the low codes, from a sketch and a photograph."""

from __future__ import annotations

import torch

from megafs_video.networks.correct import Corrector, into_cells
from megafs_video.networks.generator import Generator
from megafs_video.values import Latents
from tests.tiny import WITH_ALL, random_latents, random_pixels, shaken

SKETCH_SIZE = 16  # two low codes reach the 8 px block, and a sketch has twice its pixels


def make_corrector() -> Corrector:
    torch.manual_seed(0)
    return shaken(Corrector(WITH_ALL))


@torch.no_grad()
def steps(corrector: Corrector, photograph: torch.Tensor, sketch: torch.Tensor) -> torch.Tensor:
    count = len(sketch)
    context = corrector.context(
        torch.zeros(count, 8, 2, 2), torch.zeros(count, 2 * WITH_ALL.num_points)
    )
    constant, low = corrector(photograph, sketch, context, torch.zeros(count, 8, 4, 4))
    assert constant.shape == (count, 8, 4, 4)
    assert low.shape == (count, 2, 8)
    return torch.cat((constant.flatten(1), low.flatten(1)), dim=1)


@torch.no_grad()
def test_a_sketch_is_drawn_from_the_blocks_of_the_low_codes_and_coloured_by_the_others() -> None:
    torch.manual_seed(1)
    generator, latents = shaken(Generator(WITH_ALL)), random_latents(2, WITH_ALL)
    found = make_corrector().sketch(generator, latents)
    assert found.shape == (2, 3, SKETCH_SIZE, SKETCH_SIZE)
    for index in range(WITH_ALL.num_styles):
        styles = latents.styles.clone()
        styles[:, index] += 1
        other = make_corrector().sketch(generator, Latents(latents.constant, styles))
        assert not torch.allclose(other, found)


def test_another_sketch_or_photograph_gives_another_step() -> None:
    corrector = make_corrector()
    one, other = random_pixels(2, SKETCH_SIZE), random_pixels(2, SKETCH_SIZE, seed=1)
    found = [steps(corrector, a, b) for a, b in ((one, one), (one, other), (other, one))]
    assert not torch.allclose(found[0], found[1])
    assert not torch.allclose(found[0], found[2])


def test_the_step_of_c_is_taken_along_the_basis() -> None:
    corrector, pixels = make_corrector(), random_pixels(2, SKETCH_SIZE)
    before = steps(corrector, pixels, -pixels)
    corrector.basis *= 2
    after = steps(corrector, pixels, -pixels)
    num_constant = 8 * 4 * 4
    torch.testing.assert_close(after[:, :num_constant], 2 * before[:, :num_constant])
    assert torch.equal(after[:, num_constant:], before[:, num_constant:])


def test_cells_are_what_pixel_unshuffle_makes_of_a_picture() -> None:
    pixels = random_pixels(2, 32)
    assert torch.equal(into_cells(pixels), torch.nn.functional.pixel_unshuffle(pixels, 4))
    assert into_cells(random_pixels(0, 32)).shape == (0, 48, 8, 8)
