"""HieRFE: what it returns, and that its grouped networks are one network per code."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from megafs_video.networks.dims import TINY, Dims
from megafs_video.networks.encoder import Backbone, Cues, Encoder, MappingNetworks
from megafs_video.networks.generator import Generator
from megafs_video.networks.spans import SpanReader
from megafs_video.values import Latents
from tests.tiny import WITH_ALL, WITH_IDENTITY, check_close, random_pixels, shaken


def make_encoder(dims: Dims = TINY) -> Encoder:
    torch.manual_seed(0)
    encoder = shaken(Encoder(dims))
    if encoder.spans is not None:  # seven layers of such weights would blow up
        encoder.spans = shaken(SpanReader(dims), amount=0.02)
    return encoder


@torch.no_grad()
def encode(encoder: Encoder, pixels: Tensor, identity: Tensor | None = None) -> Latents:
    latents: Latents = encoder(pixels, identity)
    return latents


def one_code(networks: MappingNetworks, index: int, features: Tensor, identity: Tensor) -> Tensor:
    """A slow twin: the mapping network of one code alone, as the paper draws it."""
    state = networks.state_dict()
    width = networks.mix.weight.shape[0] // networks.num_codes
    mine = slice(index * width, (index + 1) * width)
    x = features
    for step in range(0, len(networks.steps), 3):
        x = functional.conv2d(x, state[f"steps.{step}.weight"][mine], stride=2, padding=1)
        mean, variance, weight, bias = (
            state[f"steps.{step + 1}.{name}"][mine]
            for name in ("running_mean", "running_var", "weight", "bias")
        )
        x = functional.batch_norm(x, mean, variance, weight, bias)
        x = functional.leaky_relu(x, 0.01)
    assert x.shape[2:] == (1, 1)
    x = x[:, :, 0, 0]
    seen = functional.linear(identity, state["identity.weight"][mine], state["identity.bias"][mine])
    x = x + functional.leaky_relu(seen, 0.01)
    x = functional.linear(x, state["mix.weight"][mine, :, 0, 0], state["mix.bias"][mine])
    size = state["project.bias"].shape[0] // networks.num_codes
    code = slice(index * size, (index + 1) * size)
    return functional.linear(
        functional.leaky_relu(x, 0.01),
        state["project.weight"][code, :, 0, 0],
        state["project.bias"][code],
    )


@pytest.mark.parametrize(("num_codes", "num_steps"), [(4, 3), (2, 1)])
def test_grouped_networks_are_one_network_per_code(num_codes: int, num_steps: int) -> None:
    networks = shaken(MappingNetworks(WITH_IDENTITY, num_codes, num_steps))
    size = 2**num_steps
    features, identity = torch.randn(3, WITH_IDENTITY.pyramid_width, size, size), torch.randn(3, 6)
    with torch.no_grad():
        found = networks.codes(networks.pool(features), Cues(identity, None))
    wanted = [one_code(networks, index, features, identity) for index in range(num_codes)]
    torch.testing.assert_close(found, torch.stack(wanted, dim=1), atol=1e-5, rtol=0)


def test_the_backbone_makes_four_maps_each_half_the_last() -> None:
    with torch.no_grad():
        maps = Backbone((4, 4, 8, 8)).eval()(random_pixels(2, 256))
    assert [tuple(found.shape) for found in maps] == [
        (2, 4, 32, 32),
        (2, 4, 16, 16),
        (2, 8, 8, 8),
        (2, 8, 4, 4),
    ]


@pytest.mark.parametrize("crop_size", [64, 256])
def test_a_crop_gives_a_constant_and_every_code(crop_size: int) -> None:
    dims = replace(TINY, crop_size=crop_size)
    latents = encode(make_encoder(dims), random_pixels(3, crop_size))
    assert latents.constant.shape == (3, 8, 4, 4)
    assert latents.styles.shape == (3, 6, 8)


def test_no_crop_gives_no_codes() -> None:
    assert len(encode(make_encoder(), random_pixels(0, 64))) == 0


def test_a_batch_equals_its_crops_one_by_one() -> None:
    encoder, pixels = make_encoder(), random_pixels(3, 64)
    singles = Latents.concat([encode(encoder, pixels[i : i + 1]) for i in range(3)])
    found = encode(encoder, pixels)
    check_close(found.constant, singles.constant)
    check_close(found.styles, singles.styles)


def test_the_identity_moves_every_code_and_not_the_constant() -> None:
    encoder, pixels = make_encoder(WITH_IDENTITY), random_pixels(1, 64)
    one = encode(encoder, pixels, torch.zeros(1, 6))
    other = encode(encoder, pixels, torch.ones(1, 6))
    assert ((one.styles - other.styles).abs().amax(dim=2) > 1e-3).all()
    assert torch.equal(one.constant, other.constant)


def test_a_missing_identity_is_refused() -> None:
    with pytest.raises(ValueError, match="identity is None, but the encoder's dims ask for one"):
        make_encoder(WITH_IDENTITY)(random_pixels(1, 64))


def test_codes_are_offsets_in_the_scale_of_the_generators_codes() -> None:
    encoder, pixels = make_encoder(), random_pixels(2, 64)
    before = encode(encoder, pixels)
    with torch.no_grad():
        offsets = (before.styles - encoder.style_mean) / encoder.style_scale
        encoder.style_mean += 5
        encoder.style_scale *= 2
    after = encode(encoder, pixels)
    check_close(after.styles, encoder.style_mean + encoder.style_scale * offsets)
    assert torch.equal(after.constant, before.constant)


def make_generator() -> Generator:
    torch.manual_seed(1)
    return shaken(Generator(WITH_ALL), amount=0.3)


def hear_all(count: int, *, landmarks: Tensor | None = None) -> Latents:
    """Codes by an encoder that hears identity and landmarks and corrects itself twice."""
    if landmarks is None:
        landmarks = torch.zeros(count, 106, 2)
    with torch.no_grad():
        found: Latents = make_encoder(WITH_ALL)(
            random_pixels(count, 64), torch.ones(count, 6), landmarks, make_generator()
        )
    return found


def test_an_encoder_that_hears_all_gives_codes_of_the_same_shapes() -> None:
    latents = hear_all(3)
    assert latents.constant.shape == (3, 8, 4, 4)
    assert latents.styles.shape == (3, 6, 8)
    assert len(hear_all(0)) == 0


def test_landmarks_move_every_code_and_the_constant() -> None:
    one, other = hear_all(1), hear_all(1, landmarks=torch.ones(1, 106, 2))
    assert ((one.styles - other.styles).abs().amax(dim=2) > 1e-3).all()
    assert (one.constant - other.constant).abs().max() > 1e-3


def test_spans_stand_beside_the_landmarks_and_move_every_code_and_the_constant() -> None:
    encoder, pixels, landmarks = make_encoder(WITH_ALL), random_pixels(2, 64), torch.ones(2, 106, 2)
    points = encoder.points(pixels, landmarks)
    assert points is not None
    assert encoder.spans is not None
    assert torch.equal(points[:, :106], landmarks)
    assert torch.equal(points[:, 106:], encoder.spans(pixels))
    identity, generator = torch.ones(2, 6), make_generator()
    with torch.no_grad():
        before = encoder(pixels, identity, landmarks, generator)
        encoder.spans.mean += 1
        after = encoder(pixels, identity, landmarks, generator)
    assert ((before.styles - after.styles).abs().amax(dim=2) > 1e-3).all()
    assert (before.constant - after.constant).abs().max() > 1e-3


@pytest.mark.parametrize("missing", ["identity", "landmarks", "generator"])
def test_what_the_sizes_ask_for_must_be_given(missing: str) -> None:
    given = {
        "identity": torch.ones(1, 6),
        "landmarks": torch.zeros(1, 106, 2),
        "generator": make_generator(),
    }
    with pytest.raises(ValueError, match=f"{missing} is None"):
        make_encoder(WITH_ALL)(random_pixels(1, 64), **(given | {missing: None}))


def test_each_correction_moves_the_constant_and_the_low_codes_and_no_other() -> None:
    encoder, pixels = make_encoder(WITH_ALL), random_pixels(2, 64)
    with torch.no_grad():
        points = encoder.points(pixels, torch.zeros(2, 106, 2))
        cues = encoder.cues(torch.ones(2, 6), points)
        reading = encoder.read(pixels)
        styles = encoder.styles(reading.pooled, cues)
        guesses = encoder.correct(pixels, reading, styles, cues, make_generator())
    assert len(guesses) == 3
    assert torch.equal(guesses[0].styles, styles)
    for before, after in pairwise(guesses):
        moved = (before.styles - after.styles).abs().amax(dim=(0, 2)) > 1e-5
        assert moved.tolist() == [True] * 2 + [False] * 4
        assert not torch.equal(before.constant, after.constant)


def test_an_encoder_without_corrections_gives_its_first_guess() -> None:
    encoder, pixels = make_encoder(), random_pixels(2, 64)
    with torch.no_grad():
        cues, reading = encoder.cues(None, None), encoder.read(pixels)
        styles = encoder.styles(reading.pooled, cues)
        (guess,) = encoder.correct(pixels, reading, styles, cues, make_generator())
    found = encode(encoder, pixels)
    assert torch.equal(guess.constant, found.constant)
    assert torch.equal(guess.styles, found.styles)


def test_a_layer_hears_an_identity_at_unit_variance() -> None:
    cues = make_encoder(WITH_IDENTITY).cues(functional.normalize(torch.randn(5, 6), dim=1), None)
    assert cues.identity is not None
    check_close(cues.identity.square().mean(dim=1), torch.ones(5))
    assert cues.points is None
