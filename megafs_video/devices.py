"""What this machine can compute on, and with which numbers."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import torch

from megafs_video.errors import DeviceError

DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
ENGINES = ("torch", "openvino")
CPUINFO = Path("/proc/cpuinfo")
BFLOAT16_FEATURES = {"avx512_bf16", "amx_bf16", "bf16"}  # the last on ARM


def choose_device(name: str) -> torch.device:
    """A device by its name, or for "auto" CUDA, then MPS, then the CPU.

    DeviceError if this machine does not have it.
    """
    has_cuda = torch.cuda.is_available()
    has_mps = torch.backends.mps.is_available()
    if name == "auto":
        return torch.device("cuda" if has_cuda else "mps" if has_mps else "cpu")
    if name not in ("cpu", "cuda", "mps"):
        raise DeviceError(f"no device is called {name!r}; give auto, cpu, cuda or mps")
    if (name == "cuda" and not has_cuda) or (name == "mps" and not has_mps):
        raise DeviceError(f"this machine (or this torch) has no {name} device; give --device cpu")
    return torch.device(name)


def choose_dtype(name: str, device: torch.device) -> torch.dtype:
    """Numbers by their name, or for "auto" float16 on CUDA, else float32.

    DeviceError if the device does not compute in them, or only more slowly than in float32.
    """
    if name == "auto":
        return torch.float16 if device.type == "cuda" else torch.float32
    if name not in DTYPES:
        raise DeviceError(f"no precision is called {name!r}; give auto, {', '.join(DTYPES)}")
    if device.type == "cpu" and name == "float16":
        raise DeviceError("float16 is slower than float32 on a CPU; give --precision float32")
    if device.type == "cpu" and name == "bfloat16" and not _cpu_has_bfloat16():
        raise DeviceError(
            "this processor has no instructions for bfloat16 (AVX-512 BF16 or AMX), which would "
            "be slower than float32; give --precision float32"
        )
    if device.type == "cuda" and name == "bfloat16" and not torch.cuda.is_bf16_supported():
        raise DeviceError("this graphics card has no bfloat16; give --precision float16")
    return DTYPES[name]


def check_engine(name: str, device: torch.device) -> None:
    """DeviceError unless the engine is installed and runs on the device; ValueError if unknown."""
    if name not in ENGINES:
        raise ValueError(f"engine is {name!r}, wanted one of {', '.join(ENGINES)}")
    if name == "torch":
        return
    if device.type != "cpu":
        raise DeviceError(f"OpenVINO runs on the CPU here, not on {device.type}; give --device cpu")
    if importlib.util.find_spec("openvino") is None:
        raise DeviceError("OpenVINO is not installed; run: pip install 'megafs-video[openvino]'")


def cpu_features() -> frozenset[str]:
    """Names of the processor's instruction sets; none where the system does not tell."""
    try:
        return frozenset(re.findall(r"\w+", CPUINFO.read_text(encoding="utf-8")))
    except OSError:
        return frozenset()


def _cpu_has_bfloat16() -> bool:
    features = cpu_features()
    return not features or not features.isdisjoint(BFLOAT16_FEATURES)
