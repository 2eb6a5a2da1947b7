"""Frames come in order, upright, on time, and through damage."""

from __future__ import annotations

import errno
import gc
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from megafs_video.errors import (
    InputNotFoundError,
    LostVideoError,
    ResumeError,
    TimeRangeError,
    VideoError,
)
from megafs_video.video.clip import Clip
from megafs_video.video.read import Place, ReadLog, read_frames
from tests.clips import (
    cut_off,
    damaged,
    make_clip,
    make_sound_only,
    number_of,
    numbered_picture,
    pts_of,
    variable_pts,
)

MILLISECOND = Fraction(1, 1000)


def test_every_frame_comes_once_in_order_with_its_own_time(constant_clip: Path) -> None:
    frames = list(read_frames(constant_clip))
    assert [number_of(frame.pixels) for frame in frames] == list(range(60))
    assert [frame.pts * frame.time_base for frame in frames] == pts_of(constant_clip)


def test_variable_times_are_kept_untouched(variable_clip: Path) -> None:
    times = [frame.pts * frame.time_base for frame in read_frames(variable_clip)]
    assert times == [pts * MILLISECOND for pts in variable_pts(60)]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".mov", ".avi", ".flv"])
def test_no_container_loses_or_repeats_a_frame(tmp_path: Path, suffix: str) -> None:
    frames = list(read_frames(make_clip(tmp_path / f"clip{suffix}", 40)))
    assert [number_of(frame.pixels) for frame in frames] == list(range(40))
    pts = [frame.pts for frame in frames]
    assert pts == sorted(set(pts))


def test_frames_without_a_time_follow_each_other_at_the_nominal_rate(tmp_path: Path) -> None:
    log = ReadLog()
    frames = list(read_frames(make_clip(tmp_path / "raw.h264", 20), log=log))
    assert [number_of(frame.pixels) for frame in frames] == list(range(20))
    assert [frame.pts * frame.time_base for frame in frames] == [Fraction(i, 25) for i in range(20)]
    assert log.num_repaired_times == 20


def test_a_raw_stream_can_be_cut_though_it_cannot_be_sought_in(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "raw.h264", 20)
    frames = read_frames(clip, start_seconds=0.2, end_seconds=0.4)
    assert [number_of(frame.pixels) for frame in frames] == [5, 6, 7, 8, 9]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
@pytest.mark.parametrize(("start", "end"), [(0.0, 0.4), (0.52, 1.0), (0.55, 0.7), (1.0, 9.0)])
def test_a_cut_holds_exactly_the_frames_from_start_up_to_end(
    tmp_path: Path, suffix: str, start: float, end: float
) -> None:
    clip = make_clip(tmp_path / f"clip{suffix}", 40)
    first_seconds = float(pts_of(clip)[0])  # a transport stream does not begin at zero
    cut = read_frames(clip, start_seconds=first_seconds + start, end_seconds=first_seconds + end)
    wanted = [i for i in range(40) if Fraction(str(start)) <= Fraction(i, 25) < Fraction(str(end))]
    assert [number_of(frame.pixels) for frame in cut] == wanted


def test_a_cut_of_a_variable_rate_clip_goes_by_time_not_by_count(variable_clip: Path) -> None:
    pts = variable_pts(60)
    cut = list(read_frames(variable_clip, start_seconds=1.0, end_seconds=2.0))
    assert [frame.pts * frame.time_base * 1000 for frame in cut] == [
        tick for tick in pts if 1000 <= tick < 2000
    ]
    assert [number_of(frame.pixels) for frame in cut] == [
        number for number, tick in enumerate(pts) if 1000 <= tick < 2000
    ]


def test_a_cut_may_begin_on_a_time_that_no_float_can_hold(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", 12, time_base=Fraction(1, 10))
    frames = list(
        read_frames(clip, start_seconds=0.1, end_seconds=0.1 + 0.2)
    )  # 0.30000000000000004
    assert [number_of(frame.pixels) for frame in frames] == [1, 2]


@pytest.mark.parametrize("open_group", ["0", "1"])
def test_a_cut_is_exact_inside_open_groups_of_pictures(tmp_path: Path, open_group: str) -> None:
    options = {"bf": "3", "x264-params": f"keyint=10:scenecut=0:open-gop={open_group}"}
    clip = make_clip(tmp_path / "open.mp4", 50, options=options)
    for first in range(0, 50, 3):
        frame = next(iter(read_frames(clip, start_seconds=first / 25)))
        assert number_of(frame.pixels) == first


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        (2.0, 2.0, "is empty"),
        (2.0, 1.0, "is empty"),
        (99.0, None, r"the clip ends at 2.400 s"),
        (99.0, 100.0, r"the clip ends at 2.400 s"),
        (-3.0, -1.0, "choose a longer range within the clip"),
        (0.041, 0.079, "choose a longer range within the clip"),
        (float("nan"), None, "nan is not a time"),
        (None, float("inf"), "inf is not a time"),
    ],
)
def test_a_range_without_a_frame_is_refused(
    constant_clip: Path, start: float | None, end: float | None, message: str
) -> None:
    with pytest.raises(TimeRangeError, match=message):
        list(read_frames(constant_clip, start_seconds=start, end_seconds=end))


def test_a_clip_of_one_frame_is_a_clip(tmp_path: Path) -> None:
    frames = list(read_frames(make_clip(tmp_path / "one.mp4", 1)))
    assert [number_of(frame.pixels) for frame in frames] == [0]


@pytest.mark.parametrize("is_flipped", [False, True])
@pytest.mark.parametrize("degrees", [0, 90, 180, -90])
def test_pictures_come_upright(tmp_path: Path, degrees: int, is_flipped: bool) -> None:
    picture = numbered_picture(77)
    clip = make_clip(
        tmp_path / "phone.mp4",
        pictures=[picture] * 3,
        options={"crf": "5"},
        rotation_degrees=degrees,
        is_flipped=is_flipped,
    )
    # FFmpeg's matrix: turn (counterclockwise, as the helper counts), then mirror left to right.
    wanted = np.rot90(picture, degrees // 90)
    wanted = wanted[:, ::-1] if is_flipped else wanted
    shown = next(iter(read_frames(clip))).pixels
    assert shown.shape == wanted.shape
    # Turned the wrong way, the bright blocks alone cost 20 levels; the codec costs about 1.
    assert np.abs(shown.astype(int) - wanted).mean() < 3


def test_ten_bit_pictures_come_as_eight_bit_rgb(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "deep.mkv", 5, pixel_format="yuv420p10le")
    frames = list(read_frames(clip))
    assert [number_of(frame.pixels) for frame in frames] == list(range(5))
    assert frames[0].pixels.dtype == np.uint8


def test_a_damaged_packet_is_skipped_and_counted(tmp_path: Path) -> None:
    whole = make_clip(tmp_path / "whole.mp4", 40, encoder="mpeg4", options={"g": "10"})
    log = ReadLog()
    frames = list(read_frames(damaged(whole, tmp_path / "damaged.mp4", [15, 16]), log=log))
    assert log.num_damaged_packets + log.num_concealed_frames >= 1
    numbers = [number_of(frame.pixels) for frame in frames]
    # From the next key frame on, everything is whole again.
    assert numbers[:15] == list(range(15))
    assert numbers[-20:] == list(range(20, 40))


def test_damaged_h264_does_not_end_the_clip(tmp_path: Path) -> None:
    whole = make_clip(tmp_path / "whole.mp4", 40)
    log = ReadLog()
    frames = list(read_frames(damaged(whole, tmp_path / "damaged.mp4", [12, 13]), log=log))
    assert log.num_damaged_packets + log.num_concealed_frames >= 1
    assert number_of(frames[-1].pixels) == 39
    assert log.num_frames == len(frames)


def test_what_a_cut_off_clip_lacks_is_counted(tmp_path: Path) -> None:
    whole = make_clip(tmp_path / "whole.mp4", 60, container_options={"movflags": "faststart"})
    log = ReadLog()
    frames = list(read_frames(cut_off(whole, tmp_path / "cut.mp4", share=0.6), log=log))
    assert 0 < len(frames) < 60
    assert log.num_damaged_packets >= 60 - len(frames) - 3  # up to three wait for a lost reference
    assert [number_of(frame.pixels) for frame in frames[:10]] == list(range(10))


def test_a_cut_off_transport_stream_gives_what_is_left(tmp_path: Path) -> None:
    whole = make_clip(tmp_path / "whole.ts", 60)
    frames = list(read_frames(cut_off(whole, tmp_path / "cut.ts")))
    assert 0 < len(frames) < 60
    assert [number_of(frame.pixels) for frame in frames[:10]] == list(range(10))


def test_a_clip_without_one_whole_frame_is_refused(tmp_path: Path) -> None:
    whole = make_clip(tmp_path / "whole.mp4", 5, container_options={"movflags": "faststart"})
    lost = damaged(whole, tmp_path / "lost.mp4", range(5))
    with pytest.raises(VideoError, match="no frame of it can be decoded"):
        list(read_frames(lost))


def test_a_clip_cut_off_before_its_index_is_no_video(tmp_path: Path) -> None:
    whole = make_clip(tmp_path / "whole.mp4", 20)
    with pytest.raises(VideoError, match="cut off before its index"):
        list(read_frames(cut_off(whole, tmp_path / "cut.mp4")))


def test_what_is_no_video_is_named(tmp_path: Path) -> None:
    (tmp_path / "random.mp4").write_bytes(np.random.default_rng(0).bytes(5000))
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "folder.mp4").mkdir()
    make_sound_only(tmp_path / "sound.mp4")
    for name, message in [
        ("random.mp4", "is not a video"),
        ("empty.mp4", "is not a video"),
        ("folder.mp4", "is not a video but a folder"),
        ("sound.mp4", "has no video stream"),
    ]:
        with pytest.raises(VideoError, match=f"{name} {message}"):
            next(read_frames(tmp_path / name))
    with pytest.raises(InputNotFoundError, match=r"none\.mp4 does not exist"):
        next(read_frames(tmp_path / "none.mp4"))


@pytest.mark.parametrize("degrees", [None, 90])
def test_frames_that_were_read_do_not_pile_up(tmp_path: Path, degrees: int | None) -> None:
    clip = make_clip(tmp_path / "clip.mp4", 80, rotation_degrees=degrees)
    gc.collect()
    gc.disable()  # whatever waits for the collector holds a whole picture
    num_before = num_native_frames()
    try:
        for _ in read_frames(clip):
            # At the end the decoder hands out at once what its threads and reordering held.
            assert num_native_frames() - num_before <= 20
    finally:
        gc.enable()


def num_native_frames() -> int:
    """Decoded frames that are alive."""
    # type(): isinstance() asks lazy objects of other libraries, which answer with warnings.
    return sum(type(found) is av.VideoFrame for found in gc.get_objects())


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files through /proc")
def test_closing_early_closes_the_file(constant_clip: Path) -> None:
    def is_open() -> bool:
        gc.collect()
        links = [entry for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()]
        return any(os.path.realpath(link) == str(constant_clip.resolve()) for link in links)

    frames = read_frames(constant_clip, start_seconds=1.0)
    next(frames)
    assert is_open()
    frames.close()
    assert not is_open()


def test_a_cut_up_to_the_end_of_an_avi_has_its_last_frames(tmp_path: Path) -> None:
    """Those that the decoder gives up last come without a time."""
    path = make_clip(tmp_path / "clip.avi", 24)
    assert [number_of(f.pixels) for f in read_frames(path, start_seconds=0.6)][-1] == 23


def check_is_read_on(path: Path, **span: float) -> None:
    """From wherever a read stops, another goes on with the same pictures and the same log."""
    log = ReadLog()
    places = [
        (frame, Place.of(frame, index, log))
        for index, frame in enumerate(read_frames(path, log=log, **span))  # type: ignore[arg-type]
    ]
    for index in (0, 1, len(places) // 2, len(places) - 1):
        place, log_on = places[index][1], ReadLog()
        found = read_frames(path, place=place, log=log_on, **span)  # type: ignore[arg-type]
        for (frame, _), again in zip(places[index:], found, strict=True):
            assert again.pts == frame.pts
            np.testing.assert_array_equal(again.pixels, frame.pixels)
        assert log_on == log


def test_reading_goes_on_from_any_place(constant_clip: Path, variable_clip: Path) -> None:
    check_is_read_on(constant_clip)
    check_is_read_on(variable_clip, start_seconds=0.7, end_seconds=1.9)


@pytest.mark.parametrize("suffix", [".mkv", ".avi", ".h264", ".gif"])
def test_reading_goes_on_in_every_container(tmp_path: Path, suffix: str) -> None:
    encoder, pixel_format = ("gif", "rgb8") if suffix == ".gif" else ("libx264", "yuv420p")
    path = tmp_path / f"clip{suffix}"
    check_is_read_on(make_clip(path, 24, encoder=encoder, pixel_format=pixel_format))


def test_reading_goes_on_where_a_seek_shows_something_else(tmp_path: Path) -> None:
    """Open groups begin with frames that lean on what came before; damage spreads."""
    options = {"g": "10", "bf": "2", "x264-params": "open-gop=1"}
    check_is_read_on(make_clip(tmp_path / "open.mp4", options=options))
    whole = make_clip(tmp_path / "whole.mp4")
    check_is_read_on(damaged(whole, tmp_path / "damaged.mp4", [4, 13, 14, 22]))


def test_a_clip_that_became_another_is_refused(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.mp4", 12)
    log = ReadLog()
    places = [Place.of(frame, index, log) for index, frame in enumerate(read_frames(path, log=log))]
    make_clip(path, pictures=[numbered_picture(200 - number) for number in range(12)])
    with pytest.raises(ResumeError, match=r"another picture at 0\.240 s than when the run began"):
        next(read_frames(path, place=places[6]))
    make_clip(path, 3)
    with pytest.raises(ResumeError, match="another picture"):
        next(read_frames(path, place=places[6]))


def test_a_disk_that_fails_is_no_end_of_the_clip(
    constant_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(constant_clip.read_bytes())

    class Unplugged:
        """A container whose disk is pulled out after twenty packets."""

        def __init__(self, container: Any) -> None:
            self._container = container

        def __getattr__(self, name: str) -> Any:
            return getattr(self._container, name)

        def demux(self, stream: Any) -> Iterator[Any]:
            if path.exists():
                for packet, _ in zip(self._container.demux(stream), range(20), strict=False):
                    yield packet
                path.unlink()
            raise av.error.OSError(errno.EIO, os.strerror(errno.EIO))

    opened = Clip._open

    def open_unplugged(clip: Clip) -> None:
        opened(clip)
        clip.container = Unplugged(clip.container)  # type: ignore[assignment]

    monkeypatch.setattr(Clip, "_open", open_unplugged)
    frames = read_frames(path)
    with pytest.raises(LostVideoError, match=r"could not be read beyond 0\.\d+ s") as caught:
        for number, _ in enumerate(frames):
            assert number < 20
    assert "disk" in str(caught.value)
