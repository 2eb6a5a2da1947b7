"""How fast is each network, by batch, and is that fast for this machine?

Run: python benchmarks/networks.py [--frames 8] [--batch 1 2 4] [--model mobile]

Prints milliseconds a face for encode, transfer and generate, each timed in a thread as the
pipeline runs them; the same with the C library's own allocator settings, in a second process;
the generator in OpenVINO (float32) if that is installed; and the largest float32 matrix product
rate of the machine, all in one run.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from statistics import median
from time import perf_counter
from typing import Any
from unittest.mock import patch

import torch
from rich.console import Console
from rich.table import Table

from megafs_video import Model, load_model
from megafs_video.networks.dims import Dims
from megafs_video.weights.fetch import ensure

PARTS = ("encode", "transfer", "generate")
MATRIX_SIZE = 2048
SETTING = "megafs_video.model.keep_freed_memory"

Times = dict[str, list[float]]
"""Milliseconds a face of each part, one number a batch size."""


def main() -> None:
    """Print the table, or time the networks for it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=8, help="faces for each number")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--model", default="mobile")
    parser.add_argument("--measure", choices=["kept", "returned"], help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.measure is not None:
        with patch(SETTING, return_value=False) if chosen.measure == "returned" else nullcontext():
            model = load_model(chosen.model)
        with ThreadPoolExecutor(1) as pool:
            times = pool.submit(measure, model, chosen.batch, chosen.frames).result()
        print(json.dumps(times))
        return
    words = ["--frames", str(chosen.frames), "--model", chosen.model]
    words += ["--batch", *map(str, chosen.batch), "--measure"]
    kept, returned = (measure_apart([*words, how]) for how in ("kept", "returned"))
    console = Console()
    console.print(table(chosen.batch, kept, returned))
    if importlib.util.find_spec("openvino") is None:
        console.print("OpenVINO is not installed: pip install openvino to compare with it")
    else:
        console.print(f"generate, OpenVINO float32: {openvino_milliseconds(chosen.frames):.0f} ms")
    console.print(
        f"matrix product, float32, {torch.get_num_threads()} threads: "
        f"{matrix_rate(chosen.frames) / 1e9:.0f} GFLOP/s"
    )


def measure_apart(words: list[str]) -> Times:
    """What ``measure`` finds, in a process of its own: allocator settings cannot be undone."""
    done = subprocess.run([sys.executable, __file__, *words], stdout=subprocess.PIPE, check=True)
    found: Times = json.loads(done.stdout)
    return found


def measure(model: Model, batch_sizes: list[int], num_faces: int) -> Times:
    """Milliseconds a face, the median over calls on about ``num_faces`` faces each."""
    size = model.dims.crop_size
    random = torch.Generator().manual_seed(0)
    found: Times = {part: [] for part in PARTS}
    for batch_size in batch_sizes:
        pixels = torch.rand(batch_size, 3, size, size, generator=random) * 2 - 1
        codes = model.encode(pixels)
        calls = {
            "encode": lambda pixels=pixels: model.encode(pixels),
            "transfer": lambda codes=codes: model.transfer(codes[:1], codes),
            "generate": lambda codes=codes: float(model.generate(codes)[0, 0, 0, 0]),
        }
        for part, call in calls.items():
            seconds = median_seconds(call, max(2, num_faces // batch_size))
            found[part].append(1000 * seconds / batch_size)
    return found


def median_seconds(call: Any, num_calls: int) -> float:
    """Seconds of the median call, after one that is not counted."""
    call()
    seconds = []
    for _ in range(num_calls):
        started = perf_counter()
        call()
        seconds.append(perf_counter() - started)
    return median(seconds)


def openvino_milliseconds(num_calls: int) -> float:
    """The published generator's own graph, one picture at a time."""
    import openvino

    names = ["generator-synthesis-xml", "generator-synthesis-bin"]
    xml, weights = ensure(names).values()
    core = openvino.Core()
    # Left alone it takes bfloat16 on some machines.
    precision = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
    }
    network = core.compile_model(core.read_model(xml, weights), "CPU", precision)
    code = torch.randn(1, Dims().style_size, generator=torch.Generator().manual_seed(0)).numpy()
    return 1000 * median_seconds(lambda: network(code), num_calls)


def matrix_rate(num_calls: int) -> float:
    """Floating-point operations a second in a large matrix product."""
    left = torch.rand(MATRIX_SIZE, MATRIX_SIZE)
    return 2 * MATRIX_SIZE**3 / median_seconds(lambda: left @ left, num_calls)


def table(batch_sizes: list[int], kept: Times, returned: Times) -> Table:
    """A row for each part and batch size."""
    made = Table("network", "batch", "ms a face", "memory returned, ms", "ratio")
    for part in PARTS:
        for index, batch_size in enumerate(batch_sizes):
            fast, slow = kept[part][index], returned[part][index]
            made.add_row(part, str(batch_size), f"{fast:.1f}", f"{slow:.1f}", f"{slow / fast:.2f}")
    return made


if __name__ == "__main__":
    main()
