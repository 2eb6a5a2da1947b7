"""Devices, numbers and engines: what this machine has not is refused in one line."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch

from megafs_video import devices
from megafs_video.devices import check_engine, choose_device, choose_dtype, cpu_features
from megafs_video.errors import DeviceError

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without accelerators."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


def give_processor(monkeypatch: pytest.MonkeyPatch, folder: Path, flags: str) -> None:
    path = folder / "cpuinfo"
    path.write_text(f"processor : 0\nflags : {flags}\n")
    monkeypatch.setattr(devices, "CPUINFO", path)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("tpu", "no device is called 'tpu'; give auto, cpu, cuda or mps"),
        ("cuda", "has no cuda device; give --device cpu"),
        ("mps", "has no mps device; give --device cpu"),
    ],
)
def test_a_device_that_is_not_here_is_refused(name: str, said: str) -> None:
    with pytest.raises(DeviceError, match=said) as caught:
        choose_device(name)
    assert caught.value.exit_code == 40


def test_auto_takes_the_fastest_device(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose_device("auto") == CPU
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device("auto") == torch.device("mps")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == CUDA


def test_auto_is_half_precision_on_cuda_only() -> None:
    assert (choose_dtype("auto", CUDA), choose_dtype("auto", CPU)) == (torch.float16, torch.float32)


def test_numbers_that_slow_the_device_down_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(DeviceError, match="no precision is called 'int8'; give auto, float32, bfl"):
        choose_dtype("int8", CPU)
    with pytest.raises(DeviceError, match="float16 is slower than float32 on a CPU"):
        choose_dtype("float16", CPU)
    give_processor(monkeypatch, tmp_path, "fma avx2")
    with pytest.raises(DeviceError, match=r"no instructions for bfloat16 \(AVX-512 BF16 or AMX\)"):
        choose_dtype("bfloat16", CPU)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    with pytest.raises(DeviceError, match="this graphics card has no bfloat16"):
        choose_dtype("bfloat16", CUDA)


def test_bfloat16_is_taken_where_the_processor_has_it_or_does_not_tell(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    give_processor(monkeypatch, tmp_path, "fma avx2 avx512_bf16")
    assert choose_dtype("bfloat16", CPU) == torch.bfloat16
    monkeypatch.setattr(devices, "CPUINFO", tmp_path / "nowhere")
    assert cpu_features() == frozenset()
    assert choose_dtype("bfloat16", CPU) == torch.bfloat16


def test_an_engine_that_cannot_run_here_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    check_engine("torch", CUDA)
    with pytest.raises(ValueError, match="engine is 'magic', wanted one of torch, openvino"):
        check_engine("magic", CPU)
    with pytest.raises(DeviceError, match="OpenVINO runs on the CPU here, not on cuda"):
        check_engine("openvino", CUDA)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DeviceError, match=r"not installed; run: pip install 'megafs-video\[openv"):
        check_engine("openvino", CPU)
