"""How much faster is the paper's model here than the published computation, and how close?

Run: python benchmarks/paper.py FOLDER [--frames 3] [--precision float32 ...] [--engine openvino]

FOLDER holds the published files. In one run, on the same random crops: milliseconds a frame of
encode, transfer and generate by the straightforward computation (the source re-encoded for every
frame, 18 mapping networks and 14 blocks in a loop, grouped weight-modulated convolution, blur in
two dimensions after zeros) and by our networks (the source encoded once); the ratio; billions of
multiply-adds (where torch runs them) and their rate as a share of a large matrix product's; the
error against the straightforward float32; and the peak memory of the process.
"""

from __future__ import annotations

import argparse
import resource
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

import straightforward
import torch
from networks import matrix_rate
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from megafs_video import Model, load_model
from megafs_video.published import read_generator
from megafs_video.values import Latents
from megafs_video.weights.checkpoint import read_pickle
from megafs_video.weights.folder import official_generator, official_swapper

PARTS = ("encode", "transfer", "generate")
CROP_SIZE = 256


@dataclass(frozen=True, eq=False)
class Result:
    """One implementation: what each part takes and gives."""

    milliseconds: dict[str, float]
    outputs: dict[str, Tensor]
    multiply_adds: dict[str, float]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder with the published files")
    parser.add_argument("--frames", type=int, default=3, help="frames for each number")
    parser.add_argument("--precision", nargs="+", default=["float32", "bfloat16"])
    parser.add_argument(
        "--device", default="cpu", help="of our networks; the other runs on the CPU"
    )
    chosen = parser.parse_args()
    random = torch.Generator().manual_seed(0)
    small = torch.randn(2, 3, 8, 8, generator=random)
    pixels = torch.nn.functional.interpolate(small, size=CROP_SIZE, mode="bicubic").clamp(-1, 1)
    num_low = load_model(chosen.folder, device="cpu").dims.num_low
    plain = measure_plain(chosen.folder, pixels, num_low, chosen.frames)
    rate = matrix_rate(chosen.frames)
    made = Table("part", "precision", "plain, ms", "ms", "ratio", "G MAC", "of peak", "error")
    for precision in chosen.precision:
        model = load_model(
            chosen.folder, device=chosen.device, precision=precision, engine=chosen.engine
        )
        ours = measure_ours(model, pixels, chosen.frames)
        for part in (*PARTS, "frame"):
            add_row(made, part, precision, plain, ours, rate)
    console = Console()
    console.print(made)
    console.print(f"matrix product, float32: {rate / 1e9:.0f} GFLOP/s")
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    console.print(f"peak memory of all implementations together: {peak_mib:.0f} MiB")


def add_row(
    made: Table, part: str, precision: str, plain: Result, ours: Result, rate: float
) -> None:
    """One part, or all of them as "frame"."""
    parts = PARTS if part == "frame" else (part,)
    slow, fast, work = (
        sum(values[each] for each in parts)
        for values in (plain.milliseconds, ours.milliseconds, ours.multiply_adds)
    )
    wanted = plain.outputs[parts[-1]]
    error = float((ours.outputs[parts[-1]].cpu() - wanted).norm() / wanted.norm())
    made.add_row(
        part,
        precision,
        f"{slow:.0f}",
        f"{fast:.1f}",
        f"{slow / fast:.2f}",
        f"{work / 1e9:.2f}",
        f"{100 * 2 * work / (fast / 1000) / rate:.0f} %",
        f"{error:.1e}",
    )


@torch.inference_mode()
def measure_plain(folder: Path, pixels: Tensor, num_low: int, num_frames: int) -> Result:
    """The straightforward computation; pixels are target and source."""
    parts = read_pickle(official_swapper(folder, "ftm"))
    encoder, swapper = (
        {name: t.float() if t.is_floating_point() else t for name, t in parts[key].items()}
        for key in ("e", "s")
    )
    generator = {n: t.float() for n, t in read_generator(official_generator(folder)).items()}
    del parts
    found: dict[str, Tensor] = {}

    def encode() -> None:
        (constant, found["target"]), (_, found["source"]) = (
            straightforward.encode(encoder, pixels[i : i + 1]) for i in (0, 1)
        )
        found["constant"] = generator["input.input"] if constant is None else constant
        found["encode"] = found["target"]

    def transfer() -> None:
        source, target = found["source"][:, num_low:], found["target"][:, num_low:]
        high = straightforward.transfer(swapper, source, target)
        found["transfer"] = torch.cat((found["target"][:, :num_low], high), dim=1)

    def generate() -> None:
        found["generate"] = straightforward.generate(
            generator, found["constant"], found["transfer"]
        )

    return measure(
        {"encode": encode, "transfer": transfer, "generate": generate}, found, num_frames
    )


def measure_ours(model: Model, pixels: Tensor, num_frames: int) -> Result:
    """Our model, the source encoded once and not counted."""
    found: dict[str, Tensor] = {}
    codes: dict[str, Latents] = {"source": model.encode(pixels[1:])}

    def encode() -> None:
        codes["target"] = model.encode(pixels[:1])
        found["encode"] = codes["target"].styles

    def transfer() -> None:
        codes["swapped"] = model.transfer(codes["source"], codes["target"])
        found["transfer"] = codes["swapped"].styles

    def generate() -> None:
        found["generate"] = model.generate(codes["swapped"])
        float(found["generate"][0, 0, 0, 0])  # waits for a device

    return measure(
        {"encode": encode, "transfer": transfer, "generate": generate}, found, num_frames
    )


def measure(calls: dict[str, Callable[[], None]], found: dict[str, Tensor], num: int) -> Result:
    """Milliseconds of the median call after one that counts its multiply-adds instead."""
    milliseconds, work = {}, {}
    for part, call in calls.items():
        with FlopCounterMode(display=False) as counter:
            call()
        work[part] = counter.get_total_flops() / 2
        seconds = []
        for _ in range(num):
            started = perf_counter()
            call()
            seconds.append(perf_counter() - started)
        milliseconds[part] = 1000 * median(seconds)
    return Result(milliseconds, {part: found[part] for part in calls}, work)


if __name__ == "__main__":
    main()
