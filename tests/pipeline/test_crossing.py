"""Two people of two real clips, composed so that one walks past in front of the other."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from megafs_video.faces.mesh import build_mesh
from megafs_video.faces.recognize import build_arcface
from megafs_video.faces.scrfd import build_scrfd
from megafs_video.pipeline.detect import Detect
from megafs_video.pipeline.track import Track
from megafs_video.values import Frame, UInt8Array
from megafs_video.video.read import read_frames
from tests.faces.conftest import cached
from tests.pipeline.scenes import scene

CLIPS = Path(__file__).parents[2] / ".." / "shared" / "videos"
HEIGHT, WIDTH, SIZE = 200, 560, 180
NUM_FRAMES, SPEED = 28, 14  # pixels a frame


def heads(name: str, left: int, top: int, size: int) -> list[UInt8Array]:
    """A square of a clip, small."""
    path = CLIPS / name
    if not path.is_file():
        pytest.skip("../shared/videos is not here")
    squares = (
        frame.pixels[top : top + size, left : left + size]
        for frame in islice(read_frames(path), NUM_FRAMES)
    )
    return [
        np.asarray(cv2.resize(square, (SIZE, SIZE), interpolation=cv2.INTER_AREA), np.uint8)
        for square in squares
    ]


@pytest.mark.e2e
def test_people_who_walk_past_each_other_are_never_mixed_up() -> None:
    detector, recognizer = build_scrfd(cached("scrfd")), build_arcface(cached("arcface-mbf"))
    mesh_path = cached("face-mesh")
    front = heads("head_480.mp4", 0, 0, 480)
    behind = heads("portrait_720p.mp4", 563, 40, 420)
    oval = np.zeros((SIZE, SIZE), np.uint8)
    cv2.ellipse(oval, (SIZE // 2, SIZE // 2), (70, 88), 0, 0, 360, 1, -1)
    room = cv2.resize(scene(0), (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    frames, lefts = [], []
    for index in range(NUM_FRAMES):
        pixels = room.copy()
        left = {"behind": WIDTH - SIZE - SPEED * index, "front": SPEED * index}
        for who, head in (("behind", behind[index]), ("front", front[index])):
            place = pixels[10 : 10 + SIZE, left[who] : left[who] + SIZE]
            place[oval > 0] = head[oval > 0]
        frames.append(Frame(pixels, index, Fraction(1, 30)))
        lefts.append(left)
    tracks: dict[str, set[int]] = defaultdict(set)
    num_both = 0
    with build_mesh(mesh_path) as mesh:
        found = Track(recognizer=recognizer)(Detect(detector, mesh)(iter(frames)))
        for item, left in zip(found, lefts, strict=True):
            num_both += len(item.faces) == 2
            for tracked in item.faces:
                middle = tracked.face.box_xyxy[[0, 2]].mean() - SIZE / 2
                # Alone in the picture is the one in front, who covers the other.
                visible = ("front", "behind")[: len(item.faces)]
                who = min(visible, key=lambda name: abs(left[name] - middle))
                tracks[who].add(tracked.track_id)
    assert num_both >= 16
    assert {who: len(ids) for who, ids in tracks.items()} == {"front": 1, "behind": 1}
    assert tracks["front"] != tracks["behind"]
