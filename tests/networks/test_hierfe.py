"""The paper's encoder at full depth and tiny width: it computes what the published one does."""

from __future__ import annotations

import pytest
import torch

from benchmarks import straightforward
from megafs_video.networks.dims import Dims
from megafs_video.networks.frozen import freeze
from megafs_video.networks.hierfe import HieRFE
from megafs_video.networks.official import hierfe_state
from megafs_video.networks.order import to_channels_last
from megafs_video.values import Latents
from tests.official import TINY_PAPER, TINY_W_PLUS, hierfe_shapes, random_state
from tests.tiny import check_close, random_pixels


def make_encoder(dims: Dims = TINY_PAPER) -> HieRFE:
    encoder = HieRFE(dims)
    constant = torch.randn(1, dims.constant_channels, 4, 4)
    encoder.load_state_dict(hierfe_state(random_state(hierfe_shapes(dims)), dims, constant))
    return to_channels_last(freeze(encoder))


@pytest.mark.parametrize("count", [1, 3])
@torch.inference_mode()
def test_folded_and_grouped_it_equals_one_published_network_after_the_other(count: int) -> None:
    pixels = random_pixels(count, 256)
    state = random_state(hierfe_shapes(TINY_PAPER))
    constant, styles = straightforward.encode(state, pixels)
    found: Latents = make_encoder()(pixels)
    assert constant is not None
    check_close(found.constant, constant)
    check_close(found.styles, styles)


@torch.inference_mode()
def test_w_plus_has_the_same_codes_and_the_generators_own_constant() -> None:
    pixels = random_pixels(2, 256)
    state = random_state(hierfe_shapes(TINY_W_PLUS))
    encoder = make_encoder(TINY_W_PLUS)
    constant, styles = straightforward.encode(state, pixels)
    found: Latents = encoder(pixels)
    assert constant is None
    assert torch.equal(found.constant, encoder.learned_constant.expand(2, -1, -1, -1))
    check_close(found.styles, styles)


@torch.inference_mode()
def test_a_crop_gives_a_constant_and_every_code_in_bounds() -> None:
    found: Latents = make_encoder()(random_pixels(2, 256))
    assert found.constant.shape == (2, 8, 4, 4)
    assert found.styles.shape == (2, 8, 8)
    assert found.styles.abs().max() < 1  # a tanh


@torch.inference_mode()
def test_no_crop_gives_no_codes() -> None:
    assert len(make_encoder()(random_pixels(0, 256))) == 0
