"""The loop: it learns, and a stopped run ends as one that was never stopped."""

from __future__ import annotations

import csv
import math
import pickle
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from megafs_video.errors import ConfigError, OutputError
from megafs_video.networks.frozen import freeze
from megafs_video.training import loop
from megafs_video.training.config import LoopConfig
from megafs_video.training.loop import Group, Progress, learning_rate, train, update_average
from megafs_video.values import UInt8Array
from megafs_video.video.picture import read_picture

CONFIG = LoopConfig(
    num_steps=20, learning_rate=0.05, warmup_steps=4, log_every=4, save_every=5, sheet_every=10
)


class ToyTask:
    """A line to be found; a batch norm, so that there are buffers as well."""

    def __init__(self, stop_at: int | None = None) -> None:
        torch.manual_seed(0)
        self.last = nn.Linear(8, 1)
        self.module = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), self.last)
        self.stop_at = stop_at

    def step(self, step: int, random: torch.Generator) -> dict[str, Tensor]:
        if step == self.stop_at:
            raise KeyboardInterrupt
        x = torch.randn(16, 3, generator=random)
        error = self.module(x)[:, 0] - (2 * x[:, 0] - x[:, 1])
        return {"square": error.square().mean(), "size": 1e-6 * self.last.weight.norm()}

    def groups(self) -> list[Group]:
        return [Group(list(self.module.parameters()))]

    def sheet(self, module: nn.Module) -> UInt8Array:
        return np.zeros((8, 16, 3), np.uint8)


def run(
    folder: Path, config: LoopConfig = CONFIG, stop_at: int | None = None, inputs: str = ""
) -> tuple[ToyTask, nn.Module, list[Progress]]:
    """Train a fresh toy in ``folder``; what it left."""
    task = ToyTask(stop_at)
    average = freeze(deepcopy(task.module))
    reports: list[Progress] = []
    train(task, average, config, folder, reports.append, inputs=inputs)
    return task, average, reports


def read_log(folder: Path) -> list[dict[str, str]]:
    with (folder / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_it_learns_a_line(tmp_path: Path) -> None:
    _, _, reports = run(tmp_path, replace(CONFIG, num_steps=300, save_every=300, sheet_every=300))
    assert reports[-1].losses["square"] < 0.2 * reports[0].losses["square"]


def test_a_resumed_run_ends_with_the_same_weights_bit_by_bit(tmp_path: Path) -> None:
    whole, whole_average, _ = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "stopped", stop_at=13)
    resumed, resumed_average, reports = run(tmp_path / "stopped")
    pairs = [(whole.module, resumed.module), (whole_average, resumed_average)]
    for one, other in pairs:
        for name, tensor in one.state_dict().items():
            assert torch.equal(tensor, other.state_dict()[name]), name
    assert reports[0].step == 12  # it went on at step 10


def test_a_resumed_run_logs_each_step_once(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, stop_at=13)
    assert [row["step"] for row in read_log(tmp_path)] == ["4", "4", "8", "8", "12", "12"]
    run(tmp_path)
    steps = [row["step"] for row in read_log(tmp_path) if row["loss"] == "square"]
    assert steps == ["4", "8", "12", "16", "20"]


def test_a_finished_run_is_left_as_it_is(tmp_path: Path) -> None:
    first, _, _ = run(tmp_path)
    again, _, reports = run(tmp_path, stop_at=0)
    assert reports == []
    assert torch.equal(first.last.weight, again.last.weight)


def test_the_log_has_a_line_per_loss_and_report(tmp_path: Path) -> None:
    _, _, reports = run(tmp_path)
    rows = read_log(tmp_path)
    assert list(rows[0]) == ["step", "seconds_per_step", "loss", "value"]
    assert [(int(row["step"]), row["loss"]) for row in rows] == [
        (step, name) for step in (4, 8, 12, 16, 20) for name in ("square", "size")
    ]
    for report, row in zip(reports, rows[::2], strict=True):
        assert float(row["value"]) == pytest.approx(report.losses["square"], rel=1e-5)
        assert float(row["seconds_per_step"]) >= 0
        assert (report.num_steps, report.step) == (20, int(row["step"]))


def test_sheets_and_the_last_checkpoint_are_written(tmp_path: Path) -> None:
    run(tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["last.pt", "log.csv", "sheet-000010.jpg", "sheet-000020.jpg"]
    assert read_picture(tmp_path / "sheet-000010.jpg").shape == (8, 16, 3)


def test_a_run_with_other_settings_is_refused(tmp_path: Path) -> None:
    run(tmp_path)
    with pytest.raises(ConfigError, match="holds a run with other settings"):
        run(tmp_path, replace(CONFIG, learning_rate=0.1))


def test_a_run_on_other_faces_is_refused(tmp_path: Path) -> None:
    run(tmp_path, inputs="20 faces")
    with pytest.raises(ConfigError, match="settings, faces or start"):
        run(tmp_path, inputs="21 faces")


class Hostile:
    """Unpickled without care, this would make a folder."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.mkdir, ("owned",)


@pytest.mark.parametrize("content", [b"", b"no checkpoint", pickle.dumps(Hostile(), protocol=2)])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "last.pt").write_bytes(content)
    with pytest.raises(ConfigError, match=r"last\.pt is damaged .* delete it to start again"):
        run(tmp_path)


def test_a_checkpoint_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    run(tmp_path)
    whole = (tmp_path / "last.pt").read_bytes()
    (tmp_path / "last.pt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ConfigError, match=r"last\.pt is damaged"):
        run(tmp_path)


@pytest.mark.parametrize(
    "changed",
    [
        {"module": {"0.weight": torch.zeros(2)}},
        {"average": None},
        {"optimizer": {"state": {}}},
        {"optimizer": 3},
        {"random": torch.zeros(3)},
        {"step": "ten"},
    ],
)
def test_a_checkpoint_of_something_else_is_refused(
    tmp_path: Path, changed: dict[str, object]
) -> None:
    run(tmp_path)
    stored = torch.load(tmp_path / "last.pt", weights_only=True)
    torch.save(stored | changed, tmp_path / "last.pt")
    with pytest.raises(ConfigError, match=r"last\.pt is damaged"):
        run(tmp_path)


def test_a_checkpoint_that_is_no_table_is_refused(tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / "last.pt")
    with pytest.raises(ConfigError, match=r"last\.pt is damaged"):
        run(tmp_path)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be made"):
        run(tmp_path / "file" / "run")


def test_the_average_moves_by_its_decay_and_copies_buffers() -> None:
    module, average = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    nn.init.constant_(module.weight, 3.0)
    nn.init.constant_(average.weight, 1.0)
    assert module.running_mean is not None
    assert average.running_mean is not None
    module.running_mean.fill_(7)
    update_average(average, module, decay=0.75)
    assert average.weight.tolist() == [1.5, 1.5]
    assert average.running_mean.tolist() == [7, 7]


def test_the_average_follows_the_weights_closely_at_first(tmp_path: Path) -> None:
    config = replace(CONFIG, num_steps=1, warmup_steps=0)
    task, average, _ = run(tmp_path, config)
    fresh, trained = ToyTask().last.weight, task.last.weight
    # A decay of 1/10 at the first step.
    torch.testing.assert_close(average.get_parameter("2.weight"), 0.1 * fresh + 0.9 * trained)


@pytest.mark.parametrize(
    ("step", "wanted"), [(0, 0.0), (25, 0.25), (100, 1.0), (550, 0.505), (1000, 0.01)]
)
def test_the_learning_rate_warms_up_and_falls_as_half_a_cosine(step: int, wanted: float) -> None:
    config = LoopConfig(num_steps=1000, learning_rate=1.0, warmup_steps=100)
    assert learning_rate(config, step) == pytest.approx(wanted)


def test_the_learning_rate_has_no_cosine_without_steps_for_it() -> None:
    config = LoopConfig(num_steps=10, learning_rate=1.0, warmup_steps=10)
    assert math.isfinite(learning_rate(config, 10))


def test_a_run_of_so_many_minutes_ends_with_its_schedule_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 100_000, 60))  # a minute between one look at the clock and the next
    monkeypatch.setattr(loop.time, "perf_counter", lambda: next(clock))
    _, _, reports = run(tmp_path, replace(CONFIG, num_steps=1000, num_minutes=10, log_every=1))
    assert 3 < reports[-1].step < 12
    assert reports[-1].minutes_left == 0
    assert (tmp_path / f"sheet-{reports[-1].step:06d}.jpg").is_file()
    stored = torch.load(tmp_path / "last.pt", weights_only=True)
    assert stored["step"] == reports[-1].step
    assert stored["minutes"] >= 10


def test_the_rate_falls_by_steps_or_by_time_whichever_is_further() -> None:
    config = replace(CONFIG, num_steps=1000, num_minutes=10)
    assert learning_rate(config, 500, minutes=1) == learning_rate(config, 500, minutes=4)
    assert learning_rate(config, 500, minutes=9) < learning_rate(config, 500, minutes=4)
    assert learning_rate(config, 5, minutes=10) == pytest.approx(0.01 * config.learning_rate)


def test_a_run_that_was_too_short_goes_on_with_more_steps(tmp_path: Path) -> None:
    run(tmp_path)
    _, _, reports = run(tmp_path, replace(CONFIG, num_steps=28))
    assert [report.step for report in reports] == [24, 28]


def test_groups_learn_at_their_rates(tmp_path: Path) -> None:
    class TwoSpeeds(ToyTask):
        def groups(self) -> list[Group]:
            first = list(self.module[0].parameters())
            return [Group(list(self.last.parameters()), 0.0), Group(first)]

    task = TwoSpeeds()
    first, last = next(task.module[0].parameters()), task.last.weight
    before = first.clone(), last.clone()
    train(task, freeze(deepcopy(task.module)), CONFIG, tmp_path, lambda progress: None)
    assert torch.equal(last, before[1])
    assert not torch.equal(first, before[0])
