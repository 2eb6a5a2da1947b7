"""What does each way of smoothing leave of a tremor, of a movement and of speech?

Run: python benchmarks/smoothing.py [--seconds 20] [--rate 30] [--jitter 0.3]

Made trajectories whose truth is known, filtered as the pipeline does. For every profile of
``--smooth`` and each of its filters: the gain for tones at 2, 5 and 8 Hz; what is left of white
noise; and the error against the truth, in parts of the unsmoothed one's, for a head that turns
and for lips that speak, both seen through noise. Below 1 smoothing helps.
"""

from __future__ import annotations

import argparse
from dataclasses import fields
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from megafs_video.pipeline.profile import PROFILES
from megafs_video.pipeline.window import MAX_LOOKAHEAD_FRAMES
from megafs_video.trajectories.filters import Filter, Sample, Trajectory
from megafs_video.values import FloatArray

TONES_HZ = (2.0, 5.0, 8.0)
# In parts of a code's own size: what a network's answer trembles by from frame to frame in a
# real clip, and how far it moves.
NOISE, MOVE = 0.05, 0.25
NUM_TRACKS = 8  # numbers of one code, filtered together


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rate", type=float, default=30.0, help="frames a second, on average")
    parser.add_argument("--jitter", type=float, default=0.0, help="of a frame's time, 0 to 1")
    chosen = parser.parse_args()
    chance = np.random.default_rng(0)
    num_frames = round(chosen.seconds * chosen.rate)
    steps = 1 + chosen.jitter * chance.uniform(-1, 1, num_frames)
    seconds = np.cumsum(steps) / chosen.rate  # [T]
    noise = NOISE * chance.normal(size=(num_frames, NUM_TRACKS))
    clips = {"turn": MOVE * turns(seconds), "speech": MOVE * speech(seconds, chance)}

    table = Table(
        caption=f"{num_frames} frames, {chosen.rate:g} a second, jitter {chosen.jitter:g}"
    )
    for name in ("smooth", "filter of", *(f"{tone:g} Hz" for tone in TONES_HZ), "noise", *clips):
        table.add_column(name, justify="left" if name in ("smooth", "filter of") else "right")
    for name, profile in PROFILES.items():
        if profile is None or ":" in name:
            continue  # nothing is smoothed, or by filters like those above
        seen: dict[Any, list[str]] = {}
        for field in fields(profile):
            if field.name == "texture_seconds":
                continue  # no filter: the memory of pixels
            seen.setdefault(getattr(profile, field.name), []).append(field.name)
        for each, parts in seen.items():
            numbers = [gain(each, seconds, tone_hz) for tone_hz in TONES_HZ]
            numbers.append(rms(filtered(each, seconds, noise)) / rms(noise))
            for truth in clips.values():
                found = filtered(each, seconds, truth[:, None] + noise)
                numbers.append(rms(found - truth[:, None]) / rms(noise))
            table.add_row(name, ", ".join(parts), *(f"{number:.2f}" for number in numbers))
        table.add_section()
    Console().print(table)


def turns(seconds: FloatArray) -> FloatArray:
    """A head that turns to one side, rests, and turns back, each within half a second."""
    phase = (seconds % 3.0) / 0.5
    there = np.clip(phase, 0, 1) - np.clip(phase - 3, 0, 1)
    return there * there * (3 - 2 * there)


def speech(seconds: FloatArray, chance: np.random.Generator) -> FloatArray:
    """Lips: tones from 2 to 5 Hz, of a size of 1 in all."""
    tones_hz, phases = np.linspace(2, 5, 7), chance.uniform(0, 2 * np.pi, 7)
    tones = np.sin(2 * np.pi * np.outer(seconds, tones_hz) + phases)
    return np.asarray(tones.mean(axis=1))


def gain(each: Filter[Any], seconds: FloatArray, tone_hz: float) -> float:
    """What is left of a tone too soft for any filter to take it for a movement."""
    tone = 1e-4 * np.cos(2 * np.pi * tone_hz * seconds)[:, None]
    return rms(filtered(each, seconds, tone)) / rms(tone)


def filtered(each: Filter[Any], seconds: FloatArray, values: FloatArray) -> FloatArray:
    """Values [T, D] as the pipeline would smooth them."""
    trajectory = Trajectory(each, MAX_LOOKAHEAD_FRAMES)
    found = []
    for index, (now, value) in enumerate(zip(seconds, values, strict=True)):
        trajectory.push(Sample(float(now), value))
        if index >= MAX_LOOKAHEAD_FRAMES:
            found.append(trajectory.pop())
    found.extend(trajectory.pop() for _ in range(len(values) - len(found)))
    return np.stack(found)


def rms(values: FloatArray) -> float:
    """Root mean square."""
    return float(np.sqrt(np.square(values).mean()))


if __name__ == "__main__":
    main()
