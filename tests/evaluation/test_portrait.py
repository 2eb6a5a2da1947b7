"""An examiner looks at the largest face, and two portraits differ by known figures."""

from __future__ import annotations

from dataclasses import astuple, dataclass, field
from itertools import pairwise

import numpy as np
import pytest

from megafs_video.evaluation.portrait import (
    EXAMINER_FILES,
    Change,
    Examiner,
    change_between,
    mean_change,
    open_examiner,
)
from megafs_video.evaluation.pose import head_angles_degrees
from megafs_video.faces.mesh import NUM_BLENDSHAPES, Look
from megafs_video.values import Face, FloatArray, UInt8Array
from megafs_video.video.picture import read_picture
from tests.evaluation.portraits import portrait
from tests.faces.conftest import PHOTOS, cached
from tests.faces.fakes import FakeDetector

SMALL = Face(np.array([0.0, 0.0, 10.0, 10.0]), np.zeros((5, 2)), 0.9)
LARGE = Face(np.array([0.0, 0.0, 40.0, 40.0]), np.zeros((5, 2)), 0.8)
PIXELS = np.zeros((64, 64, 3), np.uint8)


@dataclass
class FakeLooker:
    """Finds faces in pictures of a certain width only, and remembers what it was shown."""

    min_width: int = 0
    seen: list[tuple[int, Face]] = field(default_factory=list)

    def look(self, pixels: UInt8Array, face: Face) -> Look | None:
        self.seen.append((pixels.shape[1], face))
        if pixels.shape[1] < self.min_width:
            return None
        return Look(face, np.eye(3), np.full(NUM_BLENDSHAPES, 0.5))


class BoxRecogniser:
    """Takes the right edge of the box for the identity."""

    name = "box"

    def embed(self, pixels: UInt8Array, face: Face) -> FloatArray:
        return face.box_xyxy[2:3]


class BoxModel:
    """Takes the width of the picture for the expression."""

    def expression(self, pixels: UInt8Array, face: Face) -> FloatArray:
        return np.full(10, float(pixels.shape[1]))


def examiner(faces: list[Face], looker: FakeLooker) -> Examiner:
    return Examiner(FakeDetector(faces), looker, [BoxRecogniser()], BoxModel())  # type: ignore[arg-type]


def test_the_largest_face_is_portrayed() -> None:
    found = examiner([SMALL, LARGE], FakeLooker())(PIXELS)
    assert found is not None
    assert found.identities["box"] == 40
    assert found.coefficients[0] == 64
    assert found.blendshapes[0] == 0.5


def test_a_face_that_is_missed_is_looked_for_in_a_border() -> None:
    looker = FakeLooker(min_width=128)
    found = examiner([SMALL, LARGE], looker)(PIXELS)
    assert looker.seen == [(64, LARGE), (64, SMALL), (128, LARGE)]
    assert found is not None
    assert found.coefficients[0] == 128


def test_no_face_is_no_portrait() -> None:
    assert examiner([], FakeLooker())(PIXELS) is None
    assert examiner([LARGE], FakeLooker(min_width=999))(PIXELS) is None


def test_a_face_has_not_changed_from_itself() -> None:
    one = portrait(np.array([1.0, 0.0]), yaw_degrees=20, smile=1)
    np.testing.assert_allclose(astuple(change_between(one, one)), 0, atol=1e-6)


def test_every_figure_of_a_change_is_its_own() -> None:
    first = portrait(np.array([1.0, 0.0]), yaw_degrees=20)
    second = portrait(np.array([0.0, 1.0]), yaw_degrees=-10, smile=2)
    found = change_between(first, second)
    wanted = Change(30, 30, 0, 0, 2 * np.sqrt(10), 0.2 * np.sqrt(52))
    np.testing.assert_allclose(astuple(found), astuple(wanted), atol=1e-6)


def test_a_mean_and_a_share_are_taken_figure_by_figure() -> None:
    found = mean_change([Change(1, 2, 3, 4, 5, 6), Change(3, 2, 1, 0, 5, 8)])
    assert found == Change(2, 2, 2, 2, 5, 7)
    assert found.share_of(Change(4, 2, 8, 2, 10, 7)) == Change(0.5, 1, 0.25, 1, 0.5, 1)
    assert mean_change([]) is None


def test_copies_of_one_picture_give_no_share_but_no_error() -> None:
    nothing = Change(0, 0, 0, 0, 0, 0)
    assert nothing.share_of(nothing) == nothing


@pytest.mark.e2e
def test_a_mirror_image_is_the_same_person_turned_the_other_way() -> None:
    paths = sorted(PHOTOS.glob("*.webp"))[:48:8]
    if not paths:
        pytest.skip("../shared/faces/photo is not here")
    for name in EXAMINER_FILES:
        cached(name)
    with open_examiner(offline=True) as examine:
        pictures = [read_picture(path) for path in paths]
        found = [examine(pixels) for pixels in pictures]
        mirrored = [examine(np.ascontiguousarray(pixels[:, ::-1])) for pixels in pictures]
    pairs = [(one, other) for one, other in zip(found, mirrored, strict=True) if one and other]
    assert len(pairs) == len(paths)
    strangers = [(one, other) for (one, _), (other, _) in pairwise(pairs)]
    for judge in ("SFace", "EdgeFace"):
        assert min(a.identities[judge] @ b.identities[judge] for a, b in pairs) > 0.6
        assert max(a.identities[judge] @ b.identities[judge] for a, b in strangers) < 0.5
    yaws = np.array(
        [[head_angles_degrees(one.head_to_camera)[0] for one in pair] for pair in pairs]
    )
    np.testing.assert_allclose(yaws.sum(axis=1), 0, atol=8)  # MediaPipe is not quite symmetric
    assert np.ptp(yaws) > 20
    kept, random = (
        mean_change([change_between(*pair) for pair in of]) for of in (pairs, strangers)
    )
    assert kept is not None and random is not None
    assert kept.coefficients < 0.6 * random.coefficients
    assert kept.pitch_degrees < 0.6 * random.pitch_degrees


@pytest.mark.parametrize(
    ("rotation", "num_shapes", "said"),
    [(np.eye(4), 52, "Look.head_to_camera"), (np.eye(3), 51, "Look.blendshapes")],
)
def test_a_look_of_another_shape_is_refused(
    rotation: FloatArray, num_shapes: int, said: str
) -> None:
    with pytest.raises(ValueError, match=f"{said} has shape"):
        Look(LARGE, rotation, np.zeros(num_shapes))
