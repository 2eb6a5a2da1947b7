"""Compiled by OpenVINO the paper's model is the same model."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from megafs_video.model import load_model
from tests.official import official_parts
from tests.tiny import check_close, random_pixels

pytest.importorskip("openvino", reason="OpenVINO is an optional extra and is not installed")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    parts = official_parts()
    torch.save({"e": parts["e"], "s": parts["s"]}, tmp_path / "ftm_final.pth")
    torch.save({"g_ema": parts["g_ema"]}, tmp_path / "stylegan2-ffhq-config-f.pth")
    return tmp_path


def test_a_compiled_model_computes_what_torch_computes(folder: Path) -> None:
    plain = load_model(folder, device="cpu")
    compiled = load_model(folder, device="cpu", engine="openvino")
    assert (plain.engine, compiled.engine) == ("torch", "openvino")
    pixels = random_pixels(2, 256)
    found, wanted = compiled.encode(pixels), plain.encode(pixels)
    check_close(found.constant, wanted.constant)
    check_close(found.styles, wanted.styles)
    check_close(compiled.generate(wanted), plain.generate(wanted))
    assert compiled.generate(wanted[:0]).shape == (0, 3, 32, 32)
    assert len(compiled.encode(pixels[:0])) == 0
