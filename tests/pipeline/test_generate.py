"""Codes become pictures, masks come from the crop."""

from __future__ import annotations

import numpy as np

from megafs_video.pipeline.generate import Generate
from megafs_video.values import AlignedCrop, FloatArray, FrameFaces
from tests.pipeline.fakes import FACES_PER_FRAME, FakeModel, make_encoded, make_frame


def first_outline_mask(crop: AlignedCrop) -> FloatArray:
    size = crop.pixels.shape[0]
    return np.full((size, size), 0.25 * (1 + crop.track_id), np.float32)


def test_each_face_becomes_its_picture_in_its_place(model: FakeModel) -> None:
    items = [
        FrameFaces(make_frame(i), tuple(make_encoded(t, value=0.2 * t) for t in range(count)))
        for i, count in enumerate(FACES_PER_FRAME)
    ]
    found = list(Generate(model, first_outline_mask, 2)(iter(items)))
    for before, after in zip(items, found, strict=True):
        assert after.frame is before.frame
        for face, swapped in zip(before.faces, after.faces, strict=True):
            assert swapped.track_id == face.track_id
            assert swapped.pixels.shape == (model.dims.resolution, model.dims.resolution, 3)
            assert (swapped.pixels == round((1 + 0.2 * face.track_id) * 127.5)).all()
            assert (swapped.mask == 0.25 * (1 + face.track_id)).all()
            assert swapped.frame_to_crop is face.crop.frame_to_crop


def test_the_same_codes_give_the_same_picture_in_a_dark_and_a_bright_batch(
    model: FakeModel,
) -> None:
    # The published code stretches each batch by its own extremes, and flickers.
    def drawn(other: float) -> object:
        faces = (make_encoded(0, value=0.1), make_encoded(1, value=other))
        items = [FrameFaces(make_frame(), faces)]
        [item] = Generate(model, first_outline_mask, 2)(iter(items))
        return item.faces[0].pixels.tolist()

    assert drawn(-1.0) == drawn(1.0)
