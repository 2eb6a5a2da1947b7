"""Faces of a folder: which are kept from training, how they are read, what befalls them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from megafs_video.errors import InputNotFoundError, PictureError
from megafs_video.training.faces import (
    augment,
    degrade,
    is_validation,
    list_faces,
    read_faces,
    to_device_pixels,
)
from megafs_video.video.picture import write_picture
from tests.training.small import small_faces, write_faces

PHOTOS = Path(__file__).parents[2] / ".." / "shared" / "faces" / "photo"
Change = Callable[[Tensor, torch.Generator], Tensor]


def test_every_sixth_number_is_kept_from_training(tmp_path: Path) -> None:
    folder = write_faces(tmp_path / "faces", 13)
    kept = [path.name for path in list_faces(folder, validation=True)]
    assert kept == ["00000.png", "00006.png", "00012.png"]
    trained = [path.name for path in list_faces(folder, validation=False)]
    assert len(trained) == 10
    assert not set(trained) & set(kept)
    every = [path.name for path in list_faces(folder, validation=None)]
    assert every == sorted(trained + kept)


def test_the_name_alone_decides_whatever_else_is_in_the_folder() -> None:
    for name in ("00012.webp", "face_12.png", "12.JPG", "./elsewhere/00012.png", "nobody.png"):
        assert is_validation(Path(name))
    for name in ("00013.webp", "face_13.png", "12.1.png"):
        assert not is_validation(Path(name))


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="../shared/faces/photo is not here")
def test_the_shared_photographs_leave_five_hundred_for_validation() -> None:
    kept, trained = (set(list_faces(PHOTOS, validation=kept)) for kept in (True, False))
    assert len(kept) >= 500
    assert not kept & trained


def test_other_files_are_no_faces(tmp_path: Path) -> None:
    folder = write_faces(tmp_path / "faces", 2)
    (folder / "00003.txt").write_text("a note")
    assert [path.name for path in list_faces(folder, validation=False)] == ["00001.png"]


@pytest.mark.parametrize(
    ("validation", "said"), [(True, " for validation"), (False, " for training"), (None, ";")]
)
def test_a_folder_without_faces_is_refused(
    tmp_path: Path, validation: bool | None, said: str
) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(InputNotFoundError, match=f"holds no pictures{said}"):
            list_faces(folder, validation=validation)


def test_faces_are_read_in_order(tmp_path: Path) -> None:
    folder = write_faces(tmp_path / "faces", 4)
    found = read_faces(sorted(folder.iterdir()), 64)
    np.testing.assert_array_equal(found, small_faces(4))


def test_a_face_of_another_size_is_refused_by_name(tmp_path: Path) -> None:
    folder = write_faces(tmp_path / "faces", 2)
    write_picture(folder / "00007.png", np.zeros((32, 48, 3), np.uint8))
    with pytest.raises(PictureError, match=r"00007\.png is 48x32 pixels, wanted 64x64"):
        read_faces(sorted(folder.iterdir()), 64)


def test_device_pixels_are_between_minus_one_and_one() -> None:
    host = np.zeros((1, 2, 2, 3), np.uint8)
    host[0, 0, 1] = (255, 51, 0)
    found = to_device_pixels(host)
    assert found.shape == (1, 3, 2, 2)
    assert found.dtype == torch.float32
    # 1/127.5 has no exact float32.
    torch.testing.assert_close(found[0, :, 0, 1], torch.tensor([1.0, -0.6, -1.0]))
    assert found.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("change", [augment, degrade])
def test_changes_keep_the_shape_and_follow_the_seed(change: Change) -> None:
    pixels = to_device_pixels(small_faces(5))
    found = [change(pixels, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4)]
    assert found[0].shape == pixels.shape
    assert found[0].dtype == torch.float32
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    assert not torch.equal(found[0], pixels)
    assert found[0].abs().max() < 2


@pytest.mark.parametrize("change", [augment, degrade])
def test_the_faces_that_came_in_are_left_alone(change: Change) -> None:
    pixels = to_device_pixels(small_faces(2))
    before = pixels.clone()
    for seed in range(4):
        change(pixels, torch.Generator().manual_seed(seed))
    assert torch.equal(pixels, before)


def test_a_moved_face_stays_near_its_place() -> None:
    y, x = torch.meshgrid(*[torch.linspace(-1, 1, 64)] * 2, indexing="ij")
    place = torch.stack((x, y, x * 0))[None].repeat(20, 1, 1, 1)
    moved = augment(place, torch.Generator().manual_seed(0))
    is_mirrored = (moved * place)[:, 0].mean(dim=(1, 2)) < 0
    assert 4 <= is_mirrored.sum() <= 16
    place[is_mirrored, 0] *= -1
    inside = (slice(None), slice(0, 2), slice(16, 48), slice(16, 48))
    # At most 0.03 of shift and, half way out, 0.05 of turn and of zoom.
    assert (moved - place)[inside].abs().max() < 0.1
    assert (moved - place)[inside].abs().max() > 0.01


def test_turning_a_photograph_leaves_most_of_its_detail() -> None:
    # Waves of three pixels: bilinear weights leave half of their energy.
    random = torch.Generator().manual_seed(0)
    x = torch.arange(128.0)
    waves = (2 * torch.pi * x / 3).sin() * 0.5
    pixels = waves.expand(16, 3, 128, 128)
    kept = augment(pixels, random).square().mean() / pixels.square().mean()
    assert kept > 0.6
