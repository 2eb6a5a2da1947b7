"""The identity is the source's, everything else the target's."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from megafs_video.pipeline.transfer import Transfer
from megafs_video.values import EncodedFace, FrameFaces, Latents
from tests.pipeline.fakes import FACES_PER_FRAME, FakeModel, make_encoded, make_frame, make_latents


def test_high_codes_become_the_sources_and_low_ones_stay(model: FakeModel) -> None:
    items = [
        FrameFaces(make_frame(i), tuple(make_encoded(t, value=t / 10 + i) for t in range(count)))
        for i, count in enumerate(FACES_PER_FRAME)
    ]
    found = list(Transfer(model, (make_latents(0.5),), 3)(iter(items)))
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


def test_each_face_is_given_its_own_source(model: FakeModel) -> None:
    def face(track_id: int, source_index: int) -> EncodedFace:
        made = make_encoded(track_id, value=track_id / 10)
        return replace(made, crop=replace(made.crop, source_index=source_index))

    sources = (make_latents(0.25), make_latents(0.75))
    given = [[1, 0, 1], [], [0], [1, 1]]
    items = [
        FrameFaces(make_frame(i), tuple(face(track, source) for track, source in enumerate(each)))
        for i, each in enumerate(given)
    ]
    for item, each in zip(Transfer(model, sources, 4)(iter(items)), given, strict=True):
        for track_id, (swapped, source) in enumerate(zip(item.faces, each, strict=True)):
            assert swapped.track_id == track_id
            assert (swapped.latents.styles[:, model.dims.num_low :] == (0.25, 0.75)[source]).all()
            torch.testing.assert_close(
                swapped.latents.constant, make_latents(track_id / 10).constant
            )


def test_one_face_a_source_is_wanted(model: FakeModel) -> None:
    two = Latents.concat([make_latents(0.0), make_latents(1.0)])
    with pytest.raises(ValueError, match="a source of Transfer holds 2 faces, wanted 1"):
        Transfer(model, (two,))
