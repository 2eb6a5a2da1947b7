"""Stages that are taken up at a checkpoint go on as if they had never stopped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from megafs_video.checkpoint import Checkpoint
from megafs_video.pipeline.build import build_stages
from megafs_video.pipeline.options import SwapOptions
from megafs_video.pipeline.prepare import Cast, prepared
from megafs_video.pipeline.profile import PROFILES
from megafs_video.pipeline.select import FaceChoice
from megafs_video.pipeline.stage import chain
from megafs_video.values import Frame, FrameFaces, SwappedCrop, UInt8Array
from tests.pipeline.fakes import FakeModel, draw, make_finders

NUM_FRAMES = 40
TIME_BASE = Fraction(1, 1000)


class RoundingModel(FakeModel):
    """A model that rounds by its batch, as networks on a graphics card do."""

    def generate(self, latents: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return super().generate(latents) + 0.05 * len(latents)  # type: ignore[arg-type]


def picture(index: int) -> UInt8Array:
    """Two who tremble and cross, one hides for a while, a cut, and somebody new."""
    trembling = np.random.default_rng(index).uniform(-4, 4, 2)
    first = (30.0 + 2 * index + trembling[0], 50.0, (180, 150, 150))
    second = (130.0 - 2 * index, 70.0 + trembling[1], (150, 150, 180))
    if index >= 30:
        scene = draw([(80.0, 60.0, (150, 190, 150))])
        scene[::2, :40] = 90  # another room
        return scene
    return draw([first] if 12 <= index < 18 or abs(first[0] - second[0]) < 50 else [first, second])


def frames() -> list[Frame]:
    """Frames at uneven times."""
    ticks = np.cumsum(20 + np.arange(NUM_FRAMES) * 13 % 31)
    return [Frame(picture(index), int(ticks[index]), TIME_BASE) for index in range(NUM_FRAMES)]


def run(cast: Cast, options: SwapOptions, items: Sequence[Frame]) -> Iterator[Frame]:
    with closing(chain(build_stages(cast, options), iter(items))) as stream:
        item: FrameFaces[SwappedCrop]
        for item in stream:
            yield item.frame


ONE_PERSON = FaceChoice("people", people=(np.array([0.6, -0.3, -0.3, 0.68]),))


@pytest.mark.parametrize(
    ("options", "choice"),
    [
        (SwapOptions(face="all", smooth=smooth, batch_size=batch_size), None)
        for smooth, batch_size in (("light", 4), ("kalman:strong", 1))
    ]
    + [
        (SwapOptions(face="1", smooth="off"), None),
        (SwapOptions(smooth="strong"), ONE_PERSON),
    ],
)
def test_every_later_frame_is_the_same(options: SwapOptions, choice: FaceChoice | None) -> None:
    source = draw([(80, 60, 220)])
    with prepared(source, options, model=RoundingModel(), finders=make_finders()) as cast:
        cast = cast if choice is None else replace(cast, choice=choice)
        marked = frames()
        places = [15, 33]
        checkpoints = {place: Checkpoint() for place in places}
        for place, checkpoint in checkpoints.items():
            marked[place] = replace(marked[place], checkpoint=checkpoint)
        whole = list(run(cast, options, marked))
        changed = [
            (after.shown != before.shown).any() for before, after in zip(marked, whole, strict=True)
        ]
        assert sum(changed) > NUM_FRAMES / 5
        for place, checkpoint in checkpoints.items():
            rest = list(marked[place:])
            rest[0] = replace(rest[0], checkpoint=Checkpoint(checkpoint.memories))
            for wanted, found in zip(whole[place:], run(cast, options, rest), strict=True):
                assert found.pts == wanted.pts
                np.testing.assert_array_equal(found.shown, wanted.shown)


def test_every_profile_can_be_kept() -> None:
    """What filters remember is plain data, whichever they are."""
    for smooth in ("off", "light", "savgol", "gaussian", "one-euro", "kalman"):
        options = SwapOptions(smooth=smooth)
        source = draw([(80, 60, 220)])
        with prepared(source, options, model=FakeModel(), finders=make_finders()) as cast:
            marked = frames()[:4]
            marked[3] = replace(marked[3], checkpoint=(checkpoint := Checkpoint()))
            assert len(list(run(cast, options, marked))) == 4
            smoothing = {"ride", "align", "smooth", "steady", "blend"}
            remembering = {"track", "select", "bridge", "fade"}
            if PROFILES[smooth] is not None:
                remembering |= smoothing
            assert set(checkpoint.memories) == remembering
