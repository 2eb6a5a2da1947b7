"""Every format of a published model, damaged in every way: refused, and the culprit named."""

from __future__ import annotations

import pickle
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor

from megafs_video.errors import WeightsError
from megafs_video.model import load_model
from megafs_video.published import convert_published, describe_published
from megafs_video.weights.header import read_header
from tests.nvidia import dump_tensorflow, dump_torch, names_by_nvidia, variables_of
from tests.official import official_parts

GENERATOR = "stylegan2-ffhq-config-f.pth"
Tensors = dict[str, Tensor]


def write_part(path: Path, part: str, tensors: Tensors) -> None:
    """One part of a file that ``torch.save`` writes; the others stay."""
    content = torch.load(path, weights_only=True) if path.exists() else {}
    torch.save(content | {part: tensors}, path)


def read_part(path: Path, part: str) -> Tensors:
    found: Tensors = torch.load(path, weights_only=True)[part]
    return found


@dataclass(frozen=True)
class Format:
    """A file of a published model: how to read and write its tensors, and whose they are."""

    swapper: str
    file_name: str
    read: Callable[[Path], Tensors]
    write: Callable[[Path, Tensors], None]
    culprit: str  # a tensor to take away or to misshape


def saved(swapper: str, file_name: str, part: str, culprit: str) -> Format:
    return Format(
        swapper,
        file_name,
        lambda path: read_part(path, part),
        lambda path, tensors: write_part(path, part, tensors),
        culprit,
    )


def converted(kind: str, culprit: str) -> Format:
    """What ``models convert`` writes."""

    def write(path: Path, tensors: Tensors) -> None:
        metadata = dict(read_header(path).metadata)
        safetensors.torch.save_file(tensors, path, metadata)

    read = safetensors.torch.load_file
    return Format("converted", f"{kind}.safetensors", read, write, culprit)


FORMATS = {
    "encoder of ftm": saved("ftm", "ftm_final.pth", "e", "fpn.output2.0.bias"),
    "ftm": saved("ftm", "ftm_final.pth", "s", "blocks.5.att_shifters.1.2.bias"),
    "injection": saved(
        "injection", "injection_final.pth", "s", "blocks.2.att_path2.0.0.att_bns.running_mean"
    ),
    "encoder of lcr": saved("lcr", "lcr_final.pth", "e", "mapping3.2.convs.7.weight"),
    "rosinality": saved("ftm", GENERATOR, "g_ema", "convs.2.noise.weight"),
    "nvidia, torch": Format(
        "ftm",
        "ffhq.pkl",
        lambda path: names_by_nvidia(official_parts()["g_ema"]),
        dump_torch,
        "synthesis.b16.conv0.affine.bias",
    ),
    "nvidia, tensorflow": Format(
        "ftm",
        "ffhq.pkl",
        lambda path: variables_of(official_parts()["g_ema"]),
        dump_tensorflow,
        "synthesis/16x16/Conv0_up/weight",
    ),
    "converted encoder": converted("encoder", "readers.1.steps.0.weight"),
    "converted ftm": converted("transfer", "cells.1.source_gate.out.weight"),
    "converted generator": converted("generator", "blocks.1.up.noise"),
}


def write_folder(folder: Path, form: Format) -> None:
    """A sound model that holds a file of the format."""
    swapper = "ftm" if form.swapper == "converted" else form.swapper
    parts = official_parts(swapper=swapper)
    for part in ("e", "s"):
        write_part(folder / f"{swapper}_final.pth", part, parts[part])
    path = folder / form.file_name
    if path.suffix == ".pkl":
        form.write(path, form.read(path))
    else:
        write_part(folder / GENERATOR, "g_ema", parts["g_ema"])
    if form.swapper == "converted":
        convert_published(folder, folder / "converted", swapper)


@pytest.fixture(params=FORMATS)
def name(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A folder with a sound model for each format, written once."""

    @cache
    def folder(name: str) -> Path:
        made = tmp_path_factory.mktemp("sound")
        write_folder(made, FORMATS[name])
        return made

    return folder


@pytest.fixture
def path(tmp_path: Path, sound: Callable[[str], Path], name: str) -> Path:
    """The file of the format in a sound model, for the test to damage."""
    form = FORMATS[name]
    shutil.copytree(sound(name), tmp_path / "model")
    is_converted = form.swapper == "converted"
    return tmp_path / "model" / ("converted" if is_converted else "") / form.file_name


def refusal(path: Path, form: Format) -> str:
    """What is said when the model is loaded."""
    swapper = "ftm" if form.swapper == "converted" else form.swapper
    with pytest.raises(WeightsError) as caught:
        load_model(path.parent, swapper=swapper, device="cpu")
    said = str(caught.value)
    assert str(path) in said
    assert "\n" not in said
    return said


def test_a_sound_file_is_read(path: Path, name: str) -> None:
    form = FORMATS[name]
    swapper = "ftm" if form.swapper == "converted" else form.swapper
    assert load_model(path.parent, swapper=swapper, device="cpu").dims.family == "paper"


def test_a_missing_an_extra_and_a_misshapen_tensor_are_named(path: Path, name: str) -> None:
    form = FORMATS[name]
    whole = form.read(path)
    form.write(path, {key: tensor for key, tensor in whole.items() if key != form.culprit})
    assert f"has no tensor {form.culprit!r}" in refusal(path, form)
    stranger = form.culprit + "_stranger"
    form.write(path, whole | {stranger: torch.zeros(1)})
    assert f"has no place for {stranger!r}" in refusal(path, form)
    form.write(path, whole | {form.culprit: torch.zeros(2, 9, 1)})
    assert f"{form.culprit!r} has shape [2, 9, 1], wanted" in refusal(path, form)


def test_a_file_that_was_cut_off_is_refused(path: Path, name: str) -> None:
    content = path.read_bytes()
    for share in (0.0, 0.01, 0.5, 0.999):
        path.write_bytes(content[: int(share * len(content))])
        refusal(path, FORMATS[name])


class Evil:
    """Would write a file if it were unpickled."""

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return exec, ("open('evil', 'w')",)


def test_a_forbidden_name_in_a_pickle_is_said_and_nothing_is_run(
    path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(path.parent)
    content = {"e": Evil(), "s": {}, "g_ema": {}, "G_ema": {}}
    if path.suffix == ".safetensors":
        path.write_bytes(pickle.dumps(content))
        refusal(path, FORMATS[name])
        return
    path.write_bytes(pickle.dumps(content, protocol=2))
    assert re.search(r"\bexec\b", refusal(path, FORMATS[name]))
    if path.suffix == ".pth":
        torch.save(content, path)
        assert re.search(r"\bexec\b", refusal(path, FORMATS[name]))
    with pytest.raises(WeightsError, match=r"\bexec\b"):
        describe_published(path)
    assert not Path("evil").exists()
