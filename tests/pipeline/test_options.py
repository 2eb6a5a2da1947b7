"""Choices are checked when they are made."""

from __future__ import annotations

from typing import Any

import pytest

from megafs_video.errors import TimeRangeError
from megafs_video.pipeline.options import SwapOptions


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"detector": "haar"}, "detector is 'haar', wanted one of 'scrfd', 'yunet'"),
        (
            {"smooth": "very"},
            "smooth is 'very', wanted one of 'off', 'none', 'light', 'strong', 'savgol'",
        ),
        ({"face": "left"}, "no such choice of a face: 'left'"),
        ({"source_face": -1}, "source_face is -1, wanted 0 or more"),
        ({"batch_size": 0}, "batch_size is 0, wanted at least 1"),
        ({"max_gap_seconds": -0.1}, r"max_gap_seconds is -0\.1, wanted 0 to 1"),
        ({"max_gap_seconds": 1.5}, r"max_gap_seconds is 1\.5, wanted 0 to 1"),
    ],
)
def test_nonsense_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SwapOptions(**changes)


def test_an_empty_range_is_a_users_mistake() -> None:
    with pytest.raises(TimeRangeError, match="is empty"):
        SwapOptions(start_seconds=2.0, end_seconds=1.0)


def test_a_gpu_takes_larger_batches() -> None:
    assert SwapOptions().faces_per_batch("cpu") < SwapOptions().faces_per_batch("cuda")
    assert SwapOptions(batch_size=5).faces_per_batch("cuda") == 5
