"""Write frames into a file that keeps everything else of the clip they came from."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import av

from megafs_video.errors import CodecError, OutputError
from megafs_video.values import Frame
from megafs_video.video.clip import packet_duration
from megafs_video.video.codec import Quality
from megafs_video.video.compressor import Opening
from megafs_video.video.encoders import PLANNING_RATE, Encoding, choose_encoding
from megafs_video.video.extras import Extras
from megafs_video.video.grading import UNGRADED
from megafs_video.video.landing import Landing, Outlet, WholeFile, check_landing, output_error
from megafs_video.video.movie import MovieFile
from megafs_video.video.planes import bits_of, has_alpha, planar_format
from megafs_video.video.probe import VideoInfo, check_time_range, probe
from megafs_video.video.segments import SegmentedMovie
from megafs_video.video.sequence import Footage, file_of
from megafs_video.video.still import check_still, is_still

# Decoded with the colour of what is transparent being white, as browsers show it.
_LAID_ON_WHITE = frozenset({"gif"})

# What is written into a stream: the container that holds the most, and needs no way back.
STREAM = Path("stream.mkv")

# How formats call their subsampling, and people.
_SUBSAMPLINGS = {"420p": "4:2:0", "422p": "4:2:2", "444p": "4:4:4", "440p": "4:4:0"}


def check_output(
    output: Path | BinaryIO,
    *,
    like: Footage,
    codec: str = "auto",
    quality: Quality | None = None,
    preset: str | None = None,
    overwrite: bool = False,
) -> None:
    """Check all that can be known of an output before any work is done for it.

    OutputError: the output exists (unless ``overwrite``), is the input itself, or its folder is
    missing or not writable. CodecError: codec, quality or preset is unknown, or does not fit
    the container or the clip's size. InputNotFoundError, VideoError: ``like`` is no clip.
    """
    info = probe(like)
    if not isinstance(output, Path):
        _encoding_for(info, STREAM, codec, quality, preset)
        return
    _check_place(output, like, overwrite=overwrite)
    if is_still(output):
        check_still(output, info)
    else:
        _encoding_for(info, output, codec, quality, preset)


def _check_place(output: Path, like: Footage, *, overwrite: bool) -> None:
    if output.exists() and output.samefile(file_of(like)):
        raise OutputError(f"{output} is the input itself; choose another name")
    check_landing(output, overwrite=overwrite)


def _encoding_for(
    info: VideoInfo, output: Path, codec: str, quality: Quality | None, preset: str | None
) -> Encoding:
    """How a clip's pictures are written; CodecError as in ``check_output``."""
    like_format = planar_format(info.pixel_format)
    if like_format is None:  # RGB: colour is thinned out, unless every sample counts
        like_format = "yuv444p" if quality == "lossless" else "yuv420p"
    encoding = choose_encoding(output, codec, quality, preset, like_format)
    encoding.check_size(info.height, info.width)
    is_seen_through = has_alpha(info.pixel_format) and info.codec not in _LAID_ON_WHITE
    if is_seen_through and not has_alpha(encoding.pixel_format(info.height, info.width)):
        raise CodecError(
            f"{info.path} has transparent parts ({info.pixel_format}), which {encoding.codec.name} "
            "cannot keep; use prores in a .mov or ffv1 in an .mkv, or flatten the clip first"
        )
    return encoding


@dataclass(frozen=True)
class Written:
    """What of an output is there for good."""

    opening: Opening
    num_segments: int
    last_duration: int  # of the last frame, ticks


class VideoWriter(WholeFile):
    """Encodes frames into ``output`` and copies the rest of ``like`` beside them.

    Used in a ``with``: the file appears under its name when the block ends well, and nothing
    is left behind when it does not (Ctrl-C included). Frames keep their pts and time base, so
    a variable rate stays one; with ``start_seconds`` every stream is moved back by the time of
    the first frame written. Pictures are stored as the input stores them, with its rotation flag,
    colour tags and pixel format (the nearest that the encoder takes), and only what changed in a
    frame's pixels is drawn into the planes it was decoded to.

    ``start_seconds`` and ``end_seconds`` are those given to ``read_frames``: they say which
    part of the sound belongs to the frames. What could not be kept is told in ``notes``.

    A stream as ``output`` (a pipe to another program) gets Matroska as it comes, which holds the
    most; nothing can be taken back.

    With a ``work_folder``, which must be on the output's disk, what was written before a call of
    ``finish_segment`` outlives the process: another writer with the same arguments and what that
    call gave as ``written`` goes on there. The folder is the caller's to remove.

    Raises what ``check_output`` raises, before the first frame; later OutputError (the disk is
    full) or CodecError (the encoder or container refuses).
    """

    def __init__(
        self,
        output: Path | BinaryIO,
        *,
        like: Footage,
        codec: str = "auto",
        quality: Quality | None = None,
        preset: str | None = None,
        start_seconds: float | None = None,
        end_seconds: float | None = None,
        overwrite: bool = False,
        work_folder: Path | None = None,
        written: Written | None = None,
    ) -> None:
        check_time_range(start_seconds, end_seconds)
        self.notes: list[str] = []
        self._info = probe(like)
        if isinstance(output, Path):
            _check_place(output, like, overwrite=overwrite)
        name = output if isinstance(output, Path) else STREAM
        self._encoding = _encoding_for(self._info, name, codec, quality, preset)
        self._is_cut = start_seconds is not None
        self._end_seconds = end_seconds
        self._landing = (
            Landing(output, overwrite=overwrite, folder=work_folder)
            if isinstance(output, Path)
            else Outlet(output)
        )
        self._work_folder = work_folder
        self._opening = None if written is None else written.opening
        self._num_segments = 0 if written is None else written.num_segments
        self._file: MovieFile | SegmentedMovie | None = None
        self._extras = Extras()
        self._held: Frame | None = None  # its duration is known when the next one comes
        self._last_duration = 0 if written is None else written.last_duration  # ticks

    def write(self, frame: Frame) -> None:
        """Add a frame; each must come after the one before it and have its size."""
        with self._reporting():
            if self._file is None:
                self._opening = self._opening or Opening.of(frame, is_cut=self._is_cut)
                self._file = self._open(self._opening)
            self._extras.watch(frame)
            self._release(frame)
            self._held = frame

    def finish_segment(self, following: Frame) -> Written:
        """Make all that was written durable; ``following`` comes next. With ``work_folder`` only.

        The pictures up to here are encoded without a look at those from here on.
        """
        with self._reporting():
            assert isinstance(self._file, SegmentedMovie) and self._opening is not None
            self._release(following)
            self._held = None
            self._file.cut()
            return Written(self._opening, self._file.num_segments, self._last_duration)

    def _release(self, following: Frame) -> None:
        """Encode the frame that is held, now that it is known when the next one comes."""
        assert self._file is not None and self._opening is not None
        shape, first_shape = following.pixels.shape, (self._opening.height, self._opening.width, 3)
        if shape != first_shape:
            raise ValueError(f"frame is {shape}, but the first one {first_shape}")
        held = self._held
        if held is None:
            return
        if following.pts <= held.pts or following.time_base != held.time_base:
            raise ValueError(
                f"frame at pts {following.pts} ({following.time_base} s) does not come after "
                f"pts {held.pts} ({held.time_base} s)"
            )
        self._last_duration = following.pts - held.pts
        self._file.encode(held, self._last_duration)

    def _open(self, opening: Opening) -> MovieFile | SegmentedMovie:
        info, encoding, path = self._info, self._encoding, self._landing.place
        height, width = opening.height, opening.width
        encoding.check_size(height, width)
        self.notes += _losses(info, encoding, encoding.pixel_format(height, width))
        if self._work_folder is None or not isinstance(path, Path):
            return MovieFile(
                path, encoding, info, opening, end_seconds=self._end_seconds, notes=self.notes
            )
        return SegmentedMovie(
            path,
            encoding,
            info,
            opening,
            end_seconds=self._end_seconds,
            notes=self.notes,
            folder=self._work_folder,
            num_segments=self._num_segments,
        )

    def _finish(self) -> None:
        if self._held is None:
            raise OutputError(f"{self._landing.path} was not written: there was no frame for it")
        with self._reporting():
            assert self._file is not None and self._opening is not None
            self._file.encode(self._held, self._duration_of_last(self._held))
            self._file.finish()
            self.notes += self._extras.losses(self._landing.place, self._opening)
        self._landing.commit()

    def _duration_of_last(self, frame: Frame) -> int:
        """No frame follows: ask the input; else as long as the one before, or by the rate."""
        if frame.time_base == self._info.time_base:
            stated = packet_duration(self._info.path, frame.pts)
            if stated is not None:
                return stated
        rate = self._info.frame_rate or PLANNING_RATE
        return self._last_duration or max(1, round(1 / rate / frame.time_base))

    def _discard(self) -> None:
        if self._file is not None:
            self._file.abandon()
        self._landing.discard()

    @contextlib.contextmanager
    def _reporting(self) -> Iterator[None]:
        """Say what a failure of the system or of FFmpeg means to a user."""
        try:
            yield
        except OSError as error:
            raise output_error(self._landing.path, error) from error
        except av.FFmpegError as error:
            raise CodecError(
                f"{self._landing.path} could not be written as {self._encoding.codec.name} "
                f"({error.strerror}); try another --codec or suffix"
            ) from error


def _losses(info: VideoInfo, encoding: Encoding, pixel_format: str) -> list[str]:
    """What of the pictures an encoder cannot hold, one sentence each."""
    losses = []
    name, like = encoding.codec.name, planar_format(info.pixel_format)
    if like is None:
        losses.append(
            f"{info.pixel_format} pictures were converted to {pixel_format}: colours were rounded"
        )
        like = pixel_format
    stored = planar_format(pixel_format) or pixel_format
    if bits_of(pixel_format) < info.bits_per_component:
        losses.append(
            f"{info.bits_per_component}-bit pictures were written with {bits_of(pixel_format)} bits"
        )
    if pixel_format != encoding.codec.closest_format(encoding.like_format):
        losses.append(
            f"{info.width}x{info.height} is odd, so colour is stored whole (4:4:4), which some "
            "players do not show; vp9 and av1 store odd sizes in 4:2:0"
        )
    elif (was := _subsampling(like)) != (now := _subsampling(stored)):
        losses.append(f"colour in {was} was written as {now}, which {name} takes")
    if info.grading != UNGRADED and encoding.codec.grading_style is None:
        losses.append("the HDR metadata of the screen it was graded on was left out")
    return losses


def _subsampling(pixel_format: str) -> str:
    return next((said for end, said in _SUBSAMPLINGS.items() if end in pixel_format), pixel_format)
