"""How fast is each network of a model here, is that fast for this machine, and is it exact?

Run: python benchmarks/networks.py [--model mobile FOLDER ...] [--engine torch openvino]
     [--precision float32 bfloat16] [--batch 1 4] [--frames 5] [--device cpu]

A FOLDER holds the paper's published files. For every way of running a model, each in a process of
its own: milliseconds a face of encode, transfer and generate, and of a frame, which is all three;
faces a second; billions of multiply-adds of the published computation, and their rate as a share
of a large matrix product's in the same numbers; how many times faster than the plain computation;
the error against it in float32 (‖difference‖ / ‖plain‖); and the peak memory. Threads wait as they
do under the command line (``megafs_video.waiting``).

Plain is the published computation as first written, one frame at a time (``straightforward.py``:
the source encoded again for every frame, mapping networks and transfer blocks in loops, weights
modulated for every sample, a blur in two dimensions after zeros), with the C library's own
allocator settings, like the published code; and once more with ours. Of the model ``mobile`` it is
our networks in torch's own memory order, the source encoded again. The published graph of its
generator is also run by OpenVINO, if that is installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from timing import PARTS, Way, measure, openvino_milliseconds

from megafs_video.waiting import spin_briefly

COLUMNS = ("part", "batch", "ms a face", "a second", "G MAC", "of peak", "ratio", "error")


@dataclass(frozen=True)
class Row:
    """A part of a way, beside the plain computation."""

    part: str
    batch_size: int
    milliseconds: float  # a face
    giga_macs: float  # billions of multiply-adds of the published computation
    share_of_peak: float
    ratio: float  # times faster than plain
    error: float | None  # None: not computed (a frame is judged by its picture)

    def cells(self) -> tuple[str, ...]:
        """The row as it is printed, in the order of COLUMNS."""
        return (
            self.part,
            str(self.batch_size),
            f"{self.milliseconds:.1f}",
            f"{1000 / self.milliseconds:.2f}",
            f"{self.giga_macs:.2f}",
            f"{self.share_of_peak:.0%}",
            f"{self.ratio:.2f}",
            "" if self.error is None else f"{self.error:.1e}",
        )


def main() -> None:
    """Print a table for each model, or measure one way for it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", nargs="+", default=["mobile"], metavar="NAME|FOLDER")
    parser.add_argument("--engine", nargs="+", default=["torch"], help="torch, openvino")
    parser.add_argument("--precision", nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--frames", type=int, default=5, help="calls for each number")
    parser.add_argument("--device", default="cpu", help="of our networks; plain is on the CPU")
    parser.add_argument("--way", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.way is not None:
        print(json.dumps(measure(Way(**json.loads(chosen.way)))))
        return
    spin_briefly()  # heard by the processes that measure
    console = Console(width=None if sys.stdout.isatty() else 110, highlight=False)
    for model in chosen.model:
        with tempfile.TemporaryDirectory() as folder:
            show_model(console, model, chosen, Path(folder))
    if "mobile" not in chosen.model:
        return
    if importlib.util.find_spec("openvino") is None:
        console.print("OpenVINO is not installed: pip install openvino to compare with it")
    else:
        milliseconds = openvino_milliseconds(chosen.frames)
        console.print(
            f"mobile, generate, published graph in OpenVINO float32: {milliseconds:.0f} ms"
        )


def show_model(console: Console, model: str, chosen: argparse.Namespace, folder: Path) -> None:
    """Measure a model in every way, and print each as soon as it is known."""
    shared = {"model": model, "num_calls": chosen.frames, "folder": str(folder)}
    plain = measure_apart(Way(**shared, keeps_memory=False))
    console.print(table(f"{model}: plain, float32", plain, plain))
    kept = measure_apart(Way(**shared))
    console.print(table(f"{model}: plain, float32, our allocator settings", kept, plain))
    for engine, precision in product(chosen.engine, chosen.precision):
        way = Way(
            **shared,
            engine=engine,
            precision=precision,
            device=chosen.device,
            batch_sizes=tuple(chosen.batch),
        )
        title = f"{model}: {engine}, {precision}, {chosen.device}"
        found = measure_apart(way)
        if "refused" in found:
            console.print(f"{title}: not here, {found['refused']}\n", markup=False)
        else:
            console.print(table(title, found, plain))


def measure_apart(way: Way) -> dict[str, Any]:
    """What ``measure`` finds, in a process of its own: its memory and allocator are its own."""
    words = [sys.executable, __file__, "--way", json.dumps(asdict(way))]
    done = subprocess.run(words, stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def rows(found: dict[str, Any], plain: dict[str, Any]) -> list[Row]:
    """Each part and the frame, by batch."""
    made = []
    for batch_index, batch_size in enumerate(found["batch_sizes"]):
        for part in (*PARTS, "frame"):
            parts = PARTS if part == "frame" else (part,)
            milliseconds = sum(found["milliseconds"][each][batch_index] for each in parts)
            macs = sum(plain["multiply_adds"][each] for each in parts)
            slow = sum(plain["milliseconds"][each][0] for each in parts)
            made.append(
                Row(
                    part=part,
                    batch_size=batch_size,
                    milliseconds=milliseconds,
                    giga_macs=macs / 1e9,
                    share_of_peak=2 * macs / (milliseconds / 1000) / found["matrix_rate"],
                    ratio=slow / milliseconds,
                    error=found["errors"].get(part) if batch_index == 0 else None,
                )
            )
    return made


def table(title: str, found: dict[str, Any], plain: dict[str, Any]) -> Table:
    """One way of running a model."""
    made = Table(*COLUMNS, title=title, title_justify="left", caption_justify="left")
    for row in rows(found, plain):
        made.add_row(*row.cells(), end_section=row.part == "frame")
    memory = f"peak memory {found['peak_bytes'] / 1e6:.0f} MB"
    rate = f"matrix product {found['matrix_rate'] / 1e9:.0f} GFLOP/s"
    made.caption = f"{memory}; {rate}; {torch.get_num_threads()} threads"
    return made


if __name__ == "__main__":
    main()
