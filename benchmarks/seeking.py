"""Is the frame at a time the right one, and how long does it take to get it?

Run: python -m benchmarks.seeking [--seeks 40] [--frames 200]

Makes clips of several kinds, asks for random times, and prints for each reader how many of the
frames were the one on screen, and milliseconds a seek (one file open for all seeks). Readers:
ours (``frames_at``), PyAV the naive way (seek by time once, decode up to it), and decord if it
is installed; it is not a dependency.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import tempfile
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from time import perf_counter
from typing import Any

import av
import numpy as np

from megafs_video.video.sample import frames_at
from tests.clips import Picture, make_clip, number_of, numbered_picture, pts_of, variable_pts

Reader = Callable[[Path, Sequence[float]], list[Picture]]
HEIGHT, WIDTH = 360, 640


def ours(path: Path, times_seconds: Sequence[float]) -> list[Picture]:
    """``megafs_video.video.sample.frames_at``."""
    return [frame.pixels for frame in frames_at(path, times_seconds)]


def naive(path: Path, times_seconds: Sequence[float]) -> list[Picture]:
    """PyAV as tutorials have it: seek to the time, decode until it is passed."""
    pictures = []
    with av.open(str(path)) as container:
        stream: Any = container.streams.video[0]
        for seconds in times_seconds:
            container.seek(int(seconds / stream.time_base), stream=stream)
            shown = None
            for frame in container.decode(stream):
                if shown is not None and frame.time > seconds:
                    break
                shown = frame
            pictures.append(
                np.zeros((HEIGHT, WIDTH, 3), np.uint8)
                if shown is None
                else shown.to_ndarray(format="rgb24")
            )
    return pictures


def with_decord(path: Path, times_seconds: Sequence[float]) -> list[Picture]:
    """decord: the last frame whose stated time is not after the wanted one."""
    decord = importlib.import_module("decord")
    reader = decord.VideoReader(str(path))
    with av.open(str(path)) as container:
        stream: Any = container.streams.video[0]
        first_seconds = float(stream.start_time * stream.time_base)
    # decord counts from the first frame, whatever its time in the file.
    starts = reader.get_frame_timestamp(list(range(len(reader))))[:, 0] + first_seconds
    found = [max(0, int(np.searchsorted(starts, t + 1e-6, "right")) - 1) for t in times_seconds]
    return [reader[index].asnumpy() for index in found]


def clips(folder: Path, num_frames: int) -> dict[str, Path]:
    """Clips that readers are known to stumble over."""
    pictures = [numbered_picture(number % 256, HEIGHT, WIDTH) for number in range(num_frames)]
    plain = {"g": "48", "bf": "2", "preset": "veryfast"}
    open_group = {"preset": "veryfast", "x264-params": "keyint=48:open-gop=1:scenecut=0"}
    hevc = {"preset": "ultrafast", "x265-params": "keyint=48:open-gop=1:log-level=error"}
    made = {}
    for name, suffix, encoder, options in [
        ("h264 mp4", ".mp4", "libx264", plain),
        ("h264 mkv", ".mkv", "libx264", plain),
        ("h264 ts", ".ts", "libx264", plain),
        ("h264 open groups", ".mp4", "libx264", open_group),
        ("hevc mp4", ".mp4", "libx265", hevc),
        ("vp9 webm", ".webm", "libvpx-vp9", {"g": "48", "deadline": "realtime", "cpu-used": "8"}),
    ]:
        path = folder / f"{name.replace(' ', '_')}{suffix}"
        made[name] = make_clip(path, pictures=pictures, encoder=encoder, options=options)
    made["h264 variable rate"] = make_clip(
        folder / "variable.mp4",
        pictures=pictures,
        pts=variable_pts(num_frames),
        time_base=Fraction(1, 1000),
        options=plain,
    )
    return made


def measure(reader: Reader, path: Path, times: Sequence[float], wanted: list[int]) -> str:
    """Right frames of all, and milliseconds a seek."""
    started = perf_counter()
    try:
        pictures = reader(path, times)
    except (RuntimeError, OSError) as error:  # what decord raises for what it cannot read
        return f"fails: {type(error).__name__}"
    milliseconds = 1000 * (perf_counter() - started) / len(times)
    right = sum(number_of(p) == want for p, want in zip(pictures, wanted, strict=True))
    return f"{right}/{len(times)} {milliseconds:6.1f} ms"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeks", type=int, default=40)
    parser.add_argument("--frames", type=int, default=200)
    chosen = parser.parse_args()
    readers: dict[str, Reader] = {"frames_at": ours, "naive PyAV": naive}
    if importlib.util.find_spec("decord") is not None:
        readers["decord"] = with_decord
    print(f"{chosen.seeks} random times in {chosen.frames} frames of {WIDTH}x{HEIGHT}: right, time")
    print(f"{'clip':20}" + "".join(f"{name:>20}" for name in readers))
    with tempfile.TemporaryDirectory() as folder:
        for name, path in clips(Path(folder), chosen.frames).items():
            starts = pts_of(path)
            span = float(starts[0]), float(starts[-1])
            times = np.random.default_rng(0).uniform(*span, chosen.seeks).tolist()
            wanted = [
                int(np.searchsorted([float(s) for s in starts], t, "right")) - 1 for t in times
            ]
            cells = [measure(r, path, times, [w % 256 for w in wanted]) for r in readers.values()]
            print(f"{name:20}" + "".join(f"{cell:>20}" for cell in cells))


if __name__ == "__main__":
    main()
