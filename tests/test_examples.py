"""The examples run as they stand, and their people are what the README says of them."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from megafs_video.evaluation.clips import find_face
from megafs_video.evaluation.identity import load_recognisers
from megafs_video.faces.mesh import build_mesh
from megafs_video.faces.scrfd import build_scrfd
from megafs_video.video.packets import sound_packets
from megafs_video.video.picture import read_picture
from megafs_video.video.probe import probe
from megafs_video.video.read import read_frames
from megafs_video.weights.fetch import ensure
from tests.clips import pts_of
from tests.models import EXAMPLES, SOURCE, TARGET, needs_model

MAX_BYTES = 600_000


def run(script: str, *words: str, folder: Path) -> str:
    """What an example prints, started as the README starts it but in another folder."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / script), *words],
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(EXAMPLES.parent)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.e2e
@needs_model
def test_swap_clip_swaps_the_example(tmp_path: Path) -> None:
    said = run("swap_clip.py", "out.mp4", "--seconds", "0.1", folder=tmp_path)
    assert "3 frames" in said
    assert pts_of(tmp_path / "out.mp4") == pts_of(TARGET)[:3]


@pytest.mark.e2e
@needs_model
def test_look_inside_shows_the_steps_and_the_face(tmp_path: Path) -> None:
    said = run("look_inside.py", folder=tmp_path)
    moved = [float(word) for word in said.partition(":")[2].split()]
    assert len(moved) == 16
    # The low codes are the target's own; of the others at least some must take the source's side.
    assert moved[:4] == [0.0] * 4
    assert max(moved) > 1
    assert read_picture(tmp_path / "swapped.png").shape == (1024, 1024, 3)
    assert read_picture(tmp_path / "steps.png").shape[1] > 1000


def test_the_examples_are_small_and_short() -> None:
    assert SOURCE.stat().st_size + TARGET.stat().st_size < MAX_BYTES
    info = probe(TARGET)
    assert info.duration_seconds == pytest.approx(3)
    assert info.audio_codecs == ("aac",)
    assert sum(1 for _ in sound_packets(TARGET)) > 100


@pytest.mark.e2e
def test_the_photograph_is_what_the_script_draws() -> None:
    script = runpy.run_path(str(EXAMPLES / "make_clip.py"))
    studio = script["Studio"]()
    drawn = studio.draw(studio.codes(script["SOURCE_SEED"]), 512)
    difference = np.abs(drawn.astype(float) - read_picture(SOURCE)).mean()
    assert difference < 3  # levels: what JPEG at quality 88 costs


@pytest.mark.e2e
def test_the_clip_shows_one_other_person_in_every_frame() -> None:
    paths = ensure(("scrfd", "face-mesh"))
    detector = build_scrfd(paths["scrfd"])
    recognisers = load_recognisers()
    num_frames = 0
    with build_mesh(paths["face-mesh"]) as mesh:
        pixels = read_picture(SOURCE)
        face = find_face(pixels, detector, mesh)
        assert face is not None
        sources = [network.embed(pixels, face) for network in recognisers]
        for frame in read_frames(TARGET):
            [found] = detector.detect(frame.pixels)
            face = mesh.refine(frame.pixels, found)
            assert face is not None, f"no mesh at {frame.seconds} s"
            if num_frames % 24 == 0:
                for network, source in zip(recognisers, sources, strict=True):
                    # Strangers lie below 0.36 by both networks, one person above 0.7.
                    assert network.embed(frame.pixels, face) @ source < 0.36
            num_frames += 1
    assert num_frames == 72
