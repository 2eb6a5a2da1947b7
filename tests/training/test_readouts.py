"""Readouts: a fit that finds what is there, and the pictures that they are fitted on."""

from __future__ import annotations

import pytest
import torch

from megafs_video.errors import ConfigError
from megafs_video.networks.encoder import Encoder
from megafs_video.networks.generator import inverse_haar
from megafs_video.networks.readout import Readout
from megafs_video.training.readouts import (
    SIZE,
    Drawn,
    check_num_rendered,
    fit_readout,
    haar,
    joined,
    of_encoder,
    of_rendered,
)
from tests.tiny import check_close, random_latents, shaken
from tests.training.small import (
    SMALL,
    small_faces,
    small_generator,
    small_rendered,
    small_teachers,
)


def test_the_haar_transform_and_its_inverse_undo_each_other() -> None:
    pixels = torch.randn(2, 3, 8, 6)
    check_close(inverse_haar(haar(pixels)), pixels)
    bands = torch.randn(2, 12, 4, 3)
    check_close(haar(inverse_haar(bands)), bands)


def test_a_flat_picture_has_only_a_low_band() -> None:
    bands = haar(torch.full((1, 3, 4, 4), 0.5))
    assert torch.equal(bands[:, :3], torch.full((1, 3, 2, 2), 0.5))
    assert torch.equal(bands[:, 3:], torch.zeros(1, 9, 2, 2))


@torch.no_grad()
def made_by_a_readout(count: int, amount: float) -> tuple[Drawn, Readout]:
    """Pictures that a known readout draws exactly."""
    latents = random_latents(count, SMALL)
    made = Readout(SMALL, 4)
    torch.manual_seed(4)
    torch.nn.init.normal_(made.scale.weight, std=amount)
    pictures = made(small_generator().features(latents, 4), latents.styles)
    return Drawn(latents, pictures), made


def test_a_picture_that_is_linear_in_the_features_is_fitted_exactly() -> None:
    drawn, made = made_by_a_readout(40, amount=0.0)
    fitted = Readout(SMALL, 4)
    assert fit_readout(fitted, small_generator(), drawn) < 1e-4 * drawn.pictures.var()
    latents = random_latents(2, SMALL, seed=9)
    with torch.no_grad():
        features = small_generator().features(latents, 4)
        wanted = made(features, latents.styles)
        difference = fitted(features, latents.styles) - wanted
    assert difference.square().mean() < 1e-3 * wanted.var()


def test_what_later_codes_do_to_colours_is_found() -> None:
    drawn, _ = made_by_a_readout(120, amount=1.0)
    linear = Readout(SMALL, 4)
    with torch.no_grad():
        linear.code.weight.zero_()
        linear.code.bias.zero_()
    linear.code.requires_grad_(requires_grad=False)
    linear.scale.requires_grad_(requires_grad=False)
    errors = [fit_readout(one, small_generator(), drawn) for one in (Readout(SMALL, 4), linear)]
    assert errors[0] < 0.5 * errors[1]


def test_rendered_faces_come_with_their_codes() -> None:
    faces = small_rendered(5)
    drawn = of_rendered(faces, small_generator(), 4)
    assert drawn.pictures.shape == (4, 3, SIZE, SIZE)
    assert torch.equal(drawn.latents.styles, faces.styles[:4].float())
    with pytest.raises(ConfigError, match=r"num_rendered is 5.* set num_rendered to 6 or more"):
        of_rendered(faces, small_generator(), 6)
    check_num_rendered(5, 5)


@torch.no_grad()
def test_what_an_encoder_reads_is_drawn_by_the_whole_generator() -> None:
    torch.manual_seed(0)
    encoder = shaken(Encoder(SMALL), amount=0.1)
    drawn = of_encoder(encoder, small_faces(12), small_teachers())
    assert len(drawn) == 12
    whole = torch.cat([small_generator()(drawn.latents[i : i + 1]) for i in range(12)])
    check_close(drawn.pictures, torch.nn.functional.interpolate(whole, (SIZE, SIZE), mode="area"))
    # Every third has the high codes of the face before it in its batch of ten.
    styles = drawn.latents.styles
    assert torch.equal(styles[3, 4:], styles[2, 4:])
    assert not torch.equal(styles[2, 4:], styles[1, 4:])
    assert not torch.equal(styles[3, :4], styles[2, :4])


def test_parts_are_joined_in_order() -> None:
    parts = [Drawn(random_latents(2, SMALL, seed=seed), torch.randn(2, 3, 4, 4)) for seed in (0, 1)]
    whole = joined(parts)
    assert torch.equal(whole[2:].pictures, parts[1].pictures)
    assert torch.equal(whole[:2].latents.constant, parts[0].latents.constant)
