"""Cuts: seen where they are, and nowhere else."""

from pathlib import Path

import cv2
import numpy as np

from megafs_video.pipeline.cuts import Change, CutFinder
from megafs_video.values import UInt8Array
from megafs_video.video.picture import read_picture
from tests.pipeline.scenes import scene

PERSON = Path(__file__).parents[2] / "examples" / "source.jpg"  # of nobody: a generator's


def changes(pictures: list[UInt8Array]) -> list[Change]:
    cuts = CutFinder()
    return [cuts.step(pixels) for pixels in pictures]


def noisy(pixels: UInt8Array, seed: int) -> UInt8Array:
    noise = np.random.default_rng(seed).normal(0, 8, pixels.shape)
    return np.asarray(np.clip(pixels + noise, 0, 255), dtype=np.uint8)


def brightened(pixels: UInt8Array, factor: float, offset: float) -> UInt8Array:
    return np.asarray(np.clip(pixels * factor + offset, 0, 255), dtype=np.uint8)


def test_another_scene_is_a_cut_at_its_first_frame() -> None:
    for seed in range(1, 30):
        pictures = [noisy(scene(0), 0), noisy(scene(0), 1), noisy(scene(seed), 2), scene(seed)]
        assert changes(pictures) == [Change.NONE, Change.NONE, Change.CUT, Change.NONE]


def test_a_moving_camera_is_not_a_cut() -> None:
    wide = np.concatenate([scene(0), scene(1)], axis=1)
    pictures = [np.ascontiguousarray(wide[:, x : x + 160]) for x in range(0, 160, 4)]
    assert set(changes(pictures)) == {Change.NONE}


def test_a_head_that_moves_over_a_flat_wall_is_not_a_cut() -> None:
    head = cv2.resize(read_picture(PERSON), (100, 100), interpolation=cv2.INTER_AREA)
    oval = np.zeros((100, 100), np.uint8)
    cv2.ellipse(oval, (50, 50), (38, 48), 0, 0, 360, 1, -1)
    pictures = []
    for left in range(0, 100, 20):  # a quarter of its width a frame
        pictures.append(np.full((120, 200, 3), 110, np.uint8))
        pictures[-1][10:110, left : left + 100][oval > 0] = head[oval > 0]
    assert set(changes(pictures)) == {Change.NONE}


def test_a_small_patch_that_moves_over_a_noisy_wall_is_not_a_cut() -> None:
    pictures = [noisy(np.full((120, 160, 3), 60, np.uint8), seed) for seed in range(12)]
    for index, picture in enumerate(pictures):
        picture[50:70, 10 * index : 10 * index + 20] = 220
    assert set(changes(pictures)) == {Change.NONE}


def test_a_dissolve_is_not_a_cut() -> None:
    shares = np.linspace(0, 1, 10)
    pictures = [cv2.addWeighted(scene(0), 1 - share, scene(1), share, 0) for share in shares]
    assert set(changes([np.asarray(mixed, np.uint8) for mixed in pictures])) == {Change.NONE}


def test_a_quick_turn_of_the_camera_is_not_a_cut() -> None:
    wide = cv2.GaussianBlur(np.concatenate([scene(0), scene(1)], axis=1), (0, 0), 3)
    pictures = [np.ascontiguousarray(wide[:, x : x + 160], np.uint8) for x in range(0, 160, 12)]
    assert set(changes(pictures)) == {Change.NONE}


def test_a_flash_is_not_a_cut() -> None:
    flash = brightened(scene(0), 1.0, 50)
    assert set(changes([scene(0), flash, scene(0)])) == {Change.NONE}


def test_a_white_frame_is_not_a_cut_and_does_not_hide_one() -> None:
    white = np.full_like(scene(0), 255)
    assert set(changes([scene(0), white, scene(0)])) == {Change.NONE}
    assert changes([scene(0), white, scene(1)])[-1] is Change.CUT


def test_a_fade_to_black_is_not_a_cut() -> None:
    fade = [brightened(scene(0), 1 - step / 10, 0) for step in range(11)]
    assert set(changes([*fade, *fade[::-1]])) == {Change.NONE}


def test_a_damaged_picture_is_followed_by_a_return() -> None:
    found = changes([scene(0), scene(0), scene(5), scene(0), scene(0)])
    assert found == [Change.NONE, Change.NONE, Change.CUT, Change.RETURN, Change.NONE]


def test_a_shot_and_its_countershot_are_cuts_both_ways() -> None:
    pictures = [scene(0)] * 5 + [scene(5)] * 5 + [scene(0)] * 5
    assert [index for index, c in enumerate(changes(pictures)) if c is Change.CUT] == [5, 10]


def test_the_first_frame_is_not_a_cut() -> None:
    assert changes([scene(0)]) == [Change.NONE]


def test_a_picture_of_two_pixels_is_compared_too() -> None:
    tiny = np.array([[[0, 0, 0], [255, 255, 255]]], dtype=np.uint8)
    other = np.ascontiguousarray(tiny[:, ::-1])
    assert changes([tiny, tiny, other]) == [Change.NONE, Change.NONE, Change.CUT]
