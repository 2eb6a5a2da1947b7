"""The benchmark of the networks measures every way, and its rows are what they say."""

from __future__ import annotations

import importlib
import json
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from tests.models import REPOSITORY
from tests.official import official_parts


@pytest.fixture
def networks(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """benchmarks/networks.py, its ways measured in this process."""
    monkeypatch.syspath_prepend(REPOSITORY / "benchmarks")
    module = importlib.import_module("networks")
    timing = importlib.import_module("timing")
    monkeypatch.setattr(timing, "keep_freed_memory", lambda: None)

    def measure_here(way: Any) -> Any:
        return json.loads(json.dumps(timing.measure(timing.Way(**asdict(way)))))

    monkeypatch.setattr(module, "measure_apart", measure_here)
    return module


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    parts = official_parts()
    torch.save({"e": parts["e"], "s": parts["s"]}, tmp_path / "ftm_final.pth")
    torch.save({"g_ema": parts["g_ema"]}, tmp_path / "stylegan2-ffhq-config-f.pth")
    return tmp_path


def test_each_way_is_timed_and_compared_with_the_plain_computation(
    networks: ModuleType, folder: Path, tmp_path: Path
) -> None:
    shared = {"model": str(folder), "num_calls": 1, "folder": str(tmp_path)}
    plain = networks.measure_apart(networks.Way(**shared, keeps_memory=False))
    ways = [{"engine": "torch", "batch_sizes": (1, 2)}, {"engine": "openvino"}]
    for way in ways:
        found = networks.measure_apart(networks.Way(**shared, **way))
        rows = networks.rows(found, plain)
        parts = ["encode", "transfer", "generate", "frame"]
        assert [row.part for row in rows] == parts * len(way.get("batch_sizes", (1,)))
        for row in rows:
            assert row.milliseconds > 0
            assert row.ratio > 0
            assert row.share_of_peak > 0
        assert sum(row.giga_macs for row in rows[:3]) == pytest.approx(rows[3].giga_macs)
        assert all(0 <= row.error < 1e-5 for row in rows[:3])
        assert found["peak_bytes"] > 0


def test_what_this_machine_cannot_do_is_said(
    networks: ModuleType, folder: Path, tmp_path: Path
) -> None:
    way = networks.Way(
        model=str(folder), num_calls=1, folder=str(tmp_path), engine="torch", precision="float16"
    )
    assert "float16 is slower than float32 on a CPU" in networks.measure_apart(way)["refused"]
