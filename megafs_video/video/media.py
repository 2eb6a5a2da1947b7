"""Opening media files, which may come from anywhere: only as files, and only whole ones."""

from __future__ import annotations

from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from megafs_video.errors import (
    DamagedVideoError,
    InputNotFoundError,
    NoVideoStreamError,
    VideoError,
)
from megafs_video.video.sequence import Footage, PictureSequence

# A few bytes can claim pictures of terabytes; 16K is 15360x8640.
MAX_FRAME_PIXELS = 15_360 * 8_640

# Files that hold pictures themselves. Lists of other files or addresses (HLS, DASH, concat, SDP)
# are not among them: a file that was downloaded must not open others.
PHOTO_FORMATS = ("png_pipe", "jpeg_pipe", "webp_pipe", "bmp_pipe", "tiff_pipe")
_FORMATS = (
    *("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi", "flv", "mpegts", "mpeg", "mpegvideo"),
    *("ogg", "asf", "mxf", "nut", "rm", "dv", "ivf", "obu", "av1", "h264", "hevc", "vvc", "m4v"),
    *("gif", "apng", "webp_anim", "yuv4mpegpipe", "jpegxl_anim", "wav", "mp3", "aac", "flac"),
    *PHOTO_FORMATS,
)
_OPEN_OPTIONS = {
    "protocol_whitelist": "file",
    "format_whitelist": ",".join(_FORMATS),
    "max_pixels": str(MAX_FRAME_PIXELS),
}


def open_container(path: Footage) -> InputContainer:
    """Open a media file, or a sequence of pictures, for reading.

    InputNotFoundError: no such file, or it may not be read. VideoError: not a video;
    DamagedVideoError: one that is cut off or damaged.
    """
    if isinstance(path, PictureSequence):
        return _open_sequence(path)
    if path.is_dir():
        raise VideoError(f"{path} is not a video but a folder; name a file in it")
    if path.exists() and not path.is_file():
        raise VideoError(f"{path} is not an ordinary file; save the video to a file first")
    try:
        # As a file, whatever the name looks like ("concat:…", "http:…").
        return av.open(f"file:{path}", "r", metadata_errors="replace", options=_OPEN_OPTIONS)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputNotFoundError(f"{path} does not exist; check the name") from error
    except PermissionError as error:
        raise InputNotFoundError(f"{path} may not be read; check its permissions") from error
    except av.FFmpegError as error:
        if _begins_like_a_video(path):
            raise DamagedVideoError(
                f"{path} is a video, but cut off before its index or damaged "
                f"({error.strerror}); copy or export it again"
            ) from error
        raise VideoError(f"{path} is not a video ({error.strerror}); name a clip") from error


def _open_sequence(sequence: PictureSequence) -> InputContainer:
    options = {"framerate": str(sequence.rate), "start_number": str(sequence.first_number)}
    try:
        return av.open(
            f"file:{sequence.ffmpeg_pattern}",
            "r",
            format="image2",
            metadata_errors="replace",
            options={**options, **_OPEN_OPTIONS, "format_whitelist": "image2"},
        )
    except PermissionError as error:
        raise InputNotFoundError(f"{sequence} may not be read; check its permissions") from error
    except av.FFmpegError as error:
        raise VideoError(
            f"{sequence} are not pictures that can be read ({error.strerror}); save them anew"
        ) from error


def _begins_like_a_video(path: Path) -> bool:
    """Whether the first bytes are those of MP4 and MOV, Matroska, AVI, FLV, MPEG-TS or Ogg."""
    with path.open("rb") as file:
        head = file.read(12)
    starts = (b"\x1a\x45\xdf\xa3", b"FLV", b"\x47\x40", b"OggS")
    is_avi = head[:4] == b"RIFF" and head[8:] == b"AVI "
    is_mp4 = head[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"wide")
    return is_mp4 or is_avi or head.startswith(starts)


def picture_stream(container: InputContainer, path: Footage) -> VideoStream:
    """The stream to work on: the first default video stream, else the first; never cover art."""
    streams = [
        stream
        for stream in container.streams.video
        if not stream.disposition & Disposition.attached_pic
    ]
    if not streams:
        raise NoVideoStreamError(f"{path} has no video stream; name a clip with pictures in it")
    by_default = [stream for stream in streams if stream.disposition & Disposition.default]
    stream = (by_default or streams)[0]
    if stream.codec_context is None:
        raise VideoError(f"{path} uses a video codec that is not known here; convert it to H.264")
    return stream
