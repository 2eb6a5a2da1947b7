"""Identity networks get the crop and the levels they were trained on."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from megafs_video.errors import WeightsError
from megafs_video.evaluation.identity import (
    IdentityNetwork,
    build_edgeface,
    build_sface,
    identity_crop,
    is_retrieved,
    mean_pair_cosine,
)
from megafs_video.faces.recognize import ARCFACE_XY, CROP_SIZE
from megafs_video.values import Face, FloatArray

BOX_XYXY = np.array([0.0, 0.0, 111.0, 111.0])


class FakeSession:
    """Answers with fixed numbers and keeps what it was asked."""

    def __init__(self) -> None:
        self.levels: Any = None

    def get_inputs(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name="data")]

    def run(self, outputs: None, feed: dict[str, Any]) -> list[FloatArray]:
        self.levels = feed["data"]
        return [np.array([[3.0, 4.0]], dtype=np.float32)]


def template_face() -> Face:
    """A face whose five points lie where the crop wants them."""
    return Face(BOX_XYXY, ARCFACE_XY.copy(), 1.0)


def test_a_face_on_the_template_is_its_own_crop() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (CROP_SIZE, CROP_SIZE, 3), np.uint8)
    np.testing.assert_array_equal(identity_crop(pixels, template_face()), pixels)


def test_the_crop_follows_a_face_that_is_turned_and_larger() -> None:
    small = np.zeros((CROP_SIZE, CROP_SIZE, 3), np.uint8)
    small[20:60, 30:80] = (200, 90, 30)
    doubled_and_turned = np.rot90(small.repeat(2, axis=0).repeat(2, axis=1))
    x, y = (2 * ARCFACE_XY + 0.5).T
    turned_xy = np.stack([y, 2 * CROP_SIZE - 1 - x], axis=1)
    face = Face(2 * BOX_XYXY, turned_xy, 1.0)
    crop = identity_crop(np.ascontiguousarray(doubled_and_turned), face)
    assert crop.shape == (CROP_SIZE, CROP_SIZE, 3)
    # Edges are drawn anew; the flat parts must be where they were.
    np.testing.assert_allclose(crop[25:55, 35:75], small[25:55, 35:75], atol=1)
    np.testing.assert_allclose(crop[70:100, 10:100], 0, atol=1)


@pytest.mark.parametrize(("center", "scale", "wanted"), [(0.0, 1.0, 255), (127.5, 127.5, 1)])
def test_levels_are_red_first_and_in_the_networks_range(
    center: float, scale: float, wanted: float
) -> None:
    session = FakeSession()
    network = IdentityNetwork("fake", session, center=center, scale=scale)
    pixels = np.zeros((CROP_SIZE, CROP_SIZE, 3), np.uint8)
    pixels[..., 0] = 255
    identity = network.embed(pixels, template_face())
    assert session.levels.shape == (1, 3, CROP_SIZE, CROP_SIZE)
    assert session.levels.dtype == np.float32
    assert session.levels[0, 0].min() == pytest.approx(wanted)
    np.testing.assert_allclose(identity, [0.6, 0.8])


def test_pairs_exclude_each_row_with_itself() -> None:
    identities = np.random.default_rng(0).normal(size=(5, 7))
    unit = identities / np.linalg.norm(identities, axis=1, keepdims=True)
    wanted = np.mean([a @ b for a, b in combinations(unit, 2)])
    assert mean_pair_cosine(identities) == pytest.approx(wanted)


def test_one_picture_has_no_pairs() -> None:
    with pytest.raises(ValueError, match="identities has 1 rows, wanted at least 2"):
        mean_pair_cosine(np.ones((1, 4)))


GALLERY = np.eye(3)  # three people, each like nobody else


@pytest.mark.parametrize(
    ("identity", "target", "wanted"),
    [
        ([0.8, 0.6, 0.0], [0.0, 0.0, 1.0], True),
        ([0.6, 0.8, 0.0], [0.0, 0.0, 1.0], False),  # nearer to another source
        ([0.8, 0.0, 0.6], [0.6, 0.0, 0.8], False),  # nearer to the target
    ],
)
def test_only_the_nearest_of_sources_and_target_is_retrieved(
    identity: list[float], target: list[float], wanted: bool
) -> None:
    assert is_retrieved(np.array(identity), 0, GALLERY, np.array(target)) is wanted


def test_a_gallery_of_another_network_is_refused() -> None:
    with pytest.raises(ValueError, match=r"gallery has shape \[3, 3\], wanted \[any, 2\]"):
        is_retrieved(np.array([1.0, 0.0]), 0, GALLERY, np.array([0.0, 1.0]))


@pytest.mark.parametrize("build", [build_sface, build_edgeface])
def test_a_missing_network_is_named(build: Any, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"none\.onnx"):
        build(tmp_path / "none.onnx")
