"""How fast is a swap, where does the time go, and does memory grow with the clip?

Run: python benchmarks/swap.py [--clip CLIP] [--source PHOTO] [--frames 48] [--times 4]

Cuts the first frames of CLIP, and the same frames several times over, into temporary files. Each
is swapped in a process of its own, so that its peak memory is its own. Then, in the same process,
the networks are called alone on as many frames: what a swap costs beyond them is overhead.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from fractions import Fraction
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any

import av
import torch
from rich.console import Console
from rich.table import Table

from megafs_video import Model, SwapOptions, load_model, swap_video
from megafs_video.video.probe import probe
from megafs_video.video.read import read_frames

EXAMPLES = Path(__file__).parents[1] / "examples"
NETWORKS = ("encode", "transfer", "generate")


def main() -> None:
    """Print the table, or measure one clip for it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clip", type=Path, default=EXAMPLES / "target.mp4")
    parser.add_argument("--source", type=Path, default=EXAMPLES / "source.jpg")
    parser.add_argument("--model", default="mobile")
    parser.add_argument("--frames", type=int, default=48, help="length of the shorter clip")
    parser.add_argument("--times", type=int, default=4, help="how many times longer the other is")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.measure is not None:
        print(json.dumps(measure(chosen.source, chosen.measure, chosen.model)))
        return
    with tempfile.TemporaryDirectory() as folder:
        found = []
        for times in (1, chosen.times):
            clip = repeat(chosen.clip, Path(folder) / f"{times}.mp4", chosen.frames, times)
            found.append(measure_apart(chosen.source, clip, chosen.model))
    Console().print(table(chosen.clip, found))


def repeat(clip: Path, output: Path, num_frames: int, times: int) -> Path:
    """The first frames of a clip, over and over, without sound."""
    info = probe(clip)
    rate = info.frame_rate or Fraction(25)
    with av.open(str(output), "w") as container:
        stream: Any = container.add_stream(
            "libx264", rate=rate, options={"preset": "veryfast", "crf": "18"}
        )
        stream.width, stream.height, stream.pix_fmt = info.width, info.height, "yuv420p"
        count = 0
        for _ in range(times):
            for frame in islice(read_frames(clip), num_frames):
                native = av.VideoFrame.from_ndarray(frame.pixels, format="rgb24")
                native.pts, native.time_base = count, 1 / rate
                container.mux(stream.encode(native))
                count += 1
        container.mux(stream.encode(None))
    return output


def measure_apart(source: Path, clip: Path, model: str) -> dict[str, Any]:
    """What ``measure`` finds, in a process of its own."""
    words = ["--source", str(source), "--model", model, "--measure", str(clip)]
    done = subprocess.run([sys.executable, __file__, *words], stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def measure(source: Path, clip: Path, model_name: str) -> dict[str, Any]:
    """The report of a swap, and seconds of the networks alone on as many frames."""
    model = load_model(model_name)
    output = clip.with_name(f"swapped_{clip.name}")
    report = swap_video(source, clip, output, model=model)
    batch_size = SwapOptions().faces_per_batch(model.device.type)
    found: dict[str, Any] = json.loads(report.to_json())
    return found | {"alone": networks_alone(model, report.frames, batch_size)}


def networks_alone(model: Model, num_frames: int, batch_size: int) -> dict[str, float]:
    """Seconds of each network for so many faces, with nothing else going on."""
    size = model.dims.crop_size
    random = torch.Generator().manual_seed(0)
    pixels = torch.rand(batch_size, 3, size, size, generator=random) * 2 - 1
    source = model.encode(pixels[:1])
    seconds = dict.fromkeys(NETWORKS, 0.0)
    for _ in range(0, num_frames, batch_size):
        started = perf_counter()
        codes = model.encode(pixels)
        encoded = perf_counter()
        codes = model.transfer(source, codes)
        transferred = perf_counter()
        # Reading one number back waits for a device that works on its own.
        float(model.generate(codes)[0, 0, 0, 0])
        generated = perf_counter()
        seconds["encode"] += encoded - started
        seconds["transfer"] += transferred - encoded
        seconds["generate"] += generated - transferred
    return seconds


def table(clip: Path, found: list[dict[str, Any]]) -> Table:
    """One column a clip length."""
    info = probe(clip)
    made = Table("", *(f"{each['frames']} frames" for each in found))
    made.title = f"{clip.name}, {info.width}x{info.height}, {torch.get_num_threads()} threads"
    for stage in found[0]["seconds_per_stage"]:
        milliseconds = [1000 * each["seconds_per_stage"][stage] / each["frames"] for each in found]
        made.add_row(f"{stage}, ms a frame", *(f"{number:.1f}" for number in milliseconds))
    made.add_section()
    for name in NETWORKS:
        milliseconds = [1000 * each["alone"][name] / each["frames"] for each in found]
        made.add_row(f"{name} alone, ms a frame", *(f"{number:.1f}" for number in milliseconds))
    made.add_section()
    made.add_row("wall, s", *(f"{each['seconds']:.1f}" for each in found))
    made.add_row("networks alone, s", *(f"{sum(each['alone'].values()):.1f}" for each in found))
    made.add_row("frames a second", *(f"{each['frames_per_second']:.2f}" for each in found))
    made.add_row("share in the networks", *(f"{each['network_share']:.1%}" for each in found))
    peaks = [each["peak_memory_bytes"] for each in found]
    if None not in peaks:
        made.add_row("peak memory, MB", *(f"{peak / 1e6:.0f}" for peak in peaks))
        made.add_row("  to the shorter clip's", *(f"{peak / peaks[0]:.3f}" for peak in peaks))
    return made


if __name__ == "__main__":
    main()
