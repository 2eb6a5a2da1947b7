"""Crops become codes: constants of the conversion, batches, order."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from megafs_video.pipeline.encode import Encode
from megafs_video.pixels import to_device, to_host
from megafs_video.values import FrameFaces
from tests.pipeline.fakes import FACES_PER_FRAME, FakeModel, make_crop, make_frame


def test_the_range_is_fixed() -> None:
    pixels = np.zeros((1, 3, 3), np.uint8)
    pixels[0, :, 0] = [0, 255, 51]
    found = to_device([pixels, pixels], "cpu")
    assert found.shape == (2, 3, 1, 3)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found[1, 0, 0], torch.tensor([-1.0, 1.0, -0.6]))


def test_every_level_survives_both_ways() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    np.testing.assert_array_equal(to_host(to_device([levels], "cpu"))[0], levels)


def test_what_lies_outside_the_range_is_clamped() -> None:
    found = to_host(torch.tensor([-3.0, 0.0, 3.0]).reshape(1, 3, 1, 1))
    assert found.tolist() == [[[[0, 128, 255]]]]


def test_a_picture_is_the_same_whichever_way_it_lies_in_memory() -> None:
    pixels = torch.rand(2, 3, 5, 7, generator=torch.Generator().manual_seed(0)) * 2.4 - 1.2
    wanted = np.rint(np.clip((pixels.permute(0, 2, 3, 1).numpy() + 1) * 127.5, 0, 255))
    channels_last = pixels.contiguous(memory_format=torch.channels_last)
    for each in (pixels, channels_last, channels_last.to(torch.float64)):
        np.testing.assert_array_equal(to_host(each), wanted)


def test_a_tensor_of_inference_mode_is_accepted() -> None:
    with torch.inference_mode():
        pixels = torch.zeros(1, 3, 2, 2)
    assert to_host(pixels).shape == (1, 2, 2, 3)


def test_a_grey_picture_is_refused() -> None:
    with pytest.raises(ValueError, match=r"picture has shape \[4, 4, 1\]"):
        to_device([np.zeros((4, 4, 1), np.uint8)], "cpu")
    with pytest.raises(ValueError, match=r"pixels has shape \[1, 1, 4, 4\]"):
        to_host(torch.zeros(1, 1, 4, 4))


def test_each_face_gets_its_own_codes(model: FakeModel) -> None:
    items = [
        FrameFaces(make_frame(i), tuple(make_crop(t, level=51 * (i % 6)) for t in range(count)))
        for i, count in enumerate(FACES_PER_FRAME)
    ]
    for before, after in zip(items, Encode(model, 3)(iter(items)), strict=True):
        for crop, face in zip(before.faces, after.faces, strict=True):
            assert face.crop is crop
            expected = float(crop.pixels[0, 0, 0]) / 127.5 - 1
            torch.testing.assert_close(
                face.latents.styles, torch.full_like(face.latents.styles, expected)
            )


@pytest.mark.parametrize(("batch_size", "expected"), [(1, [1] * 12), (4, [4, 4, 4]), (100, [12])])
def test_faces_of_consecutive_frames_share_a_batch(
    model: FakeModel, batch_size: int, expected: list[int]
) -> None:
    items = [
        FrameFaces(make_frame(i), tuple(make_crop(t) for t in range(count)))
        for i, count in enumerate(FACES_PER_FRAME)
    ]
    list(Encode(model, batch_size)(iter(items)))
    assert sum(model.batch_sizes) == sum(FACES_PER_FRAME)
    assert max(model.batch_sizes) <= batch_size
    assert model.batch_sizes == expected


def test_frames_without_a_face_do_not_run_the_network(model: FakeModel) -> None:
    items = [FrameFaces[object](make_frame(i), ()) for i in range(5)]
    assert len(list(Encode(model, 2)(iter(items)))) == 5  # type: ignore[arg-type]
    assert model.batch_sizes == []


def test_a_batch_of_nothing_is_refused(model: FakeModel) -> None:
    with pytest.raises(ValueError, match="batch_size is 0, wanted at least 1"):
        list(Encode(model, 0)(iter([])))
