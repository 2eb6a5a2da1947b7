"""Swap the face of a clip from Python, and say how it went.

Run: python examples/swap_clip.py [OUTPUT] [--seconds 3] [--model mobile]
"""

import argparse
from pathlib import Path

from megafs_video import Progress, SwapOptions, swap_video

HERE = Path(__file__).parent


def show(progress: Progress) -> None:
    """Called after every frame, in this thread."""
    print(f"\rframe {progress.frames} of about {progress.total_frames}", end="", flush=True)


parser = argparse.ArgumentParser()
parser.add_argument("output", nargs="?", default="swapped.mp4")
parser.add_argument("--seconds", type=float, default=3.0, help="how much of the clip")
parser.add_argument("--model", default="mobile", help="a name, or a folder that train made")
chosen = parser.parse_args()

report = swap_video(
    HERE / "source.jpg",
    HERE / "target.mp4",
    chosen.output,
    model=chosen.model,
    options=SwapOptions(end_seconds=chosen.seconds, overwrite=True),
    progress=show,
)
print(f"\n{report.frames} frames, {report.frames_per_second:.2f} a second: {chosen.output}")
