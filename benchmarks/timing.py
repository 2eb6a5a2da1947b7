"""What ``networks.py`` measures in each of its processes: one way of running one model."""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any
from unittest.mock import patch

import straightforward
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from megafs_video import Model, load_model
from megafs_video.allocator import keep_freed_memory
from megafs_video.errors import DeviceError
from megafs_video.networks.dims import Dims
from megafs_video.published import read_generator
from megafs_video.values import Latents
from megafs_video.weights.checkpoint import read_pickle
from megafs_video.weights.fetch import ensure
from megafs_video.weights.folder import is_official, official_generator, official_swapper

PARTS = ("encode", "transfer", "generate")
CROP_SIZE = 256
Calls = dict[str, Callable[[], Tensor]]
"""One call for each part; it returns what the error is computed from."""


@dataclass(frozen=True)
class Way:
    """How to run a model; without an engine, plainly."""

    model: str  # mobile, or a folder with published files
    num_calls: int  # for each number
    folder: str  # for what the plain computation gives, which the others are compared with
    keeps_memory: bool = True  # our settings of the C library's allocator
    engine: str | None = None
    precision: str = "float32"
    device: str = "cpu"
    batch_sizes: tuple[int, ...] = (1,)


def measure(way: Way) -> dict[str, Any]:
    """Milliseconds, multiply-adds, errors, peak memory and matrix product rate of a way.

    ``{"refused": why}`` if this machine cannot run it.
    """
    if way.keeps_memory:
        keep_freed_memory()  # before there is another thread
    try:
        # In a thread, as the pipeline runs them.
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(
                _measure_plain if way.engine is None else _measure_ours, way
            ).result()
    except DeviceError as error:
        return {"refused": str(error)}


def _measure_plain(way: Way) -> dict[str, Any]:
    pixels = make_pixels(2)  # target and source
    calls = (
        _published_calls(way, pixels) if is_official(Path(way.model)) else _own_calls(way, pixels)
    )
    milliseconds, outputs, macs = {}, {}, {}
    with torch.inference_mode():
        for part, call in calls.items():
            with FlopCounterMode(display=False) as counter:
                outputs[part] = call()
            # Both faces are encoded, and one of them is the frame's.
            macs[part] = counter.get_total_flops() / (4 if part == "encode" else 2)
            milliseconds[part] = [1000 * median_seconds(call, way.num_calls)]
    reference = Path(way.folder) / "plain.pt"
    if not reference.exists():
        torch.save(outputs, reference)
    return {
        "batch_sizes": [1],
        "milliseconds": milliseconds,
        "multiply_adds": macs,
        "errors": {},
        "peak_bytes": peak_bytes(torch.device("cpu")),
        "matrix_rate": matrix_rate(torch.device("cpu"), torch.float32, way.num_calls),
    }


def _published_calls(way: Way, pixels: Tensor) -> Calls:
    """The published computation on the published files."""
    folder = Path(way.model)
    content = read_pickle(official_swapper(folder, "ftm"))
    encoder, swapper, generator = (
        {name: t.float() if t.is_floating_point() else t for name, t in part.items()}
        for part in (content["e"], content["s"], read_generator(official_generator(folder)))
    )
    num_high = len({name.split(".")[1] for name in swapper if name.startswith("blocks.")})
    found: dict[str, Tensor] = {}

    def encode() -> Tensor:
        (constant, target), (_, found["source"]) = (
            straightforward.encode(encoder, pixels[index : index + 1]) for index in (0, 1)
        )
        found["target"] = target
        found["constant"] = generator["input.input"] if constant is None else constant
        return target

    def transfer() -> Tensor:
        source, target = found["source"][:, -num_high:], found["target"][:, -num_high:]
        high = straightforward.transfer(swapper, source, target)
        found["swapped"] = torch.cat((found["target"][:, :-num_high], high), dim=1)
        return found["swapped"]

    def generate() -> Tensor:
        return straightforward.generate(generator, found["constant"], found["swapped"])

    return {"encode": encode, "transfer": transfer, "generate": generate}


def _own_calls(way: Way, pixels: Tensor) -> Calls:
    """Our own networks in torch's own memory order, the source encoded again."""
    with patch("megafs_video.model.keep_freed_memory", return_value=way.keeps_memory):
        model = load_model(way.model, device="cpu", precision="float32")
    model = replace(model, traced=None)
    for network in (
        model.encoder,
        model.transferrer,
        model.generator,
        model.arcface,
        model.landmarks,
    ):
        if network is not None:
            network.to(memory_format=torch.contiguous_format)
    codes: dict[str, Latents] = {}

    def encode() -> Tensor:
        codes["target"], codes["source"] = (model.encode(pixels[i : i + 1]) for i in (0, 1))
        return codes["target"].styles

    def transfer() -> Tensor:
        codes["swapped"] = model.transfer(codes["source"], codes["target"])
        return codes["swapped"].styles

    def generate() -> Tensor:
        return model.generate(codes["swapped"])

    return {"encode": encode, "transfer": transfer, "generate": generate}


def _measure_ours(way: Way) -> dict[str, Any]:
    assert way.engine is not None
    model = load_model(way.model, device=way.device, precision=way.precision, engine=way.engine)
    milliseconds: dict[str, list[float]] = {part: [] for part in PARTS}
    errors = {}
    for batch_size in way.batch_sizes:
        for part, call in _our_calls(model, batch_size).items():
            if batch_size == way.batch_sizes[0]:
                errors[part] = relative_error(call()[:1], way, part)
            seconds = median_seconds(lambda call=call: float(call().flatten()[0]), way.num_calls)
            milliseconds[part].append(1000 * seconds / batch_size)
    return {
        "batch_sizes": way.batch_sizes,
        "milliseconds": milliseconds,
        "errors": errors,
        "peak_bytes": peak_bytes(model.device),
        "matrix_rate": matrix_rate(model.device, model.dtype, way.num_calls),
    }


def _our_calls(model: Model, batch_size: int) -> Calls:
    """Our networks on a batch of one target; the source was encoded once."""
    target, source = make_pixels(2).split(1)
    pixels = target.expand(batch_size, -1, -1, -1).to(model.device)
    codes: dict[str, Latents] = {"source": model.encode(source)}

    def encode() -> Tensor:
        codes["target"] = model.encode(pixels)
        return codes["target"].styles

    def transfer() -> Tensor:
        codes["swapped"] = model.transfer(codes["source"], codes["target"])
        return codes["swapped"].styles

    def generate() -> Tensor:
        return model.generate(codes["swapped"])

    return {"encode": encode, "transfer": transfer, "generate": generate}


def make_pixels(num_faces: int) -> Tensor:
    """Smooth random crops [N, 3, 256, 256] in [-1, 1], always the same."""
    small = torch.randn(num_faces, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.interpolate(small, size=CROP_SIZE, mode="bicubic").clamp(-1, 1)


def relative_error(found: Tensor, way: Way, part: str) -> float:
    """‖difference‖ / ‖plain‖ of a part."""
    wanted = torch.load(Path(way.folder) / "plain.pt", weights_only=True)[part]
    return float((found.cpu() - wanted).norm() / wanted.norm())


def median_seconds(call: Callable[[], object], num_calls: int) -> float:
    """Seconds of the median call, after one that is not counted."""
    call()
    seconds = []
    for _ in range(num_calls):
        started = perf_counter()
        call()
        seconds.append(perf_counter() - started)
    return median(seconds)


def matrix_rate(device: torch.device, dtype: torch.dtype, num_calls: int) -> float:
    """Floating-point operations a second in a large matrix product."""
    size = 2048 if device.type == "cpu" else 8192
    left = torch.rand(size, size, device=device, dtype=dtype)
    return 2 * size**3 / median_seconds(lambda: float((left @ left)[0, 0]), num_calls)


def peak_bytes(device: torch.device) -> int:
    """The most memory that this process has held: on CUDA the card's, else the machine's."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def openvino_milliseconds(num_calls: int) -> float:
    """The published graph of the default generator, one picture at a time."""
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
