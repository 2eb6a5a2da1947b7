"""Who a face is, by recognition networks that no training here has seen.

Training and the encoder use ArcFace MobileFaceNet (``faces/recognize.py``). A number from a
network that was optimised would flatter us, so evaluation asks SFace and EdgeFace.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np

from megafs_video.faces.contract import five_points
from megafs_video.faces.libraries import onnx_session
from megafs_video.faces.recognize import ARCFACE_XY, CROP_SIZE
from megafs_video.geometry.similarity import fit_similarity
from megafs_video.geometry.warps import warp
from megafs_video.values import Face, FloatArray, UInt8Array, check_shape
from megafs_video.weights.fetch import ensure


class Recogniser(Protocol):
    """Tells people apart."""

    @property
    def name(self) -> str:
        """What tables call it."""
        ...

    def embed(self, pixels: UInt8Array, face: Face) -> FloatArray:
        """A vector [D] of length 1 for a face with five landmarks or a mesh of 478."""
        ...


class IdentityNetwork:
    """A recognition network that takes ArcFace's 112 px crop, RGB, as (level - center) / scale."""

    def __init__(self, name: str, session: Any, *, center: float, scale: float) -> None:
        self.name = name
        self._session = session
        self._input_name = session.get_inputs()[0].name
        self._center = center
        self._scale = scale

    def embed(self, pixels: UInt8Array, face: Face) -> FloatArray:
        """The identity [D], of length 1."""
        crop = identity_crop(pixels, face)
        levels = ((crop.astype(np.float32) - self._center) / self._scale).transpose(2, 0, 1)[None]
        (found,) = self._session.run(None, {self._input_name: levels})  # [1, D]
        identity = np.asarray(found[0], dtype=np.float64)
        return identity / np.linalg.norm(identity)


def identity_crop(pixels: UInt8Array, face: Face) -> UInt8Array:
    """The face as recognition networks were trained to see it, [112, 112, 3]."""
    return warp(pixels, fit_similarity(five_points(face), ARCFACE_XY), CROP_SIZE)


def build_sface(path: Path, *, num_threads: int = 1) -> IdentityNetwork:
    """SFace (``face_recognition_sface_2021dec.onnx``): 128 numbers, levels 0 to 255."""
    return IdentityNetwork("SFace", onnx_session(path, num_threads), center=0.0, scale=1.0)


def build_edgeface(path: Path, *, num_threads: int = 1) -> IdentityNetwork:
    """EdgeFace (``edgeface_s_gamma_05.onnx``): 512 numbers, levels -1 to 1."""
    return IdentityNetwork("EdgeFace", onnx_session(path, num_threads), center=127.5, scale=127.5)


def load_recognisers(*, offline: bool = False) -> tuple[Recogniser, ...]:
    """SFace and EdgeFace, fetched if missing; errors as ``weights.fetch.ensure``."""
    paths = ensure(("sface", "edgeface"), offline=offline)
    return build_sface(paths["sface"]), build_edgeface(paths["edgeface"])


def mean_pair_cosine(identities: FloatArray) -> float:
    """Mean cosine over all pairs of different rows of [N, D]; ValueError for fewer than two.

    Of one person's pictures it says how alike "the same" is, of different people's how alike
    strangers are: a cosine means nothing without the two.

    >>> mean_pair_cosine(np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0]]))
    0.3333333333333333
    """
    check_shape("identities", identities, (None, None))
    count = len(identities)
    if count < 2:
        raise ValueError(f"identities has {count} rows, wanted at least 2")
    unit = identities / np.linalg.norm(identities, axis=1, keepdims=True)
    # The square of the sum holds every ordered pair, and each row with itself.
    return float((np.square(unit.sum(axis=0)).sum() - count) / (count * (count - 1)))


def is_retrieved(
    identity: FloatArray, index: int, gallery: FloatArray, distractor: FloatArray
) -> bool:
    """Whether a face [D] is nearest to row ``index`` of the gallery [N, D] (top-1 retrieval).

    The distractor [D], the face that was there before, is in the gallery too. All have length 1.

    >>> is_retrieved(np.array([1.0, 0.0]), 0, np.eye(2), np.array([0.6, 0.8]))
    True
    """
    check_shape("gallery", gallery, (None, len(identity)))
    cosines = gallery @ identity  # [N]
    return bool(np.argmax(cosines) == index and cosines[index] > distractor @ identity)
