"""Steps of the codes that draw what an encoder misses of a face's expression."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from megafs_video.networks.encoder import Encoder
from megafs_video.networks.frozen import freeze
from megafs_video.training.faces import to_device_pixels
from megafs_video.training.head import PictureHead
from megafs_video.training.lead import (
    clipped,
    fit_lead,
    mean_gradients,
    prepare_lead,
    read_spans,
    ridge,
    standard_spans,
)
from megafs_video.training.spans import spans_of
from megafs_video.values import Latents
from tests.tiny import check_close, random_latents, shaken, tiny_mesh
from tests.training.small import SMALL, small_head, small_teachers

# From black to white: the tiny mesh sees light.
FACES = np.repeat(np.linspace(0, 255, 24), 64 * 64 * 3).reshape(24, 64, 64, 3).astype(np.uint8)


class Seeing(nn.Module):
    """A reader that knows every span, as the tiny mesh sees it."""

    mean: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        seen = self(to_device_pixels(FACES))
        self.register_buffer("mean", seen.mean(dim=0))
        self.register_buffer("scale", seen.std(dim=0))

    def forward(self, pixels: Tensor) -> Tensor:
        return spans_of(tiny_mesh()(functional.interpolate(pixels, (128, 128), mode="area")))


def make_encoder() -> Encoder:
    torch.manual_seed(0)
    encoder = shaken(Encoder(SMALL), amount=0.05)
    assert encoder.lead is not None
    freeze(encoder.lead).weight.zero_()
    encoder.lead.bias.zero_()
    seeing = Seeing()
    encoder.spans = seeing  # type: ignore[assignment]
    assert encoder.standardise is not None
    assert encoder.standardise.running_mean is not None
    assert encoder.standardise.running_var is not None
    encoder.standardise.running_mean[212:] = seeing.mean.flatten()
    encoder.standardise.running_var[212:] = seeing.scale.flatten().square()
    return encoder


@cache
def head() -> PictureHead:
    torch.manual_seed(0)
    return small_head()


def missed_of(encoder: Encoder) -> float:
    found = read_spans(encoder, head(), FACES, small_teachers())
    return float((found.wanted - found.drawn).square().mean())


@torch.no_grad()
def test_a_led_encoder_draws_spans_nearer_to_the_wanted_ones() -> None:
    encoder = make_encoder()
    before = missed_of(encoder)
    share = fit_lead(encoder, head(), FACES, small_teachers())
    assert share > 0.9  # what is heard is what is wanted
    once = missed_of(encoder)
    assert once < 0.5 * before
    fit_lead(encoder, head(), FACES, small_teachers())  # adds to what it led by
    assert missed_of(encoder) < 1.1 * once


def test_what_a_lost_pupil_misses_is_clipped() -> None:
    torch.manual_seed(0)
    missed = torch.randn(100, 2) + torch.tensor([50.0, 0.0])
    missed[7, 1] = 1000.0
    found = clipped(missed)
    assert 250 < found[7, 1] < 350
    missed[7, 1] = found[7, 1]
    assert torch.equal(found, missed)


def test_gradients_are_means_over_faces_for_codes_in_the_encoders_scale() -> None:
    encoder, teachers = make_encoder(), small_teachers()
    latents = random_latents(3, SMALL)
    kinds = torch.eye(60)[:, :2]
    found = mean_gradients(encoder, head(), latents, kinds, teachers)
    assert found.shape == (2, SMALL.num_styles * SMALL.style_size)
    # Along the first gradient, where the change is large beside what float32 rounds.
    step = 0.05 * functional.normalize(found[0], dim=0).view(SMALL.num_styles, SMALL.style_size)

    def drawn(times: float) -> torch.Tensor:
        styles = latents.styles + times * encoder.style_scale * step
        with torch.no_grad():
            pictures = head()(Latents(latents.constant, styles))
            return standard_spans(encoder, pictures, teachers)[:, :2].mean(dim=0)

    change = (drawn(1) - drawn(-1)) / 2
    expected = found @ step.flatten()
    torch.testing.assert_close(change, expected, rtol=0, atol=0.05 * float(expected[0]))


def test_ridge_tells_what_is_missed_from_what_is_heard() -> None:
    torch.manual_seed(0)
    heard, rule = torch.randn(4000, 5), torch.randn(5, 3)
    torch.testing.assert_close(ridge(heard, heard @ rule), rule / 1.1, atol=0.05, rtol=0)


def test_a_stopped_run_takes_up_its_lead(tmp_path: Path) -> None:
    lines: list[str] = []
    path = tmp_path / "lead.pt"
    one, other = make_encoder(), make_encoder()
    for encoder in (one, other):
        prepare_lead(encoder, head(), FACES, small_teachers(), path, lines.append)
    assert len(lines) == 1
    assert one.lead is not None
    assert other.lead is not None
    assert one.lead.weight.any()
    assert torch.equal(one.lead.weight, other.lead.weight)
    assert torch.equal(one.lead.bias, other.lead.bias)


@pytest.mark.parametrize("is_led", [False, True])
def test_a_lead_moves_codes_by_what_the_spans_say(is_led: bool) -> None:
    encoder = make_encoder()
    assert encoder.lead is not None
    pooled = torch.randn(2, SMALL.num_styles * SMALL.mapping_width)
    points = torch.randn(2, SMALL.num_points, 2)
    with torch.no_grad():
        cues = encoder.cues(torch.zeros(2, SMALL.identity_size), points)
        before = encoder.styles(pooled, cues)
        if is_led:
            encoder.lead.weight.normal_(std=0.1)
        moved = (encoder.styles(pooled, cues) - before) / encoder.style_scale
        assert cues.points is not None
        check_close(moved.flatten(1) + 1, encoder.lead(cues.points[:, 212:]) + 1)
