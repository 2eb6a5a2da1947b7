"""A track that streams through a filter, as the pipeline lets it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np

from megafs_video.trajectories.filters import Filter, Sample, Trajectory
from megafs_video.values import FloatArray


def streamed(
    filter: Filter[Any],
    seconds: FloatArray,
    values: FloatArray,
    confidences: Sequence[float] | None = None,
    *,
    max_samples: int = 1000,
) -> FloatArray:
    """Values [T, D] (or [T]) that leave as soon as the declared look-ahead is in."""
    trajectory = Trajectory(filter, max_samples)
    waiting: deque[float] = deque()
    found = []
    for index, now in enumerate(seconds):
        confidence = 1.0 if confidences is None else confidences[index]
        trajectory.push(Sample(float(now), np.atleast_1d(values[index]), confidence))
        waiting.append(now)
        while waiting and now - waiting[0] >= filter.lookahead_seconds:
            found.append(trajectory.pop())
            waiting.popleft()
    found.extend(trajectory.pop() for _ in waiting)
    return np.array(found).reshape(values.shape)
