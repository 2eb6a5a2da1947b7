"""Fade: swaps come and go gradually within a shot, and not at its ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from megafs_video.pipeline.fade import MAX_FADE_FRAMES, Fade
from megafs_video.values import FrameFaces, TrackedFace
from tests.pipeline.scenes import face_at, frame_at


def clip(
    tracks: Sequence[Sequence[int]],
    pts: Sequence[int] | None = None,
    shots: Sequence[int] | None = None,
) -> list[FrameFaces[TrackedFace]]:
    """Frames with these tracks, 10 ms apart unless said otherwise."""
    return [
        FrameFaces(
            frame_at(0, pts=10 * index if pts is None else pts[index]),
            tuple(TrackedFace(track, face_at(50)) for track in shown),
            0 if shots is None else shots[index],
        )
        for index, shown in enumerate(tracks)
    ]


def opacities(items: list[FrameFaces[TrackedFace]], fade_seconds: float = 0.04) -> list[float]:
    """Of track 0 in each frame; 0 where it is not."""
    found = Fade(fade_seconds)(iter(items))
    return [sum(face.opacity for face in item.faces if face.track_id == 0) for item in found]


def test_a_swap_that_comes_and_goes_does_so_evenly() -> None:
    found = opacities(clip([[]] * 2 + [[0]] * 10 + [[]] * 2))
    wanted = [0, 0, 0.25, 0.5, 0.75, 1, 1, 1, 1, 0.75, 0.5, 0.25, 0, 0]
    np.testing.assert_allclose(found, wanted)


def test_a_swap_that_is_there_all_along_is_whole() -> None:
    assert opacities(clip([[0]] * 9)) == [1.0] * 9


def test_a_cut_is_no_reason_to_fade() -> None:
    items = clip([[]] * 3 + [[0]] * 3 + [[1]] * 3, shots=[0] * 3 + [1] * 3 + [2] * 3)
    assert opacities(items) == [0.0] * 3 + [1.0] * 3 + [0.0] * 3


def test_a_glimpse_is_hardly_seen() -> None:
    np.testing.assert_allclose(opacities(clip([[], [], [0], [], []])), [0, 0, 0.25, 0, 0])


def test_it_goes_by_the_frames_own_times() -> None:
    items = clip([[], [0], [0], [0], [0]], [0, 10, 35, 36, 90])
    np.testing.assert_allclose(opacities(items), [0, 0.25, 0.875, 0.9, 1])


def test_everybody_fades_alone() -> None:
    items = clip([[0]] * 4 + [[0, 1]] * 4)
    found = list(Fade(0.04)(iter(items)))
    shown = [{face.track_id: face.opacity for face in item.faces} for item in found]
    assert [each[0] for each in shown] == [1.0] * 8
    np.testing.assert_allclose([each.get(1, 0) for each in shown], [0] * 4 + [0.25, 0.5, 0.75, 1])


def test_nothing_but_the_opacity_changes() -> None:
    items = clip([[0], [0, 1], []])
    for before, after in zip(items, Fade()(iter(items)), strict=True):
        assert after.frame is before.frame
        assert [face.face for face in after.faces] == [face.face for face in before.faces]


def test_at_a_high_rate_no_more_frames_wait() -> None:
    num_read = 0

    def items() -> Iterator[FrameFaces[TrackedFace]]:
        nonlocal num_read
        for item in clip([[0]] * 90, list(range(90))):
            num_read += 1
            yield item

    for num_given, _ in enumerate(Fade(1.0)(items()), start=1):
        assert num_read <= num_given + MAX_FADE_FRAMES


def test_a_fade_takes_time() -> None:
    with pytest.raises(ValueError, match="fade_seconds is 0, wanted more than 0"):
        Fade(0)
