"""From file to file, with fakes in the place of every network."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from torch import Tensor

from megafs_video.errors import (
    CodecError,
    InputNotFoundError,
    OutputError,
    PictureError,
    SeveralFacesError,
    SourceFaceError,
    TargetFaceError,
    TimeRangeError,
    VideoError,
)
from megafs_video.pipeline import build
from megafs_video.pipeline.blend import Blend
from megafs_video.pipeline.options import SwapOptions
from megafs_video.pipeline.report import Progress
from megafs_video.pipeline.swap import swap_video
from megafs_video.values import Face, Latents, SwappedCrop, UInt8Array
from megafs_video.video.picture import read_picture, write_picture
from tests.pipeline.fakes import BrightDetector, FakeModel, draw, make_finders, write_clip

SOURCE = draw([(80, 60, 220)])


def walk(num_frames: int = 12, *, missing: frozenset[int] = frozenset()) -> list[UInt8Array]:
    """A face that walks to the right."""
    return [
        draw([] if index in missing else [(50 + 3 * index, 60, 180)]) for index in range(num_frames)
    ]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "target.mp4", walk())


def swap(target: Path, output: Path, **changes: Any) -> Any:
    settings = {"source": SOURCE, "model": FakeModel(), "finders": make_finders()} | changes
    source = settings.pop("source")
    return swap_video(source, target, output, **settings)


class StripedModel(FakeModel):
    """Its pictures have stripes: a flat one takes on the very colour of a flat target."""

    def generate(self, latents: Latents) -> Tensor:
        pictures = super().generate(latents).clone()
        pictures[:, :, ::8] = -0.5
        pictures[:, :, 4::8] = 0.5
        return pictures


def decoded(path: Path) -> list[tuple[float, UInt8Array]]:
    with av.open(str(path)) as container:
        return [
            (float(frame.time), frame.to_ndarray(format="rgb24"))
            for frame in container.decode(video=0)
        ]


def check_nothing_is_left(folder: Path, *kept: str) -> None:
    assert sorted(path.name for path in folder.iterdir()) == sorted(kept)
    assert not [t for t in threading.enumerate() if t.name.startswith("prefetch-")]


def test_every_frame_is_there_at_its_time_and_the_face_is_another(
    tmp_path: Path, target: Path
) -> None:
    report = swap(target, tmp_path / "out.mp4")
    before, after = decoded(target), decoded(tmp_path / "out.mp4")
    assert [time for time, _ in after] == [time for time, _ in before]
    assert (report.frames, report.frames_without_face, report.tracks) == (12, 0, 1)
    check_nothing_is_left(tmp_path, "target.mp4", "out.mp4")


def test_a_variable_rate_stays_one(tmp_path: Path) -> None:
    pts = [0, 1, 2, 5, 6, 10, 11, 12, 20, 21, 22, 23]
    target = write_clip(tmp_path / "target.mkv", walk(), pts)
    swap(target, tmp_path / "out.mkv", options=SwapOptions(smooth="strong"))
    times = [time for time, _ in decoded(tmp_path / "out.mkv")]
    np.testing.assert_allclose(times, np.array(pts) / 30, atol=0.001)  # matroska counts in ms


def test_frames_without_a_face_are_counted_and_kept(tmp_path: Path) -> None:
    target = write_clip(tmp_path / "target.mp4", walk(missing=frozenset({0, 1, 7})))
    report = swap(target, tmp_path / "out.mp4")
    assert (report.frames, report.frames_without_face) == (12, 3)


def test_all_faces_are_swapped_if_asked(tmp_path: Path) -> None:
    pictures = [draw([(40, 60, 170), (120, 60, 200)]) for _ in range(6)]
    target = write_clip(tmp_path / "target.mp4", pictures)
    assert swap(target, tmp_path / "one.mp4").tracks == 1
    report = swap(target, tmp_path / "all.mp4", options=SwapOptions(face="all"))
    assert report.tracks == 2


RED, BLUE = (255, 130, 130), (130, 130, 255)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_a_photograph_can_be_the_target(tmp_path: Path, suffix: str) -> None:
    photo = tmp_path / f"photo{suffix}"
    write_picture(photo, walk()[0])
    report = swap(photo, tmp_path / "out.png", model=StripedModel())
    before, after = decoded(photo)[0][1], read_picture(tmp_path / "out.png")
    assert (report.frames, report.tracks) == (1, 1)
    np.testing.assert_array_equal(after[:30], before[:30])  # above the face
    assert (after[50:70, 40:60] != before[50:70, 40:60]).any()
    check_nothing_is_left(tmp_path, photo.name, "out.png")


def test_a_film_does_not_fit_into_a_picture(tmp_path: Path, target: Path) -> None:
    with pytest.raises(CodecError, match=r"out\.png is a picture, but .* has 12 frames"):
        swap(target, tmp_path / "out.png")
    check_nothing_is_left(tmp_path, "target.mp4")


def test_only_the_person_of_the_reference_is_swapped(tmp_path: Path) -> None:
    pictures = [draw([(40, 60, RED), (120, 60, BLUE)]) for _ in range(8)]
    target = write_clip(tmp_path / "target.mp4", pictures)
    reference = tmp_path / "blue.png"
    write_picture(reference, draw([(80, 60, BLUE)]))
    seen = decoded(target)[4][1].astype(int)
    options = SwapOptions(reference=reference)
    report = swap(target, tmp_path / "out.mp4", model=StripedModel(), options=options)
    change = np.abs(decoded(tmp_path / "out.mp4")[4][1] - seen)
    assert report.tracks == 1
    assert change[50:70, 110:130].mean() > 3 * change[50:70, 30:50].mean()


def people(folder: Path, **colours: Any) -> dict[Path, UInt8Array]:
    """Pictures of people by the colours of their faces, and a source for each by its level."""
    found = {}
    for name, (colour, level) in colours.items():
        path = folder / f"{name}.png"
        write_picture(path, draw([(80, 60, colour)]))
        found[path] = draw([(80, 60, level)])
    return found


def test_each_person_is_given_a_source_of_their_own(tmp_path: Path) -> None:
    """The generator's green is the source's: who has which is seen in the picture."""
    before = [draw([(40, 60, RED), (120, 60, BLUE)])] * 6
    after = [draw([(40, 60, BLUE), (120, 60, RED)])] * 6
    room = np.full((120, 160, 3), 90, np.uint8)
    room[20:40] = 30
    for picture in after:
        picture[:20] = room[:20]
    target = write_clip(tmp_path / "target.mp4", [*before, *after])
    seen: list[SwappedCrop] = []

    class Watch(Blend):
        def __call__(self, items: Any) -> Any:
            for item in items:
                seen.extend(item.faces)
                yield from super().__call__(iter([item]))

    sources = people(tmp_path, red=(RED, 150), blue=(BLUE, 250))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "Blend", Watch)
        report = swap(target, tmp_path / "out.mp4", source=sources)
    assert report.frames == 12 and report.notes == ()
    greens = {0: set(), 1: set()}  # type: dict[int, set[int]]
    for face in seen:
        greens[face.source_index].add(int(face.pixels[8, 8, 1]))
    assert len(greens[0]) == len(greens[1]) == 1
    assert max(greens[0]) < min(greens[1]) - 20


def test_who_of_the_people_never_came_is_said(tmp_path: Path) -> None:
    target = write_clip(tmp_path / "target.mp4", [draw([(40, 60, RED)])] * 4)
    sources = people(tmp_path, red=(RED, 150), blue=(BLUE, 250))
    report = swap(target, tmp_path / "out.mp4", source=sources)
    assert report.notes == (f"no frame shows the person of {tmp_path / 'blue.png'}",)


@pytest.mark.parametrize(
    ("pictures", "options"),
    [
        ({}, SwapOptions()),
        ({"red.png": SOURCE}, SwapOptions(reference=Path("red.png"))),
        ({"red.png": SOURCE}, SwapOptions(source_face=0)),
    ],
)
def test_a_mapping_says_all_there_is_to_say(
    tmp_path: Path, target: Path, pictures: dict[str, UInt8Array], options: SwapOptions
) -> None:
    with pytest.raises(ValueError, match="a mapping of people to sources wants at least one"):
        swap(target, tmp_path / "out.mp4", source=pictures, options=options)


def test_a_group_is_no_picture_of_a_person(tmp_path: Path, target: Path) -> None:
    write_picture(tmp_path / "group.png", draw([(40, 60, RED), (120, 60, BLUE)]))
    with pytest.raises(SeveralFacesError, match=r"2 faces found in .*group\.png.*; crop it to one"):
        swap(target, tmp_path / "out.mp4", source={str(tmp_path / "group.png"): SOURCE})


def test_a_face_that_is_missed_for_a_moment_is_swapped_all_the_same(tmp_path: Path) -> None:
    class Blinking(BrightDetector):
        """Misses every third picture."""

        num_seen = 0

        def detect(self, pixels: UInt8Array) -> list[Face]:
            self.num_seen += 1
            return [] if self.num_seen % 3 == 0 else super().detect(pixels)

    target = write_clip(tmp_path / "target.mp4", walk())
    for max_gap_seconds, missed in ((0.3, 1), (0.0, 4)):  # the last one has no next
        finders = replace(make_finders(), detector=(detector := Blinking()))
        detector.num_seen = -2  # source, first frame
        report = swap(
            target,
            tmp_path / f"{missed}.mp4",
            finders=finders,
            options=SwapOptions(max_gap_seconds=max_gap_seconds),
        )
        assert (report.frames, report.frames_without_face, report.tracks > 1) == (
            12,
            missed,
            max_gap_seconds == 0,
        )


def test_a_reference_who_never_comes_is_no_face(tmp_path: Path, target: Path) -> None:
    reference = tmp_path / "red.png"
    write_picture(reference, draw([(80, 60, RED)]))
    with pytest.raises(TargetFaceError, match=r"shows the person of .*red\.png; use clearer"):
        swap(target, tmp_path / "out.mp4", options=SwapOptions(reference=reference))


def test_a_part_of_the_clip_is_swapped_alone(tmp_path: Path, target: Path) -> None:
    options = SwapOptions(start_seconds=0.1, end_seconds=0.3)
    seen: list[Progress] = []
    report = swap(target, tmp_path / "out.mp4", options=options, progress=seen.append)
    assert report.frames == 6
    assert seen[-1] == Progress(6, 6)


def test_a_damaged_end_is_told(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "whole.ts", walk(40))
    target = tmp_path / "target.ts"
    target.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    report = swap(target, tmp_path / "out.mp4")
    assert 0 < report.frames < 40


def test_the_report_tells_what_was_done(tmp_path: Path, target: Path) -> None:
    report = swap(target, tmp_path / "out.mp4", options=SwapOptions(batch_size=3))
    assert report.seconds > 0
    assert report.preparation_seconds > 0
    assert 0 < report.network_share <= 1
    assert list(report.seconds_per_stage) == [
        *("decode", "detect", "track", "select", "bridge", "fade", "align"),
        *("encode", "transfer", "smooth", "generate", "steady", "blend", "write"),
    ]
    assert all(seconds >= 0 for seconds in report.seconds_per_stage.values())
    found = json.loads(report.to_json())
    assert found["model"] == "fake"
    assert found["settings"]["batch_size"] == 3
    assert found["frames_per_second"] > 0


def test_progress_is_told_after_every_frame(tmp_path: Path, target: Path) -> None:
    seen: list[Progress] = []
    swap(target, tmp_path / "out.mp4", progress=seen.append)
    assert seen == [Progress(number, 12) for number in range(1, 13)]


def test_the_source_is_encoded_once(tmp_path: Path, target: Path) -> None:
    model = FakeModel()
    swap(target, tmp_path / "out.mp4", model=model, options=SwapOptions(batch_size=4))
    assert model.batch_sizes == [1, 4, 4, 4]


def test_a_clip_without_a_face_gives_no_output(tmp_path: Path) -> None:
    target = write_clip(tmp_path / "target.mp4", [draw([]) for _ in range(5)])
    with pytest.raises(TargetFaceError, match=r"none of the 5 frames of .* shows a face"):
        swap(target, tmp_path / "out.mp4")
    check_nothing_is_left(tmp_path, "target.mp4")


def test_a_face_number_that_never_comes_is_named(tmp_path: Path, target: Path) -> None:
    with pytest.raises(TargetFaceError, match="shows face 4; count from 0 at the left"):
        swap(target, tmp_path / "out.mp4", options=SwapOptions(face="4"))
    check_nothing_is_left(tmp_path, "target.mp4")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"source": draw([])}, SourceFaceError),
        ({"source": draw([(40, 60, 200), (120, 60, 200)])}, SourceFaceError),
        ({"source": Path("no such picture.png")}, InputNotFoundError),
        ({"options": SwapOptions(codec="cinepak")}, CodecError),
        ({"options": SwapOptions(reference=Path("nobody.png"))}, InputNotFoundError),
        ({"options": SwapOptions(start_seconds=99.0)}, TimeRangeError),
    ],
)
def test_bad_input_is_refused_before_a_frame_is_read(
    tmp_path: Path,
    target: Path,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
    error: type[Exception],
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a frame was read")

    monkeypatch.setattr("megafs_video.pipeline.swap.read_frames", refuse)
    with pytest.raises(error):
        swap(target, tmp_path / "out.mp4", **changes)
    check_nothing_is_left(tmp_path, "target.mp4")


def test_files_that_are_something_else_are_refused(tmp_path: Path, target: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("not a picture")
    with pytest.raises(VideoError):
        swap(text, tmp_path / "out.mp4")
    with pytest.raises(PictureError):
        swap(target, tmp_path / "out.mp4", source=text)
    with pytest.raises(InputNotFoundError):
        swap(tmp_path / "missing.mp4", tmp_path / "out.mp4")


def test_an_output_is_not_replaced_unless_allowed(tmp_path: Path, target: Path) -> None:
    output = tmp_path / "out.mp4"
    output.write_bytes(b"precious")
    with pytest.raises(OutputError, match="exists already"):
        swap(target, output)
    assert output.read_bytes() == b"precious"
    swap(target, output, options=SwapOptions(overwrite=True))
    assert len(decoded(output)) == 12


class FailingModel(FakeModel):
    """Breaks in the middle of a clip."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def generate(self, latents: Any) -> Any:
        if len(self.batch_sizes) > 4:
            raise self.error
        return super().generate(latents)


def test_a_failing_network_leaves_no_file_and_no_thread(tmp_path: Path, target: Path) -> None:
    model = FailingModel(ArithmeticError("out of numbers"))
    with pytest.raises(ArithmeticError, match="out of numbers"):
        swap(target, tmp_path / "out.mp4", model=model)
    check_nothing_is_left(tmp_path, "target.mp4")


def test_ctrl_c_leaves_no_file_and_no_thread(tmp_path: Path, target: Path) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.frames == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        swap(target, tmp_path / "out.mp4", progress=interrupt)
    check_nothing_is_left(tmp_path, "target.mp4")


def test_no_more_frames_are_alive_in_a_long_clip_than_in_a_short_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from megafs_video.pipeline import swap as module

    def most_alive(num_frames: int) -> int:
        target = write_clip(tmp_path / f"{num_frames}.mp4", walk(1) * num_frames)
        num_read = num_written = most = 0
        read_frames = module.read_frames

        def counted(*args: Any, **kwargs: Any) -> Iterator[Any]:
            nonlocal num_read, most
            for frame in read_frames(*args, **kwargs):
                num_read += 1
                most = max(most, num_read - num_written)
                yield frame

        def written(progress: Progress) -> None:
            nonlocal num_written
            num_written = progress.frames

        with monkeypatch.context() as patch:
            patch.setattr(module, "read_frames", counted)
            options = SwapOptions(smooth="strong")
            swap(target, tmp_path / f"{num_frames}-out.mp4", options=options, progress=written)
        return most

    # Three queues of 4, three windows of 8, 4 to judge a track by, 5 to fade, and a frame in each
    # hand. Nobody is missing, so no frame waits for that.
    assert most_alive(60) <= 50
    assert most_alive(240) <= 50


def test_memory_is_given_back_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given_back = []
    monkeypatch.setattr(
        "megafs_video.allocator.give_back_freed_memory", lambda: given_back.append(1)
    )
    looks = count()
    monkeypatch.setattr("megafs_video.allocator.resident_bytes", lambda: 2 ** next(looks))
    swap(write_clip(tmp_path / "target.mp4", walk(65)), tmp_path / "out.mp4")
    assert len(given_back) == 4  # after 30, 40, 50 and 60 frames: it grows and grows
