"""The identity is the source's, everything else the target's."""

from __future__ import annotations

import pytest
import torch

from megafs_video.pipeline.transfer import Transfer
from megafs_video.values import FrameFaces, Latents
from tests.pipeline.fakes import FACES_PER_FRAME, FakeModel, make_encoded, make_frame, make_latents


def test_high_codes_become_the_sources_and_low_ones_stay(model: FakeModel) -> None:
    items = [
        FrameFaces(make_frame(i), tuple(make_encoded(t, value=t / 10 + i) for t in range(count)))
        for i, count in enumerate(FACES_PER_FRAME)
    ]
    found = list(Transfer(model, make_latents(0.5), 3)(iter(items)))
    for before, after in zip(items, found, strict=True):
        for target, swapped in zip(before.faces, after.faces, strict=True):
            assert swapped.crop is target.crop
            assert swapped.track_id == target.track_id
            low = model.dims.num_low
            torch.testing.assert_close(swapped.latents.constant, target.latents.constant)
            torch.testing.assert_close(
                swapped.latents.styles[:, :low], target.latents.styles[:, :low]
            )
            assert (swapped.latents.styles[:, low:] == 0.5).all()


def test_one_source_is_wanted(model: FakeModel) -> None:
    two = Latents.concat([make_latents(0.0), make_latents(1.0)])
    with pytest.raises(ValueError, match="source_latents holds 2 faces, wanted 1"):
        Transfer(model, two)
