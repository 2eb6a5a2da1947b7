"""Pairs are drawn by seed and name alone, and photographs set the scales of every judge."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from megafs_video.errors import PictureError, SourceFaceError
from megafs_video.evaluation.gallery import (
    Gallery,
    choose_pairs,
    hang_gallery,
    other_view,
    read_photo,
)
from megafs_video.video.picture import write_picture
from tests.evaluation.portraits import examine_colour, portrait

NAMES = [Path(f"photos/{number:05d}.webp") for number in range(0, 120, 6)]
RED, GREEN, BLUE, BLACK = (250, 0, 0), (0, 250, 0), (0, 0, 250), (0, 0, 0)


def photo(folder: Path, name: str, colour: tuple[int, int, int], side: int = 64) -> Path:
    """A photograph of one colour."""
    path = folder / name
    write_picture(path, np.full((side, side, 3), colour, np.uint8))
    return path


def hang(*pairs: tuple[Path, Path]) -> Gallery:
    return hang_gallery(pairs, 64, examine_colour, lambda done: None)


def test_nobody_meets_themselves_and_nobody_comes_twice() -> None:
    for num_pairs in (1, 10, 19):
        sources, targets = zip(*choose_pairs(NAMES, num_pairs, seed=0), strict=True)
        assert len(set(sources)) == len(set(targets)) == num_pairs
        assert all(source != target for source, target in zip(sources, targets, strict=True))


def test_where_there_are_enough_pictures_no_source_is_a_target() -> None:
    sources, targets = zip(*choose_pairs(NAMES, 10, seed=0), strict=True)
    assert not set(sources) & set(targets)


def test_the_seed_and_the_names_decide_wherever_the_folder_lies() -> None:
    def names(folder: str, seed: int) -> list[tuple[str, str]]:
        moved = [Path(folder) / path.name for path in reversed(NAMES)]
        return [(source.name, target.name) for source, target in choose_pairs(moved, 4, seed)]

    assert names("here", 1) == names("there", 1)
    assert names("here", 1) != names("here", 2)
    # Figures of two machines are only comparable if these never change.
    assert names("here", 0) == [
        ("00072.webp", "00066.webp"),
        ("00036.webp", "00102.webp"),
        ("00030.webp", "00096.webp"),
        ("00084.webp", "00108.webp"),
    ]


@pytest.mark.parametrize("num_pairs", [0, 20])
def test_more_pairs_than_pictures_are_refused(num_pairs: int) -> None:
    with pytest.raises(ValueError, match=f"num_pairs is {num_pairs}, wanted 1 to 19"):
        choose_pairs(NAMES, num_pairs, seed=0)


def test_a_large_photograph_is_averaged_down(tmp_path: Path) -> None:
    stripes = np.zeros((128, 128, 3), np.uint8)
    stripes[::2] = 200
    write_picture(tmp_path / "large.png", stripes)
    found = read_photo(tmp_path / "large.png", 64)
    np.testing.assert_array_equal(found, np.full((64, 64, 3), 100, np.uint8))


@pytest.mark.parametrize(("height", "width"), [(64, 65), (63, 63)])
def test_a_photograph_that_is_not_square_or_too_small_is_named(
    tmp_path: Path, height: int, width: int
) -> None:
    write_picture(tmp_path / "odd.png", np.zeros((height, width, 3), np.uint8))
    with pytest.raises(PictureError, match=rf"odd\.png is {width}x{height} pixels, wanted a sq"):
        read_photo(tmp_path / "odd.png", 64)


def test_the_other_view_is_mirrored_and_half_as_large() -> None:
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:, :32] = 255
    found = other_view(pixels)
    assert found.shape == (32, 32, 3)
    assert found[:, :16].max() == 0
    assert found[:, 16:].min() == 255


def test_strangers_set_the_scale(tmp_path: Path) -> None:
    red, green, blue = (
        photo(tmp_path, f"{name}.png", colour)
        for name, colour in (("red", RED), ("green", GREEN), ("blue", BLUE))
    )
    gallery = hang((red, green), (green, blue))
    [scale] = gallery.judges
    assert scale.judge == "tint"
    assert scale.random == pytest.approx(0)
    assert scale.genuine == pytest.approx(1)  # a colour is its own mirror image
    np.testing.assert_allclose(gallery.sources["tint"], [[1, 0, 0], [0, 1, 0]], atol=1e-9)
    assert gallery.random_change.yaw_degrees == pytest.approx(25 / 2)


def test_a_photograph_without_a_face_is_counted_and_its_pairs_are_left_out(tmp_path: Path) -> None:
    red, green = photo(tmp_path, "red.png", RED), photo(tmp_path, "green.png", GREEN)
    black = photo(tmp_path, "black.png", BLACK)
    gallery = hang((red, black), (red, green), (black, green))
    assert gallery.pairs == ((red, green),)
    assert gallery.num_photos_without_face == 1


def test_no_usable_pair_is_an_error(tmp_path: Path) -> None:
    red, black = photo(tmp_path, "red.png", RED), photo(tmp_path, "black.png", BLACK)
    with pytest.raises(SourceFaceError, match=r"no pair of .* has a face in both pictures"):
        hang((red, black), (black, red))


def test_every_photograph_is_looked_at_once_and_said(tmp_path: Path) -> None:
    red, green = photo(tmp_path, "red.png", RED), photo(tmp_path, "green.png", GREEN)
    told: list[int] = []
    hang_gallery([(red, green), (green, red)], 64, examine_colour, told.append)
    assert told == [1, 2]


@pytest.mark.parametrize(("shows_source", "is_below_random"), [(True, False), (False, True)])
def test_a_picture_fails_when_it_is_nearer_to_strangers_than_to_whom_it_shows(
    tmp_path: Path, shows_source: bool, is_below_random: bool
) -> None:
    red, yellow = photo(tmp_path, "red.png", RED), photo(tmp_path, "yellow.png", (250, 250, 0))
    gallery = hang((red, yellow))
    [like] = gallery.likenesses(0, portrait(np.array([1.0, -0.3, 0.0])), shows_source=shows_source)
    [scale] = gallery.judges
    assert like.to_target < scale.random < like.to_source
    assert like.is_below_random is is_below_random
    assert like.is_retrieved
