"""The whole yardstick on colours: every figure can be worked out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from megafs_video.evaluation.pairs import (
    FTM,
    LCR,
    PICTURES,
    RECONSTRUCTION,
    UNTOUCHED,
    Measurement,
    evaluate_pairs,
)
from megafs_video.evaluation.portrait import Portrait
from megafs_video.values import UInt8Array
from megafs_video.video.picture import write_picture
from tests.evaluation.portraits import examine_colour
from tests.pipeline.fakes import FakeModel
from tests.tiny import tiny_lpips

SIZE = FakeModel.dims.crop_size
LEVELS = (240, 200, 160, 120)


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """Four grey photographs, each of its own level."""
    found = [tmp_path / f"{level}.png" for level in LEVELS]
    for path, level in zip(found, LEVELS, strict=True):
        write_picture(path, np.full((SIZE, SIZE, 3), level, np.uint8))
    return found


def measure(paths: list[Path], num_pairs: int = 2, **settings: object) -> Measurement:
    return evaluate_pairs(
        paths,
        FakeModel(),  # type: ignore[arg-type]
        tiny_lpips(),
        **{"examine": examine_colour, "num_pairs": num_pairs} | settings,  # type: ignore[arg-type]
    )


def test_four_pictures_of_every_pair_are_measured(paths: list[Path]) -> None:
    found = measure(paths)
    assert [picture.picture for picture in found.report.pictures] == list(PICTURES)
    assert [one.picture for one in found.figures] == [*PICTURES, *PICTURES]
    assert [one.pair for one in found.figures] == [0] * 4 + [1] * 4
    assert all(picture.num_pictures == 2 for picture in found.report.pictures)


def test_the_untouched_target_is_the_target(paths: list[Path]) -> None:
    untouched = measure(paths).report.pictures[PICTURES.index(UNTOUCHED)]
    assert untouched.mse == untouched.lpips == 0
    assert untouched.likenesses[0].to_target == pytest.approx(1)
    assert untouched.likenesses[0].retrieved_share == 0
    assert untouched.change is not None
    assert untouched.change.turn_degrees == pytest.approx(0, abs=1e-5)


def test_a_model_that_draws_what_it_saw_reconstructs_without_error(paths: list[Path]) -> None:
    # The fake model's picture of a grey face is that grey face.
    reconstruction = measure(paths).report.pictures[PICTURES.index(RECONSTRUCTION)]
    assert reconstruction.mse == pytest.approx(0, abs=1e-10)


def test_errors_are_to_the_target_on_minus_one_to_one(paths: list[Path]) -> None:
    # A swap of the fake model takes the green channel (the last code) from the source.
    for one in measure(paths).figures:
        if one.picture in (LCR, FTM):
            source, target = (int(Path(name).stem) for name in (one.source, one.target))
            assert one.mse == pytest.approx(((source - target) / 127.5) ** 2 / 3, rel=1e-4)


def test_a_face_that_is_lost_is_a_failure(paths: list[Path]) -> None:
    def only_grey(pixels: UInt8Array) -> Portrait | None:
        red, green, _ = pixels.mean(axis=(0, 1))
        return examine_colour(pixels) if red == green else None

    report = measure(paths, examine=only_grey).report
    lost = report.pictures[PICTURES.index(FTM)]
    assert lost.num_without_face == lost.num_pictures == 2
    assert lost.change is None
    assert lost.likenesses[0].failed_share == 1
    assert report.pictures[PICTURES.index(RECONSTRUCTION)].num_without_face == 0


def test_a_photograph_without_a_face_is_told(paths: list[Path]) -> None:
    write_picture(paths[0], np.zeros((SIZE, SIZE, 3), np.uint8), overwrite=True)
    told: list[tuple[int, int]] = []
    report = measure(paths, progress=lambda done, total: told.append((done, total))).report
    assert (report.num_pairs, report.num_unusable_pairs) == (2, 1)
    assert (report.num_photos, report.num_photos_without_face) == (4, 1)
    assert all(picture.num_pictures == 1 for picture in report.pictures)
    assert all(picture.kernel_distance is None for picture in report.pictures)
    assert told[-1] == (6, 6)  # a pair that cannot be measured is done, too


def test_the_same_seed_gives_the_same_report(paths: list[Path]) -> None:
    assert measure(paths, seed=3).report == measure(paths, seed=3).report
    assert measure(paths, seed=3).report != measure(paths, seed=4).report


def test_a_column_of_the_sheet_is_a_pair_with_its_source_on_top(paths: list[Path]) -> None:
    found = measure(paths)
    assert found.sheet.shape == (5 * SIZE, 2 * SIZE, 3)
    for column, figures in enumerate(found.figures[:: len(PICTURES)]):
        shown = found.sheet[: 2 * SIZE : SIZE, column * SIZE, 0]
        assert [f"{level}.png" for level in shown] == [figures.source, figures.target]


def test_progress_counts_photographs_and_pairs_to_the_end(paths: list[Path]) -> None:
    told: list[tuple[int, int]] = []
    measure(paths, progress=lambda done, total: told.append((done, total)))
    assert told == [(done, 6) for done in range(1, 7)]
