"""Does a run that is killed again and again end as if it had never been?

Run: python -m benchmarks.kill [--kills 20] [--frames 600] [--segment 40] [--seed 0]
     python -m benchmarks.kill --model mobile --kills 4 --segment 16

One process swaps a clip without being stopped. Then another begins and is killed (SIGKILL) at a
random instant, and begun again with the same arguments, until all kills are done and it ends by
itself; if it ends before, from the start again. What came out is compared packet by packet, in
every stream, with what the first process wrote, and the first packet that differs is named.
Without ``--model``, stand-ins (``standins.py``) take the place of the networks on a made clip; with
it, the model and the real finders swap the example.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import signal
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import av
from rich.console import Console
from rich.table import Table

from benchmarks.standins import SOURCE, StandIn, make_clip, make_finders
from megafs_video import SwapOptions, load_model, swap_video
from megafs_video.pipeline import work

EXAMPLES = Path(__file__).parents[1] / "examples"

Packets = list[tuple[int, int | None, int | None, int | None, bool, bytes]]


def main() -> int:
    """Print the table; 1 if a run that was killed wrote anything else."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--frames", type=int, default=600, help="of the made clip")
    parser.add_argument("--segment", type=int, default=40, help="frames between checkpoints")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", help="the real model of that name, on the example")
    chosen = parser.parse_args()
    instants = random.Random(chosen.seed)
    table = Table("", "killed after, s", "frames finished")
    is_same = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = EXAMPLES / "target.mp4"
        if chosen.model is None:
            clip = make_clip(folder / "clip.mp4", 240, 432, chosen.frames)
        whole, output = folder / "whole.mp4", folder / "killed.mp4"
        seconds = finish(clip, whole, chosen)
        num_kills = num_runs = 0
        while num_kills < chosen.kills:
            delay_seconds = instants.uniform(0, seconds)
            if is_killed(clip, output, chosen, delay_seconds):
                num_kills += 1
                table.add_row(f"kill {num_kills}", f"{delay_seconds:.2f}", finished(output))
            if num_kills == chosen.kills:
                finish(clip, output, chosen)
            if output.exists():
                num_runs += 1
                said = differences(output, whole)
                is_same = is_same and not said
                table.add_row(f"output {num_runs}", "", said or "the same")
                output.unlink()
        left = sorted(path.name for path in folder.iterdir())
        streams = {index for index, *_ in packets(whole)}
        table.add_section()
        table.add_row("seconds of a run that is not killed", f"{seconds:.1f}", "")
        table.add_row("packets, streams", str(len(packets(whole))), str(len(streams)))
        table.add_row("left in the folder", "", ", ".join(left))
    Console().print(table)
    return 0 if is_same else 1


def finish(clip: Path, output: Path, chosen: argparse.Namespace) -> float:
    """Let a run come to its end; how long that took."""
    began = perf_counter()
    if not is_killed(clip, output, chosen, delay_seconds=None):
        return perf_counter() - began
    raise AssertionError("nobody killed it")


def is_killed(
    clip: Path, output: Path, chosen: argparse.Namespace, delay_seconds: float | None
) -> bool:
    """Run in a process of its own, killed after so long; whether it was still at work then."""
    # A copy of this process, which has imported everything and runs nothing: no time is lost.
    arguments = (clip, output, chosen.model, chosen.segment)
    process = multiprocessing.get_context("fork").Process(target=run, args=arguments)
    process.start()
    process.join(delay_seconds)
    process.kill()
    process.join()
    if process.exitcode not in (0, -signal.SIGKILL):
        raise RuntimeError(f"the run for {output} ended by itself with {process.exitcode}")
    return process.exitcode != 0


def finished(output: Path) -> str:
    """Frames that the checkpoint beside an output counts."""
    path = work.folder_of(output) / "checkpoint.safetensors"
    if not path.exists():
        return "all" if output.exists() else "0"
    return str(work.read_checkpoint(path).memory("read", work.Place).frame_index)


def packets(path: Path) -> Packets:
    """All that is in a file, in its order."""
    with av.open(str(path)) as container:
        return [
            (p.stream_index, p.pts, p.dts, p.duration, p.is_keyframe, bytes(p))
            for p in container.demux()
            if p.size
        ]


def differences(output: Path, whole: Path) -> str:
    """What of a file is not as in the other one: how many packets, and the first; "" if nothing."""
    found, wanted = packets(output), packets(whole)
    if len(found) != len(wanted):
        return f"ANOTHER: {len(found)} packets, wanted {len(wanted)}"
    others = [(one, other) for one, other in zip(found, wanted, strict=True) if one != other]
    if others:
        (stream, pts, *_, payload), (*_, expected) = others[0]
        return (
            f"ANOTHER: {len(others)} packets, the first in stream {stream} at pts {pts} "
            f"({len(payload)} bytes, wanted {len(expected)})"
        )
    return "" if output.read_bytes() == whole.read_bytes() else "ANOTHER: the same packets"


def run(clip: Path, output: Path, model: str | None, segment_frames: int) -> None:
    """Swap the clip, in the process that is to be killed."""
    work.SEGMENT_FRAMES = segment_frames
    options = SwapOptions(resume=True)
    if model is None:
        finders = make_finders()
        swap_video(SOURCE, clip, output, model=StandIn(), finders=finders, options=options)
    else:
        source = EXAMPLES / "source.jpg"
        swap_video(source, clip, output, model=load_model(model), options=options)


if __name__ == "__main__":
    sys.exit(main())
