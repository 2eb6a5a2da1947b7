"""What a checkpoint keeps of a stage's memory, and what it refuses."""

from __future__ import annotations

import json
from collections import deque
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from megafs_video.checkpoint import Checkpoint, Packed, pack, unpack
from megafs_video.pipeline.cuts import Change, CutFinder
from megafs_video.trajectories.filters import Sample
from megafs_video.values import Face


def through_json(packed: Packed) -> Packed:
    return Packed(json.loads(json.dumps(packed.tree)), packed.arrays)


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, 3, 0.1, float("inf"), "text", Fraction(1, 90_000)),
        *([], [1, [2]], (1, ("a",)), {1, 2}, frozenset({3}), deque([1, 2], maxlen=8)),
        *({1: "one", "two": (2,)}, Change.RETURN, CutFinder(), np.float64(0.1)),
    ],
)
def test_plain_data_comes_back_as_it_was(value: Any) -> None:
    found = unpack(through_json(pack(value)))
    assert found == value
    assert type(found) is type(value)
    if isinstance(value, deque):
        assert found.maxlen == value.maxlen


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.uint8, np.bool_])
def test_an_array_keeps_every_bit(dtype: Any) -> None:
    array = (np.random.default_rng(0).normal(size=(3, 4)) * 9).astype(dtype)[:, ::2]
    found = unpack(pack({"deep": [array]}))["deep"][0]
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


def test_a_value_of_ours_is_made_again() -> None:
    face = Face(np.array([0.0, 0.0, 2.0, 3.0]), np.zeros((5, 2)), 0.75)
    sample = unpack(through_json(pack([Sample(1.5, np.ones(2)), face])))
    assert (sample[0].seconds, sample[1].score) == (1.5, 0.75)
    np.testing.assert_array_equal(sample[1].box_xyxy, face.box_xyxy)


def test_later_changes_do_not_reach_what_was_left() -> None:
    memory = {"seen": np.zeros(2), "names": ["a"]}
    checkpoint = Checkpoint()
    assert checkpoint.carried("stage", memory) is memory
    memory["seen"][:] = 1
    memory["names"].append("b")  # type: ignore[attr-defined]
    found = Checkpoint(checkpoint.memories).carried("stage", {})
    assert found["names"] == ["a"]
    assert not found["seen"].any()


def test_a_stage_that_left_nothing_or_something_else_is_named() -> None:
    with pytest.raises(KeyError, match="track"):
        Checkpoint({}).carried("track", 1)
    with pytest.raises(TypeError, match="the memory of track is 'one', wanted a int"):
        Checkpoint({"track": pack("one")}).carried("track", 1)


@pytest.mark.parametrize("value", [object(), {"a": b"bytes"}, [lambda: 0], np.array(["text"])])
def test_what_is_no_plain_data_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="no plain data"):
        pack(value)


@pytest.mark.parametrize(
    "tree",
    [
        *([], ["no such kind", 1], ["array", 7], ["fraction", 1, "2"], ["dict", 3]),
        ["object", "os", "system", "true"],
        ["object", "megafs_video.values", "dataclass"],
        ["object", "megafs_video.values", "check_shape", "a", 1, 2],
        ["object", "megafs_video.no_such_module", "Face"],
        ["object", "megafs_video.trajectories.filters", "Sample", 1],
        ["enum", "megafs_video.pipeline.cuts", "Change", "NO SUCH CHANGE"],
    ],
)
def test_a_memory_that_was_tampered_with_is_refused_and_nothing_is_run(tree: Any) -> None:
    with pytest.raises(ValueError, match="no memory of a stage"):
        unpack(Packed(tree, []))
