"""The frame on screen at any time, whatever the container."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from megafs_video.errors import InputNotFoundError, TimeRangeError
from megafs_video.video import clip as clip_module
from megafs_video.video.read import read_frames
from megafs_video.video.sample import frames_at
from tests.clips import make_clip, number_of, pts_of, variable_pts


def on_screen(times: list[Fraction], seconds: float) -> int:
    """Index of the last time that is not after ``seconds``, the slow way."""
    return max(
        index for index, time in enumerate(times) if time <= Fraction(seconds) + Fraction(1, 10**6)
    )


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".mov", ".h264"])
def test_random_times_give_the_frame_on_screen(tmp_path: Path, suffix: str) -> None:
    clip = make_clip(tmp_path / f"clip{suffix}", 80)
    times = [frame.pts * frame.time_base for frame in read_frames(clip)]
    wanted = np.random.default_rng(3).uniform(float(times[0]), float(times[-1]), 30).tolist()
    found = [number_of(frame.pixels) for frame in frames_at(clip, wanted)]
    assert found == [on_screen(times, seconds) for seconds in wanted]


def test_random_times_of_a_variable_rate_clip_give_the_frame_on_screen(variable_clip: Path) -> None:
    times = pts_of(variable_clip)
    wanted = np.random.default_rng(4).uniform(0, float(times[-1]), 40).tolist()
    found = [number_of(frame.pixels) for frame in frames_at(variable_clip, wanted)]
    assert found == [on_screen(times, seconds) for seconds in wanted]


@pytest.mark.parametrize(
    ("encoder", "suffix", "options"),
    [
        ("libx264", ".mp4", {"bf": "3", "x264-params": "keyint=10:scenecut=0:open-gop=1"}),
        ("libx264", ".ts", {"bf": "3", "x264-params": "keyint=10:scenecut=0:open-gop=1"}),
        ("libx265", ".mp4", {"x265-params": "keyint=10:open-gop=1:log-level=error"}),
        ("libvpx-vp9", ".webm", {"g": "10", "deadline": "realtime"}),
        ("mpeg4", ".mkv", {"g": "10", "bf": "2"}),
    ],
)
def test_each_frame_is_found_at_its_own_time(
    tmp_path: Path, encoder: str, suffix: str, options: dict[str, str]
) -> None:
    clip = make_clip(tmp_path / f"clip{suffix}", 30, encoder=encoder, options=options)
    times = [float(time) for time in pts_of(clip)]
    order = np.random.default_rng(5).permutation(30).tolist()
    found = [number_of(frame.pixels) for frame in frames_at(clip, [times[i] for i in order])]
    assert found == order


def test_a_time_just_before_a_frame_shows_the_one_before(constant_clip: Path) -> None:
    found = [number_of(f.pixels) for f in frames_at(constant_clip, [0.999, 1.0, 0.9999995])]
    assert found == [24, 25, 25]  # the last one is within a microsecond


def test_the_sampled_frame_is_the_one_that_reading_gives(variable_clip: Path) -> None:
    read = list(read_frames(variable_clip))[37]
    sampled = next(frames_at(variable_clip, [read.seconds]))
    assert sampled.pts == read.pts
    assert np.array_equal(sampled.pixels, read.pixels)


def test_only_what_is_needed_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = make_clip(tmp_path / "long.mp4", 200)  # a key frame every 10
    num_decoded = 0
    count_in = clip_module.Clip._timed

    def counting(self, natives):  # type: ignore[no-untyped-def]
        nonlocal num_decoded
        for timed in count_in(self, natives):
            num_decoded += 1
            yield timed

    monkeypatch.setattr(clip_module.Clip, "_timed", counting)
    frame = next(frames_at(clip, [7.0]))
    assert number_of(frame.pixels) == 175
    assert num_decoded <= 12


def test_no_times_give_no_frames(constant_clip: Path) -> None:
    assert list(frames_at(constant_clip, [])) == []


@pytest.mark.parametrize(
    ("seconds", "message"),
    [
        (-0.5, r"lies before .*, which starts at 0.000 s"),
        (2.4, r"lies after .*, which ends at 2.400 s"),
        (1e9, r"lies after .*, which ends at 2.400 s"),
        (float("nan"), "is not a time"),
    ],
)
def test_a_time_outside_the_clip_is_refused(
    constant_clip: Path, seconds: float, message: str
) -> None:
    with pytest.raises(TimeRangeError, match=message):
        list(frames_at(constant_clip, [seconds]))


def test_the_last_frame_stays_on_screen_until_the_end(constant_clip: Path) -> None:
    assert number_of(next(frames_at(constant_clip, [2.399])).pixels) == 59


def test_a_first_frame_that_is_a_little_late_is_shown_from_zero(tmp_path: Path) -> None:
    late = make_clip(tmp_path / "late.mkv", 5, pts=[3, 4, 5, 6, 7])
    assert number_of(next(frames_at(late, [0.0])).pixels) == 0
    very_late = make_clip(tmp_path / "very_late.mkv", 5, pts=[100, 101, 102, 103, 104])
    with pytest.raises(TimeRangeError, match=r"which starts at 4.000 s"):
        next(frames_at(very_late, [0.0]))


def test_a_clip_of_one_frame_shows_it(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "one.mp4", 1, pts=[0])
    assert [f.pts for f in frames_at(clip, [0.0, 0.02])] == [0, 0]


def test_a_missing_clip_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputNotFoundError, match="does not exist"):
        next(frames_at(tmp_path / "none.mp4", [0.0]))


def test_times_between_uneven_frames_come_in_the_order_asked_for(variable_clip: Path) -> None:
    pts = variable_pts(60)
    order = [50, 3, 4, 59, 0, 20, 21, 22]
    frames = frames_at(variable_clip, [(pts[index] + 5) / 1000 for index in order])
    assert [number_of(frame.pixels) for frame in frames] == order
