"""A picture as the output: what a swap of a photograph is written to."""

from __future__ import annotations

from pathlib import Path

from megafs_video.errors import CodecError, OutputError
from megafs_video.values import Frame
from megafs_video.video.landing import WholeFile, check_landing
from megafs_video.video.picture import OPAQUE_SUFFIXES, PICTURE_SUFFIXES, write_picture
from megafs_video.video.planes import has_alpha, shown_pixels
from megafs_video.video.probe import VideoInfo, probe
from megafs_video.video.sequence import Footage, file_of
from megafs_video.video.souvenirs import souvenirs_of


def is_still(output: Path) -> bool:
    """Whether a name is that of a picture.

    >>> is_still(Path("anna.PNG")), is_still(Path("anna.mp4"))
    (True, False)
    """
    return output.suffix.lower() in PICTURE_SUFFIXES


def check_still(output: Path, info: VideoInfo) -> None:
    """Raise CodecError if a picture cannot hold a clip: it has more frames, or shines through."""
    if info.num_frames not in (None, 1):
        raise CodecError(
            f"{output} is a picture, but {info.path} has {info.num_frames} frames; name a video, "
            "such as .mp4, or swap one frame with: megafs-video preview"
        )
    if has_alpha(info.pixel_format) and output.suffix.lower() in OPAQUE_SUFFIXES:
        raise CodecError(
            f"{info.path} has transparent parts ({info.pixel_format}), which {output.suffix} "
            "cannot keep; use .png or .webp"
        )


class StillWriter(WholeFile):
    """Writes the one frame of a photograph; ``VideoWriter`` for an output that is a picture.

    Used in a ``with``: the file appears when the block ends well. It keeps the colour profile,
    the camera's data (less its preview, which shows the old face) and the transparency of
    ``like``; what it cannot keep is told in ``notes``. OutputError as in ``write_picture``;
    CodecError: as in ``check_still``, or a second frame.
    """

    def __init__(self, output: Path, *, like: Footage, overwrite: bool = False) -> None:
        check_landing(output, overwrite=overwrite)
        info = probe(like)
        check_still(output, info)
        self._souvenirs = souvenirs_of(file_of(like))
        self.notes = list(self._souvenirs.losses)
        if info.bits_per_component > 8:
            self.notes.append(f"{info.bits_per_component}-bit pictures were written with 8 bits")
        self._output = output
        self._overwrite = overwrite
        self._frame: Frame | None = None

    def write(self, frame: Frame) -> None:
        """Take the frame; there is only one."""
        if self._frame is not None:
            raise CodecError(
                f"{self._output} is a picture, but the target has more than one frame; "
                "name a video, such as .mp4, or swap one frame with: megafs-video preview"
            )
        self._frame = frame

    def _finish(self) -> None:
        if self._frame is None:
            raise OutputError(f"{self._output} was not written: there was no frame for it")
        pixels = shown_pixels(self._frame)
        write_picture(self._output, pixels, self._overwrite, souvenirs=self._souvenirs)

    def _discard(self) -> None:
        """Nothing is written before the end."""
