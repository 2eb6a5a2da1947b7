"""Checkpoints come back as they went, and nothing else comes in."""

from __future__ import annotations

import hashlib
import json
import pickle
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from megafs_video.errors import WeightsError
from megafs_video.weights.checkpoint import (
    load_checkpoint,
    load_into,
    load_pickle,
    save_checkpoint,
)
from megafs_video.weights.header import TensorInfo, read_header

DIMS = json.dumps({"crop_size": 64})


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "encoder.safetensors"
    tensors = {"weight": torch.arange(6.0).reshape(2, 3), "bias": torch.ones(2).half()}
    save_checkpoint(path, tensors, kind="encoder", dims_json=DIMS, card={"licence": "Apache-2.0"})
    return path


def test_a_checkpoint_comes_back_as_it_went(saved: Path) -> None:
    found = load_checkpoint(saved, kind="encoder")
    assert (found.kind, found.dims_json, found.card) == (
        "encoder",
        DIMS,
        {"licence": "Apache-2.0"},
    )
    assert torch.equal(found.tensors["weight"], torch.arange(6.0).reshape(2, 3))
    assert found.tensors["bias"].dtype == torch.float16


def test_the_header_tells_sizes_without_the_tensors(saved: Path) -> None:
    header = read_header(saved)
    assert header.num_parameters == 8
    assert header.tensors["bias"] == TensorInfo("F16", (2,))
    assert header.metadata["kind"] == "encoder"


def test_views_and_shared_tensors_can_be_saved(tmp_path: Path) -> None:
    whole = torch.arange(6.0).reshape(2, 3)
    path = tmp_path / "views.safetensors"
    save_checkpoint(path, {"a": whole, "b": whole, "t": whole.T}, kind="x", dims_json="{}", card={})
    assert torch.equal(load_checkpoint(path).tensors["t"], whole.T)


def test_a_failed_save_keeps_the_old_checkpoint(saved: Path) -> None:
    before = saved.read_bytes()
    with pytest.raises(TypeError, match="is not a JSON table"):
        save_checkpoint(saved, {}, kind="encoder", dims_json="[]", card={})
    with pytest.raises(ValueError, match="kind is empty"):
        save_checkpoint(saved, {}, kind="", dims_json=DIMS, card={})
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


def test_another_kind_is_refused(saved: Path) -> None:
    with pytest.raises(WeightsError, match="of kind 'encoder', wanted 'transfer'"):
        load_checkpoint(saved, kind="transfer")


@pytest.mark.parametrize(
    ("metadata", "fault"),
    [
        (None, "does not say its kind"),
        ({"kind": "encoder"}, "does not carry the sizes"),
        ({"kind": "encoder", "dims": "{"}, "does not carry the sizes"),
        ({"kind": "encoder", "dims": "3"}, "does not carry the sizes"),
        ({"kind": "encoder", "dims": "{}", "card": "[]"}, "does not carry the sizes"),
    ],
)
def test_a_foreign_file_is_refused(
    tmp_path: Path, metadata: dict[str, str] | None, fault: str
) -> None:
    path = tmp_path / "foreign.safetensors"
    safetensors.torch.save_file({"weight": torch.ones(2)}, path, metadata=metadata)
    with pytest.raises(WeightsError, match=fault):
        load_checkpoint(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x02",
        b"\xff" * 8 + b"{}",
        (2).to_bytes(8, "little") + b"[]",
        (5).to_bytes(8, "little") + b"[" * 5,
        (12).to_bytes(8, "little") + b'{"a": "b"}  ',
    ],
)
def test_a_hostile_header_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "hostile.safetensors"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="damaged or no safetensors file"):
        load_checkpoint(path)


def test_a_cut_off_checkpoint_and_a_missing_one_are_refused(saved: Path) -> None:
    saved.write_bytes(saved.read_bytes()[:-3])
    with pytest.raises(WeightsError, match=r"encoder\.safetensors is damaged"):
        load_checkpoint(saved)
    with pytest.raises(WeightsError, match="cannot be read: No such file"):
        load_checkpoint(saved.with_name("gone"))


def test_tensors_must_fit_the_module(tmp_path: Path) -> None:
    module = nn.Linear(3, 2)
    good = {"weight": torch.ones(2, 3), "bias": torch.zeros(2).half()}
    load_into(module, good, tmp_path)
    assert torch.equal(module.weight, torch.ones(2, 3))
    with pytest.raises(WeightsError, match="it has no tensor 'bias'"):
        load_into(module, {"weight": torch.ones(2, 3)}, tmp_path)
    with pytest.raises(WeightsError, match=r"'weight' has shape \[3, 2\], wanted \[2, 3\]"):
        load_into(module, good | {"weight": torch.ones(3, 2)}, tmp_path)
    with pytest.raises(WeightsError, match="it has no place for 'more'"):
        load_into(module, good | {"more": torch.ones(1)}, tmp_path)


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_pickle_of_tensors_is_read(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    torch.save({"weight": torch.ones(2)}, path)
    assert torch.equal(load_pickle(path, sha256=sha256_of(path))["weight"], torch.ones(2))


def test_a_pickle_is_not_opened_before_its_sha256_is_right(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    torch.save({"weight": torch.ones(2)}, path)
    with pytest.raises(WeightsError, match=r"net\.pth is damaged \(sha256 .*, wanted 00000000\)"):
        load_pickle(path, sha256="0" * 64)


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (Path("evil"),))  # type: ignore[return-value]


@pytest.mark.parametrize("content", [b"", b"not a pickle", pickle.dumps(Evil(), protocol=2)])
def test_a_pickle_of_anything_else_is_refused(
    tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "net.pth"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="is not a file of plain tensors"):
        load_pickle(path, sha256=sha256_of(path))
    assert list(tmp_path.iterdir()) == [path]
