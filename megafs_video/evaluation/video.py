"""A swapped clip beside the clip it was made from, frame by frame: whose face, and how steady."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from megafs_video.errors import SourceFaceError, TargetFaceError, VideoError
from megafs_video.evaluation.clips import first_seen, photo_identities
from megafs_video.evaluation.identity import Recogniser, mean_pair_cosine
from megafs_video.evaluation.portrait import Looker
from megafs_video.evaluation.pose import turns_degrees
from megafs_video.evaluation.stability import (
    accelerations,
    adjacent_cosines,
    expression_errors,
    flickers,
)
from megafs_video.evaluation.warping import warp_errors
from megafs_video.faces.contract import Detector, Landmarker
from megafs_video.faces.framing import shrink
from megafs_video.faces.libraries import opencv
from megafs_video.faces.mesh import Look
from megafs_video.geometry import boxes
from megafs_video.geometry.templates import (
    FACE_OVAL,
    LEFT_EYE,
    MOUTH_CORNERS,
    RIGHT_EYE,
    mesh_square,
)
from megafs_video.values import Face, FloatArray, Frame, UInt8Array
from megafs_video.video.read import read_frames

Encode = Callable[[UInt8Array, Face], FloatArray]
"""The codes [L, D] of a face in a frame."""


class PosedLandmarker(Landmarker, Looker, Protocol):
    """Finds the mesh of a face and how the head is held: ``faces.mesh.Mesh``."""


# Eyelids, and corners, middle and inner edge of the lips: what an expression moves.
_FEATURES = (*LEFT_EYE, *RIGHT_EYE, *MOUTH_CORNERS, 0, 13, 14, 17, 78, 81, 178, 308, 311, 402)
# A face that overlaps with the one before by less belongs to another shot or person.
_MIN_IOU = 0.2
# Flow is estimated on a picture of the face with no longer side than this, pixels.
_FLOW_PIXELS = 256


@dataclass(frozen=True, eq=False)
class Figure:
    """One measure of both clips; the input's own value is what the swapped one is read against."""

    name: str
    unit: str
    target: float  # mean over the frames in which it could be measured, NaN if there are none
    swapped: float
    target_series: FloatArray | None = None  # [T], NaN where not measured; None: of the whole clip
    swapped_series: FloatArray | None = None

    @property
    def ratio(self) -> float:
        """The swapped clip's value in parts of the input's own; NaN where that is 0."""
        return self.swapped / self.target if self.target else float("nan")


@dataclass(frozen=True, eq=False)
class VideoMeasurement:
    """Every figure, and the frames that they come from."""

    seconds: FloatArray  # [T], when each frame of the target is shown
    num_target_unfound: int  # frames of the target without a face
    num_swapped_unfound: int  # frames with one there, but not in the copy
    figures: tuple[Figure, ...]


@dataclass(frozen=True, eq=False)
class _Seen:
    """One clip's frame and the face in it."""

    pixels: UInt8Array  # [H, W, 3]
    look: Look

    @property
    def face(self) -> Face:
        """With its mesh."""
        return self.look.face


@dataclass(frozen=True, eq=False)
class _Row:
    """What is kept of one clip's frame, about 6 KB."""

    identity: FloatArray  # [D]
    mesh_xy: FloatArray  # [478, 2]
    head_to_camera: FloatArray  # [3, 3], a rotation
    colour: FloatArray  # [3], mean inside the target's face, levels
    codes: FloatArray  # [L, D], or [0, 0] if they are not measured
    warp_error: float  # from the frame before


def measure_video(
    source: Path,
    target: Path,
    swapped: Path,
    detector: Detector,
    landmarker: PosedLandmarker,
    recogniser: Recogniser,
    *,
    encode: Encode | None = None,
    start_seconds: float | None = None,
    end_seconds: float | None = None,
    progress: Callable[[int], None] = lambda num_frames: None,
) -> VideoMeasurement:
    """Measure the largest face of ``target``, and the face at its place in ``swapped``.

    Both clips are read once, side by side; a face that is lost is looked for anew. ``encode``
    adds the acceleration of the codes. InputNotFoundError, PictureError, VideoError,
    TimeRangeError: a file cannot be read, or has nothing there. SourceFaceError,
    TargetFaceError: no face in the source, or in any frame.
    """
    [sources] = photo_identities([source], detector, landmarker, [recogniser]).values()
    if len(sources) == 0:
        raise SourceFaceError(f"no face found in {source}; use the photograph of the swap")
    seconds: list[float] = []
    rows: list[tuple[_Row, _Row] | None] = []
    last: tuple[_Seen, _Seen] | None = None
    num_target_unfound = num_swapped_unfound = 0
    for before, after in _side_by_side(target, swapped, start_seconds, end_seconds):
        near = None if last is None else last[0].face
        look = first_seen(before.pixels, detector, landmarker.look, near=near)
        copy = look and first_seen(after.pixels, detector, landmarker.look, near=look.face)
        num_target_unfound += look is None
        num_swapped_unfound += look is not None and copy is None
        now = (_Seen(before.pixels, look), _Seen(after.pixels, copy)) if look and copy else None
        if now and last and _is_same(last[0].face, now[0].face):
            rows.append(_measure(last, now, recogniser, encode))
        else:
            rows.append(None)  # also for the first frame of a shot, which follows on nothing
        seconds.append(before.seconds)
        last = now
        progress(len(seconds))
    if sum(map(bool, rows)) < 2:
        raise TargetFaceError(
            f"no three frames in a row show a face both in {target} and in {swapped}; "
            "is that the copy of this clip?"
        )
    return VideoMeasurement(
        np.array(seconds),
        num_target_unfound,
        num_swapped_unfound,
        tuple(_figures(np.array(seconds), rows, sources[0], has_codes=encode is not None)),
    )


def _side_by_side(
    target: Path, swapped: Path, start_seconds: float | None, end_seconds: float | None
) -> Iterator[tuple[Frame, Frame]]:
    """Frames of both clips in order, as long as both have one."""
    with ExitStack() as open_clips:
        before, after = (
            open_clips.enter_context(
                closing(read_frames(path, start_seconds=start_seconds, end_seconds=end_seconds))
            )
            for path in (target, swapped)
        )
        for first, second in zip(before, after, strict=False):
            if first.pixels.shape != second.pixels.shape:
                sizes = ["x".join(map(str, f.pixels.shape[1::-1])) for f in (first, second)]
                raise VideoError(
                    f"{target} is {sizes[0]} and {swapped} {sizes[1]} pixels; compare a clip with "
                    "the copy that was made from it"
                )
            yield first, second


def _is_same(before: Face, after: Face) -> bool:
    """Whether a face may be the one of the frame before; not after a cut."""
    return float(boxes.iou(before.box_xyxy[None], after.box_xyxy[None])[0, 0]) >= _MIN_IOU


def _measure(
    last: tuple[_Seen, _Seen],
    now: tuple[_Seen, _Seen],
    recogniser: Recogniser,
    encode: Encode | None,
) -> tuple[_Row, _Row]:
    """Rows of the target and of the copy."""
    oval_xy = now[0].face.landmarks_xy[list(FACE_OVAL)]
    inside = _around(oval_xy, *now[0].pixels.shape[:2])
    mask = _hull(oval_xy, now[0].pixels.shape[:2])[inside]  # bool [h, w]
    colours = [seen.pixels[inside][mask].mean(axis=0) for seen in now]
    errors = warp_errors(
        [_shrunk(seen.pixels[inside]) for seen in last],
        [_shrunk(seen.pixels[inside]) for seen in now],
        _shrunk(mask.astype(np.uint8)).astype(bool),
    )
    target, copy = (
        _Row(
            recogniser.embed(seen.pixels, seen.face),
            seen.face.landmarks_xy,
            seen.look.head_to_camera,
            colour,
            encode(seen.pixels, seen.face) if encode else np.zeros((0, 0)),
            error,
        )
        for seen, colour, error in zip(now, colours, errors, strict=True)
    )
    return target, copy


def _around(points_xy: FloatArray, height: int, width: int) -> tuple[slice, slice]:
    """Rows and columns of a picture that hold all points, with a margin for what moves."""
    box = boxes.clip(boxes.expand(boxes.around(points_xy), 1.2), height, width)
    left, top, right, bottom = np.round(box).astype(int).tolist()
    return slice(top, max(bottom, top + 1)), slice(left, max(right, left + 1))


def _hull(points_xy: FloatArray, size: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Which pixels [H, W] lie between the points."""
    cv2 = opencv()
    mask = np.zeros(size[:2], np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.round(points_xy).astype(np.int32)), 1)
    return mask.astype(bool)


def _shrunk(pixels: UInt8Array) -> UInt8Array:
    """The picture averaged down until flow is quick."""
    return shrink(pixels, _FLOW_PIXELS)[0]


def _figures(
    seconds: FloatArray,
    rows: Sequence[tuple[_Row, _Row] | None],
    source: FloatArray,
    *,
    has_codes: bool,
) -> Iterator[Figure]:
    """Every figure from rows [T] and the source's identity [D]."""
    identities = _both(rows, lambda row: row.identity)  # [T, D]
    meshes_xy = _both(rows, lambda row: row.mesh_xy)  # [T, 478, 2]
    sides = [mesh_square(pair[0].mesh_xy).side for pair in rows if pair]
    side = float(np.median(sides))
    yield _figure("TL identity", "cosine", *map(adjacent_cosines, identities))
    target, swapped = (mean_pair_cosine(each[np.isfinite(each[:, 0])]) for each in identities)
    yield Figure("TG identity", "cosine", target, swapped)
    yield _figure("identity to source", "cosine", *(each @ source for each in identities))
    errors = _both(rows, lambda row: np.array([row.warp_error]))
    yield _figure("warping error", "squared level", *(each[:, 0] for each in errors))
    moved = [accelerations(each / side, seconds) for each in meshes_xy]
    yield _figure("landmark acceleration", "side / s²", *moved)
    colours = _both(rows, lambda row: row.colour)  # [T, 3]
    yield _figure("colour flicker", "level of 255", *(flickers(each, seconds) for each in colours))
    features_xy = [each[:, list(_FEATURES)] for each in meshes_xy]
    expressions = [expression_errors(features_xy[0], each) for each in features_xy]
    yield _figure("expression error", "part of their spread", *expressions)
    heads = _both(rows, lambda row: row.head_to_camera)  # [T, 3, 3]
    yield _figure("pose error", "degree", *(turns_degrees(heads[0], each) for each in heads))
    if has_codes:
        codes = _both(rows, lambda row: row.codes)  # [T, L, D]
        changes = [accelerations(each, seconds) for each in codes]
        yield _figure("latent acceleration", "code / s²", *changes)


def _both(
    rows: Sequence[tuple[_Row, _Row] | None], value_of: Callable[[_Row], FloatArray]
) -> list[FloatArray]:
    """One value of target and copy in every frame, two arrays [T, ...]; NaN without a row."""
    shape = next(value_of(pair[0]).shape for pair in rows if pair)
    missing = np.full(shape, np.nan)
    return [
        np.stack([value_of(pair[which]) if pair else missing for pair in rows]) for which in (0, 1)
    ]


def _figure(name: str, unit: str, target: FloatArray, swapped: FloatArray) -> Figure:
    return Figure(name, unit, _mean(target), _mean(swapped), target, swapped)


def _mean(series: FloatArray) -> float:
    """Mean of what was measured; NaN of nothing."""
    measured = series[np.isfinite(series)]
    return float(measured.mean()) if len(measured) else float("nan")
