"""ID Injection equals the published blocks one by one, and leaves alone what is the target's."""

from __future__ import annotations

import pytest
import torch

from benchmarks import straightforward
from megafs_video.networks.frozen import freeze
from megafs_video.networks.injection import IdInjection
from megafs_video.networks.official import injection_state
from megafs_video.values import Latents
from tests.official import TINY_PAPER, injection_shapes, random_state
from tests.tiny import check_close, random_latents

LOW = TINY_PAPER.num_low
STATE = random_state(injection_shapes(TINY_PAPER))


@pytest.fixture
def injection() -> IdInjection:
    module = IdInjection(TINY_PAPER)
    module.load_state_dict(injection_state(STATE, TINY_PAPER))
    return freeze(module)


@pytest.mark.parametrize("num_sources", [1, 3])
@torch.inference_mode()
def test_all_codes_at_once_equal_the_published_blocks(
    injection: IdInjection, num_sources: int
) -> None:
    source = random_latents(num_sources, TINY_PAPER)
    target = random_latents(3, TINY_PAPER, seed=1)
    found: Latents = injection(source, target)
    repeated = source.styles.expand(3, -1, -1)
    wanted = straightforward.inject(STATE, repeated[:, LOW:], target.styles[:, LOW:])
    check_close(found.styles[:, LOW:], wanted)
    assert torch.equal(found.styles[:, :LOW], target.styles[:, :LOW])
    assert torch.equal(found.constant, target.constant)


@torch.inference_mode()
def test_no_target_gives_no_face(injection: IdInjection) -> None:
    source = random_latents(1, TINY_PAPER)
    assert len(injection(source, source[:0])) == 0
