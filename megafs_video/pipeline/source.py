"""The source: the one face of a picture whose identity the swap takes."""

from __future__ import annotations

from megafs_video.errors import SeveralFacesError, SourceFaceError
from megafs_video.faces.contract import Detector, Landmarker
from megafs_video.faces.framing import moved, pad_by_half
from megafs_video.geometry.templates import mesh_square
from megafs_video.pipeline.align import cut_crop, oval
from megafs_video.pipeline.detect import find_faces
from megafs_video.values import AlignedCrop, Face, TrackedFace, UInt8Array


def align_source(
    pixels: UInt8Array,
    detector: Detector,
    landmarker: Landmarker,
    *,
    source_face: int | None,
    crop_size: int,
    name: str = "the source picture",
    may_choose: bool = True,
) -> AlignedCrop:
    """The FFHQ-aligned crop of the source's face, as track 0.

    ``name`` is what messages call the picture, and ``may_choose`` as for ``choose_source``.
    SourceFaceError when it has no face, or several and ``source_face`` (0 is the leftmost) chooses
    none of them.
    """
    face = choose_source(
        pixels,
        detector,
        landmarker,
        source_face=source_face,
        name=name,
        may_choose=may_choose,
    )
    square, oval_xy = mesh_square(face.landmarks_xy), oval(face.landmarks_xy)
    return cut_crop(pixels, TrackedFace(0, face), square, oval_xy, crop_size=crop_size)


def choose_source(
    pixels: UInt8Array,
    detector: Detector,
    landmarker: Landmarker,
    *,
    source_face: int | None,
    name: str = "the source picture",
    may_choose: bool = True,
) -> Face:
    """The source's face with its mesh, in pixels of the picture; errors as ``align_source``.

    ``may_choose``: whether the user can name a face at all, which decides the advice.
    """
    faces = find_faces(pixels, detector, landmarker)
    if not faces:
        padded, (left, top) = pad_by_half(pixels)
        found = find_faces(padded, detector, landmarker)
        faces = tuple(moved(face, -left, -top) for face in found)
    if not faces:
        raise SourceFaceError(
            f"no face found in {name}; use a picture where one face is seen from the front, "
            "sharp and well lit"
        )
    left_to_right = sorted(faces, key=lambda face: float(face.box_xyxy[0] + face.box_xyxy[2]))
    if source_face is None and len(faces) == 1:
        return left_to_right[0]
    if source_face is None or not 0 <= source_face < len(faces):
        problem = (
            f"{len(faces)} {'face' if len(faces) == 1 else 'faces'} found in {name}"
            if source_face is None
            else f"{name} has no face {source_face}, but {len(faces)}"
        )
        choices = "0" if len(faces) == 1 else f"0..{len(faces) - 1}, left to right"
        advice = f"choose one with --source-face {choices}" if may_choose else "crop it to one"
        raise SeveralFacesError(f"{problem}; {advice}")
    return left_to_right[source_face]
