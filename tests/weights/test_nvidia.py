"""NVIDIA's pickles give their numbers and never run what is in them."""

from __future__ import annotations

import collections
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from megafs_video.errors import WeightsError
from megafs_video.networks import nvidia
from megafs_video.weights.nvidia import read_nvidia
from tests.nvidia import write_tensorflow_pickle, write_torch_pickle
from tests.official import TINY_PAPER, random_state, stylegan2_shapes

STATE = random_state(stylegan2_shapes(TINY_PAPER))
Write = Callable[[Path, Mapping[str, Tensor]], None]


@pytest.mark.parametrize(
    ("write", "rename"),
    [
        (write_torch_pickle, nvidia.from_torch),
        (write_tensorflow_pickle, nvidia.from_tensorflow),
    ],
)
def test_a_generator_of_nvidias_is_the_same_under_rosinalitys_names(
    tmp_path: Path, write: Write, rename: Callable[[Mapping[str, Tensor]], dict[str, Tensor]]
) -> None:
    path = tmp_path / "ffhq.pkl"
    write(path, STATE)
    found = rename(read_nvidia(path))
    assert sorted(found) == sorted(STATE)
    for name, tensor in STATE.items():
        torch.testing.assert_close(
            found[name], tensor, msg=lambda said, name=name: f"{name} {said}"
        )


class Evil:
    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return Path.touch, (Path("evil"),)


class Sly:
    """Hides an attack in a storage, which torch's own function would unpickle."""

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return torch.storage._load_from_bytes, (pickle.dumps(Evil(), protocol=2),)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"G_ema": Evil()}, r"it asks for pathlib.*\.Path.*, which no generator needs"),
        ({"G_ema": Sly()}, "is not a StyleGAN2 generator of NVIDIA's"),
        ({"G_ema": np.array([Evil()])}, "array of objects|it asks for"),
        ({"G_ema": eval}, r"it asks for builtins\.eval"),
        ({"G": collections.OrderedDict()}, "'G_ema'"),
        ({"G_ema": 3}, "no attribute 'state'"),
        ((1, 2, 3), "no attribute 'state'"),
        (7, "not subscriptable"),
    ],
)
def test_a_hostile_or_foreign_pickle_is_refused_and_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: object, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "ffhq.pkl"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(WeightsError, match=said):
        read_nvidia(path)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", [b"", b"not a pickle", b"\x80\x04\x95\xff"])
def test_a_damaged_pickle_and_a_missing_one_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ffhq.pkl"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"ffhq\.pkl is not a StyleGAN2 generator of NVIDIA's"):
        read_nvidia(path)
    with pytest.raises(WeightsError, match="No such file"):
        read_nvidia(path.with_name("gone"))


def test_a_generator_without_a_layer_is_refused_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "ffhq.pkl"
    write_torch_pickle(path, STATE)
    tensors = read_nvidia(path)
    del tensors["synthesis.b8.conv0.weight"]
    with pytest.raises(ValueError, match=r"has no tensor 'synthesis\.b8\.conv0\.weight'"):
        nvidia.from_torch(tensors)
    with pytest.raises(ValueError, match="has no place for 'stranger'"):
        nvidia.from_torch(read_nvidia(path) | {"stranger": torch.zeros(1)})
