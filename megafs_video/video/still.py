"""A picture as the output: what a swap of a photograph is written to."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from megafs_video.errors import CodecError, OutputError
from megafs_video.values import Frame
from megafs_video.video.landing import check_landing
from megafs_video.video.picture import PICTURE_SUFFIXES, write_picture


def is_still(output: Path) -> bool:
    """Whether a name is that of a picture.

    >>> is_still(Path("anna.PNG")), is_still(Path("anna.mp4"))
    (True, False)
    """
    return output.suffix.lower() in PICTURE_SUFFIXES


class StillWriter:
    """Writes the one frame of a photograph; ``VideoWriter`` for an output that is a picture.

    Used in a ``with``: the file appears when the block ends well. OutputError as in
    ``write_picture``; CodecError: a second frame.
    """

    def __init__(self, output: Path, *, overwrite: bool = False) -> None:
        check_landing(output, overwrite=overwrite)
        self.notes: list[str] = []
        self._output = output
        self._overwrite = overwrite
        self._frame: Frame | None = None

    def __enter__(self) -> StillWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            return
        if self._frame is None:
            raise OutputError(f"{self._output} was not written: there was no frame for it")
        write_picture(self._output, self._frame.pixels, overwrite=self._overwrite)

    def write(self, frame: Frame) -> None:
        """Take the frame; there is only one."""
        if self._frame is not None:
            raise CodecError(
                f"{self._output} is a picture, but the target has more than one frame; "
                "name a video, such as .mp4, or swap one frame with: megafs-video preview"
            )
        self._frame = frame
