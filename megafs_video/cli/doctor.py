"""``megafs-video doctor``: what this machine has, what is missing and what would be slow."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from megafs_video.errors import NotReadyError, SystemLibraryError
from megafs_video.faces.libraries import missing_system_libraries
from megafs_video.weights.table import TABLE, required_for


class Verdict(StrEnum):
    """How a finding bears on a swap."""

    FINE = "fine"
    SLOW = "slow"  # it works, but will take its time
    MISSING = "missing"  # it does not work


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    found: str
    verdict: Verdict = Verdict.FINE


PACKAGES = (
    "torch",
    "av",
    "insightface",
    "mediapipe",
    "onnxruntime",
    "opencv-python",
    "numpy",
    "scipy",
    "safetensors",
    "typer",
    "rich",
)
# OpenCV comes under several names, with and without its windows.
PACKAGE_VARIANTS = {
    "opencv-python": (
        "opencv-contrib-python",
        "opencv-python-headless",
        "opencv-contrib-python-headless",
    ),
}
CPU_FEATURES = ("avx2", "fma", "avx512f", "avx512_bf16", "amx_bf16", "asimd")
FEW_CORES = 4
LITTLE_MEMORY_BYTES = 4 * 10**9


def doctor() -> None:
    """Say what this machine has, what is missing and what would be slow."""
    from rich.console import Console

    console = Console(soft_wrap=True, highlight=False)
    colours = {Verdict.FINE: "green", Verdict.SLOW: "yellow", Verdict.MISSING: "red"}
    findings: list[Finding] = []
    for finding in examine():
        findings.append(finding)
        colour = colours[finding.verdict]
        console.print(f"[{colour}]{finding.verdict:<7}[/]", end=" ")
        console.print(f"{finding.subject:<16} {finding.found}", markup=False)
    missing = [finding for finding in findings if finding.verdict is Verdict.MISSING]
    slow = [finding for finding in findings if finding.verdict is Verdict.SLOW]
    if missing:
        wanted = " ".join(
            dict.fromkeys(library.debian_package for library in missing_system_libraries())
        )
        install = f"; on Debian or Ubuntu, run: apt-get install {wanted}" if wanted else ""
        kind = SystemLibraryError if wanted else NotReadyError
        raise kind(
            f"a swap cannot run here; missing: "
            f"{', '.join(finding.subject for finding in missing)}{install}"
        )
    if slow:
        print(f"Verdict: ready, but slow ({', '.join(finding.subject for finding in slow)}).")
    else:
        print("Verdict: ready.")


def examine() -> Iterator[Finding]:
    """Look at everything that a swap needs, quick things first."""
    yield Finding("system", f"{platform.system()} {platform.release()} {platform.machine()}")
    yield Finding("Python", f"{platform.python_version()} at {sys.executable}")
    yield from _packages()
    yield from _system_libraries()
    yield _cores()
    yield _memory()
    yield from _cache()
    yield from _torch()
    yield from _encoders()


def _version(package: str) -> str | None:
    import importlib.metadata  # slow to import, and every verb passes here

    for name in (package, *PACKAGE_VARIANTS.get(package, ())):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def _packages() -> Iterator[Finding]:
    for package in PACKAGES:
        version = _version(package)
        if version is None:
            yield Finding(package, "not installed: install megafs-video again", Verdict.MISSING)
        else:
            yield Finding(package, version)


def _system_libraries() -> Iterator[Finding]:
    missing = missing_system_libraries()
    for library in missing:
        yield Finding(
            library.soname,
            f"{library.needed_by} needs it; Debian package {library.debian_package}",
            Verdict.MISSING,
        )
    if not missing:
        yield Finding("system libraries", "all that OpenCV and MediaPipe need")


def _cores() -> Finding:
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    cores = count or 1
    from megafs_video.devices import cpu_features

    has = cpu_features()
    features = [feature for feature in CPU_FEATURES if feature in has]
    shown = f" with {', '.join(features)}" if features else ""
    return Finding(
        "CPU cores", f"{cores}{shown}", Verdict.SLOW if cores < FEW_CORES else Verdict.FINE
    )


def _memory() -> Finding:
    """Memory that is free for a swap (Linux), or the memory of the machine."""
    try:
        text = Path("/proc/meminfo").read_text(encoding="utf-8")
        sizes = {name: int(kib) * 1024 for name, kib in re.findall(r"(\w+):\s+(\d+) kB", text)}
        free_bytes, total_bytes = sizes["MemAvailable"], sizes["MemTotal"]
    except (OSError, KeyError):
        return Finding("memory", "this system does not tell")
    return Finding(
        "memory",
        f"{free_bytes / 1e9:.1f} GB free of {total_bytes / 1e9:.1f} GB",
        Verdict.SLOW if free_bytes < LITTLE_MEMORY_BYTES else Verdict.FINE,
    )


def _cache() -> Iterator[Finding]:
    from megafs_video.weights.cache import home, is_cached, path_of

    folder = home()
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free_bytes = shutil.disk_usage(there).free
    wanted = required_for()
    lacking = [file for file in TABLE if file.name in wanted and not is_cached(file.name)]
    downloads = {file.requirement: file.download_bytes for file in lacking}
    is_full = free_bytes < 2 * sum(downloads.values())
    yield Finding(
        "cache folder",
        f"{folder} ({free_bytes / 1e9:.1f} GB free{', too little' if is_full else ''})",
        Verdict.MISSING if is_full else Verdict.FINE,
    )
    for file in TABLE:
        if is_cached(file.name):
            yield Finding(file.name, f"{file.size_bytes / 1e6:.1f} MB at {path_of(file.name)}")
    if lacking:
        names = ", ".join(file.name for file in lacking)
        yield Finding(
            "model files",
            f"not fetched yet: {names}; a swap fetches them "
            f"({sum(downloads.values()) / 1e6:.1f} MB), or run: megafs-video models fetch",
        )


def _torch() -> Iterator[Finding]:
    if _version("torch") is None:
        return
    import torch

    for index in range(torch.cuda.device_count()):
        device = torch.cuda.get_device_properties(index)
        yield Finding(f"cuda:{index}", f"{device.name}, {device.total_memory / 1e9:.1f} GB")
    if torch.cuda.is_available():
        bf16 = "yes" if torch.cuda.is_bf16_supported() else "no"
        yield Finding("bf16 on CUDA", bf16)
    elif torch.backends.mps.is_available():
        yield Finding("mps", "Apple's graphics processor")
    else:
        yield Finding("torch device", "cpu only: no CUDA device", Verdict.SLOW)
    from megafs_video.devices import cpu_features

    has = cpu_features()
    features = [feature for feature in CPU_FEATURES if feature in has]
    has_bf16 = "avx512_bf16" in features or "amx_bf16" in features
    yield Finding(
        "bf16 on the CPU", "in hardware" if has_bf16 else "only emulated: float32 is used"
    )


def _encoders() -> Iterator[Finding]:
    if _version("av") is None:
        return
    from megafs_video.video.codec import SOFTWARE
    from megafs_video.video.encoders import working_codecs

    found = working_codecs()
    software = [codec.name for codec in SOFTWARE]
    lacking = ", ".join(name for name in software if name not in found)
    cards = ", ".join(name for name in found if name not in software)
    without = f" (without {lacking})" if lacking else ""
    usable = ", ".join(name for name in software if name in found)
    if usable:
        yield Finding("video encoders", f"{usable}{without}")
    else:
        yield Finding("video encoders", f"none of {lacking}", Verdict.MISSING)
    yield Finding("in hardware", cards or "no video encoder that PyAV can start")
