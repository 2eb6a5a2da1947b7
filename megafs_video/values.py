"""What flows through the house: frozen values that refuse nonsense when made.

Host pixels are uint8 [H, W, 3] RGB; device pixels are float32 [N, 3, H, W] in [-1, 1].
Points are (x, y) in pixels with the centre of the first pixel at (0, 0).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from megafs_video.checkpoint import Checkpoint

if TYPE_CHECKING:
    from torch import Tensor

UInt8Array = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.floating[Any]]

T = TypeVar("T")


def check_shape(name: str, array: Any, wanted: Sequence[int | None]) -> None:
    """Raise ValueError unless ``array`` has the wanted shape (None: any size).

    >>> check_shape("box", np.zeros(4), (4,))
    >>> check_shape("box", np.zeros(3), (4,))
    Traceback (most recent call last):
    ...
    ValueError: box has shape [3], wanted [4]
    """
    found = tuple(array.shape)
    # This is asked some two hundred times a frame, mostly of matrices: the quickest way first.
    if found == wanted:
        return
    if len(found) == len(wanted):
        for size, want in zip(found, wanted, strict=True):
            if want is not None and want != size:
                break
        else:
            return
    shown = ", ".join("any" if want is None else str(want) for want in wanted)
    raise ValueError(f"{name} has shape {list(found)}, wanted [{shown}]")


def check_pixels(name: str, pixels: Any) -> None:
    """Raise ValueError unless ``pixels`` is uint8 [H, W, 3]."""
    check_shape(name, pixels, (None, None, 3))
    if pixels.dtype != np.uint8:
        raise ValueError(f"{name} has dtype {pixels.dtype}, wanted uint8")


@dataclass(frozen=True, eq=False)
class Patch:
    """What is drawn over a part of a picture."""

    left: int  # pixels of the picture
    top: int
    pixels: UInt8Array  # [H, W, 3] RGB

    def __post_init__(self) -> None:
        check_pixels("Patch.pixels", self.pixels)
        if self.left < 0 or self.top < 0:
            raise ValueError(f"Patch begins at {self.left}, {self.top}, wanted 0 or more")

    def over(self, picture: UInt8Array) -> UInt8Array:
        """The part of a picture [H, W, 3] that it covers, a view.

        >>> Patch(1, 0, np.zeros((2, 3, 3), np.uint8)).over(np.zeros((4, 4, 3), np.uint8)).shape
        (2, 3, 3)
        """
        height, width = self.pixels.shape[:2]
        covered = picture[self.top : self.top + height, self.left : self.left + width]
        check_shape("the part of the picture under a Patch", covered, self.pixels.shape)
        return covered


def patched(pixels: UInt8Array, patch: Patch | None) -> UInt8Array:
    """A copy of a picture with the patch in it; the very picture if there is none."""
    if patch is None:
        return pixels
    copy = pixels.copy()
    patch.over(copy)[:] = patch.pixels
    return copy


@dataclass(frozen=True, eq=False)
class Frame:
    """One decoded picture with the time at which it is shown (pts · time_base, seconds)."""

    pixels: UInt8Array  # [H, W, 3] RGB, upright
    pts: int
    time_base: Fraction
    # What ``pixels`` were made of, for whoever writes them: only the room video/ looks inside.
    decoded: object | None = None
    # Where every stage leaves what it knows before this frame, or finds it.
    checkpoint: Checkpoint | None = None
    # A whole picture is not copied for a face in it.
    patch: Patch | None = None

    def __post_init__(self) -> None:
        check_pixels("Frame.pixels", self.pixels)
        if self.time_base <= 0:
            raise ValueError(f"Frame.time_base is {self.time_base}, wanted a positive fraction")

    @cached_property  # every stage asks, some of them several times
    def seconds(self) -> float:
        """Presentation time, seconds."""
        return float(self.pts * self.time_base)

    @property
    def shown(self) -> UInt8Array:
        """``pixels`` with the patch in them."""
        return patched(self.pixels, self.patch)

    def carried(self, name: str, memory: T) -> T:
        """What a stage knows of the frames before this one; see ``Checkpoint.carried``."""
        return memory if self.checkpoint is None else self.checkpoint.carried(name, memory)


@dataclass(frozen=True, eq=False)
class Face:
    """A face found in a frame, in pixels of the frame."""

    box_xyxy: FloatArray  # [4]
    landmarks_xy: FloatArray  # [K, 2]: 5 from a detector, 478 from the face mesh
    score: float  # the detector's confidence, 0 to 1

    def __post_init__(self) -> None:
        check_shape("Face.box_xyxy", self.box_xyxy, (4,))
        check_shape("Face.landmarks_xy", self.landmarks_xy, (None, 2))
        left, top, right, bottom = self.box_xyxy
        if not (left < right and top < bottom):
            raise ValueError(f"Face.box_xyxy is empty: {self.box_xyxy}")

    @property
    def area(self) -> float:
        """Area of the box, square pixels."""
        left, top, right, bottom = self.box_xyxy
        return float((right - left) * (bottom - top))


@dataclass(frozen=True, eq=False)
class TrackedFace:
    """A face that keeps its number from frame to frame; a cut ends every track."""

    track_id: int
    face: Face
    identity: FloatArray | None = None  # [D] of length 1: who it is, by all frames so far
    source_index: int = 0  # which of the sources it is given
    opacity: float = 1.0  # how much of the swap is seen, 0 to 1


@dataclass(frozen=True, eq=False)
class FaceMotion:
    """Where each part of a face was when its track was last seen, by optical flow.

    The view is a square about the face, the same part of the frame then and now.
    """

    since_seconds: float  # when the frame was shown in which it was last seen
    frame_to_view: FloatArray  # [2, 3], pixels of either frame -> pixels of the view
    steps: FloatArray  # [V, V, 2] (x, y), from each pixel of the view to where it was
    is_known: npt.NDArray[np.bool_]  # [V, V], the picture there is what the steps say

    def __post_init__(self) -> None:
        check_shape("FaceMotion.frame_to_view", self.frame_to_view, (2, 3))
        check_shape("FaceMotion.steps", self.steps, (None, None, 2))
        check_shape("FaceMotion.is_known", self.is_known, self.steps.shape[:2])


@dataclass(frozen=True, eq=False)
class AlignedCrop:
    """An FFHQ-aligned square crop and the only copy of the transform that made it."""

    track_id: int
    pixels: UInt8Array  # [S, S, 3]
    frame_to_crop: FloatArray  # [2, 3], pixels of the frame -> pixels of the crop
    outline_xy: FloatArray  # [K, 2], convex outline of the face in pixels of the crop
    confidence: float = 1.0  # in the face being there and well seen, above 0 and at most 1
    source_index: int = 0  # which of the sources the face is given
    opacity: float = 1.0  # how much of the swap is seen, 0 to 1
    motion: FaceMotion | None = None  # None: not looked at, or the first of its track

    def __post_init__(self) -> None:
        check_pixels("AlignedCrop.pixels", self.pixels)
        check_shape("AlignedCrop.frame_to_crop", self.frame_to_crop, (2, 3))
        check_shape("AlignedCrop.outline_xy", self.outline_xy, (None, 2))


@dataclass(frozen=True, eq=False)
class Latents:
    """W++ (paper §3.1): the constant C and the style codes L never travel apart.

    >>> import torch
    >>> len(Latents(torch.zeros(2, 512, 4, 4), torch.zeros(2, 16, 512)))
    2
    """

    constant: Tensor  # [N, 512, 4, 4]
    styles: Tensor  # [N, L, 512], coarse to fine

    def __post_init__(self) -> None:
        check_shape("Latents.constant", self.constant, (None, None, None, None))
        check_shape("Latents.styles", self.styles, (self.constant.shape[0], None, None))

    def __len__(self) -> int:
        return int(self.constant.shape[0])

    def __getitem__(self, index: slice | Tensor) -> Latents:
        """The faces of a slice, of a mask [N], or of numbers [M]."""
        return Latents(self.constant[index], self.styles[index])

    @staticmethod
    def concat(parts: Sequence[Latents]) -> Latents:
        """Latents of several batches, one after the other."""
        import torch

        return Latents(
            torch.cat([part.constant for part in parts]),
            torch.cat([part.styles for part in parts]),
        )


@dataclass(frozen=True, eq=False)
class EncodedFace:
    """A crop and its codes (batch of one, on the host)."""

    track_id: int
    crop: AlignedCrop
    latents: Latents  # N = 1

    def __post_init__(self) -> None:
        if len(self.latents) != 1:
            raise ValueError(f"EncodedFace.latents holds {len(self.latents)} faces, wanted 1")


@dataclass(frozen=True, eq=False)
class SwappedCrop:
    """A generated face, where it may be seen, and where it belongs."""

    track_id: int
    pixels: UInt8Array  # [R, R, 3]
    mask: FloatArray  # [S, S] float32 in [0, 1]
    frame_to_crop: FloatArray  # [2, 3], pixels of the frame -> pixels of the aligned crop (S)
    source_index: int = 0  # which of the sources it was given
    opacity: float = 1.0  # how much of it is seen, 0 to 1
    motion: FaceMotion | None = None  # of the target's face

    def __post_init__(self) -> None:
        check_pixels("SwappedCrop.pixels", self.pixels)
        check_shape("SwappedCrop.mask", self.mask, (None, len(self.mask)))
        check_shape("SwappedCrop.frame_to_crop", self.frame_to_crop, (2, 3))


S = TypeVar("S")


@dataclass(frozen=True, eq=False)
class FrameFaces(Generic[S]):
    """A frame and its faces, all in one state; no face is a normal frame."""

    frame: Frame
    faces: tuple[S, ...]
    shot_index: int = 0  # frames of one shot have the same; 0 until ``Track`` has looked
