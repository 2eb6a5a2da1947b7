"""The pictures of an output on their way into packets: one encoder, and what it needs to know."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import cast

from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import PictureType
from av.video.stream import VideoStream

from megafs_video.values import Frame
from megafs_video.video.colour import ColourTags, ToLayout, ToYuv
from megafs_video.video.encoders import PLANNING_RATE, Encoding, open_encoder
from megafs_video.video.orientation import IDENTITY, is_transposed, turn_back
from megafs_video.video.planes import DecodedPicture
from megafs_video.video.probe import VideoInfo


@dataclass(frozen=True)
class Opening:
    """How an output begins, known when its first frame comes."""

    pts: int  # of the first frame, as it was read
    time_base: Fraction  # seconds a tick
    height: int  # of the pictures, upright
    width: int
    is_cut: bool  # whether it shows the first frame at 0, whenever that was shown

    @staticmethod
    def of(first: Frame, *, is_cut: bool) -> Opening:
        """The opening with a first frame."""
        height, width = first.pixels.shape[:2]
        return Opening(first.pts, first.time_base, height, width, is_cut)

    @property
    def shift_pts(self) -> int:
        """What is taken off every pts."""
        return self.pts if self.is_cut else 0

    @property
    def start(self) -> Fraction:
        """When the first frame is shown, seconds of the output."""
        return (self.pts - self.shift_pts) * self.time_base


class Compressor:
    """The picture stream of ``container`` and its encoder; errors of FFmpeg come out as they are.

    Packets are handed out and not written: ``container`` may be one that is never begun.
    """

    def __init__(
        self, container: OutputContainer, encoding: Encoding, info: VideoInfo, opening: Opening
    ) -> None:
        self._shift_pts = opening.shift_pts
        self._time_base = opening.time_base
        self._durations: dict[int, int] = {}  # pts -> ticks, of frames inside the encoder
        self._matrix = info.display_matrix
        height, width = opening.height, opening.width
        if is_transposed(self._matrix):
            height, width = width, height
        pixel_format = encoding.pixel_format(height, width)
        tags = ColourTags(
            info.color_space, info.color_range, info.color_primaries, info.color_transfer
        ).for_yuv(height, width)
        self._to_yuv, self._to_layout = ToYuv(tags, pixel_format), ToLayout(pixel_format)
        self.aspect = info.sample_aspect_ratio or Fraction(1)
        if is_transposed(self._matrix):
            self.aspect = 1 / self.aspect  # of the picture as it is stored
        self.stream = cast(
            VideoStream,
            container.add_stream(
                encoding.codec.encoder,
                rate=info.frame_rate or PLANNING_RATE,
                options=encoding.options_with(info.grading),
            ),
        )
        context = self.stream.codec_context
        context.height, context.width = height, width
        context.pix_fmt = pixel_format
        # On the stream and on its encoder: without both a variable rate is lost.
        self.stream.time_base = context.time_base = self._time_base
        if self.aspect != 1:
            context.sample_aspect_ratio = self.aspect
        context.colorspace, context.color_range = tags.matrix, tags.range
        context.color_primaries, context.color_trc = tags.primaries, tags.transfer
        if encoding.codec.compression == "hevc" and encoding.format.muxer in ("mp4", "mov"):
            context.codec_tag = "hvc1"  # the only tag for HEVC that Apple's players take
        if self._matrix != IDENTITY:
            self.stream.set_display_matrix(self._matrix)
        # As the program ffmpeg does it: PyAV asks for slices alone, which wait for each frame.
        context.thread_type = "AUTO"
        open_encoder(context, encoding.codec)

    def encode(self, frame: Frame, duration: int) -> list[Packet[VideoStream]]:
        """Take one picture, shown for ``duration`` ticks; as it is stored, not as it is turned."""
        if isinstance(frame.decoded, DecodedPicture):
            native = self._to_layout(frame.decoded.showing(frame.pixels, frame.patch))
        else:
            native = self._to_yuv(turn_back(frame.shown, self._matrix))
        native.pts, native.time_base = frame.pts - self._shift_pts, self._time_base
        native.duration = duration
        native.pict_type = PictureType.NONE  # the encoder decides, whatever the input did
        self._durations[native.pts] = duration
        return self._timed(self.stream.encode(native))

    def finish(self) -> list[Packet[VideoStream]]:
        """What the encoder holds; it takes no more pictures."""
        return self._timed(self.stream.encode(None))

    def _timed(self, packets: list[Packet[VideoStream]]) -> list[Packet[VideoStream]]:
        for packet in packets:
            if packet.pts is not None:
                # Encoders that reorder frames forget how long each one lasts.
                packet.duration = self._durations.pop(packet.pts, packet.duration)
        return packets
