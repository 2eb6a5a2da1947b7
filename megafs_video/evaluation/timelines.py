"""A measured video as JSON, as a table per frame, and as a picture over time."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path

import numpy as np

from megafs_video.evaluation.video import VideoMeasurement


def to_json(measured: VideoMeasurement) -> str:
    """Every figure of the clip; null for what could not be measured."""
    figures = {
        figure.name: {
            "unit": figure.unit,
            "target": _number(figure.target),
            "swapped": _number(figure.swapped),
            "ratio": _number(figure.ratio),
        }
        for figure in measured.figures
    }
    counts = {
        "frames": len(measured.seconds),
        "target_frames_without_face": measured.num_target_unfound,
        "swapped_frames_without_face": measured.num_swapped_unfound,
    }
    return json.dumps(counts | {"figures": figures}, indent=2)


def to_csv(measured: VideoMeasurement) -> str:
    """A line per frame with its time and both clips' values; empty where not measured."""
    columns = {"seconds": measured.seconds}
    for figure in measured.figures:
        if figure.target_series is not None and figure.swapped_series is not None:
            columns[f"{figure.name}, target"] = figure.target_series
            columns[f"{figure.name}, swapped"] = figure.swapped_series
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns)
    for row in zip(*columns.values(), strict=True):
        table.writerow(["" if math.isnan(value) else f"{value:.6g}" for value in row])
    return text.getvalue()


def draw_plot(measured: VideoMeasurement, path: Path) -> None:
    """One panel for each figure that has a value per frame; the suffix chooses the format."""
    from matplotlib.figure import Figure as Canvas

    shown = [figure for figure in measured.figures if figure.target_series is not None]
    canvas = Canvas(figsize=(10, 2 * len(shown)), layout="constrained")
    panels = np.atleast_1d(canvas.subplots(len(shown), 1, sharex=True))
    for panel, figure in zip(panels, shown, strict=True):
        panel.plot(measured.seconds, figure.target_series, label="target", color="0.5")
        panel.plot(measured.seconds, figure.swapped_series, label="swapped", color="tab:red")
        panel.set_title(f"{figure.name} [{figure.unit}]", fontsize="small", loc="left")
        panel.margins(x=0)
    panels[0].legend(loc="upper right", fontsize="small")
    panels[-1].set_xlabel("seconds")
    canvas.savefig(path)


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 6)
