"""On a graphics card both models compute what they compute on the CPU."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from megafs_video.model import Model, load_model
from megafs_video.values import Latents
from tests.official import official_parts
from tests.tiny import random_pixels

# Of the largest value. TF32, which cuDNN may take for float32, keeps 11 bits and float16 too;
# bfloat16 keeps 8. Errors of some thirty layers add up.
TOLERANCES = {"float32": 0.01, "float16": 0.03, "bfloat16": 0.15}


def check_same(cpu: Model, card: Model, tolerance: float) -> None:
    """Each part alone, on what the CPU gave before it."""
    pixels = random_pixels(3, cpu.dims.crop_size)
    latents = cpu.encode(pixels)
    found = card.encode(pixels)
    swapped = cpu.transfer(latents[:1], latents)
    for name, one, other in (
        ("styles", found.styles, latents.styles),
        ("constant", found.constant, latents.constant),
        ("swapped", card.transfer(latents[:1], latents).styles, swapped.styles),
        ("pixels", card.generate(swapped), cpu.generate(swapped)),
    ):
        assert one.device.type == "cuda", name
        assert one.dtype == torch.float32, name
        error = float((one.cpu() - other).abs().max() / other.abs().max())
        assert error < tolerance, f"{name}: {error:.3g}"


@pytest.mark.gpu
@pytest.mark.parametrize("precision", TOLERANCES)
@pytest.mark.parametrize("swapper", ["ftm", "injection", "lcr"])
def test_the_papers_model_is_the_same_on_cuda(tmp_path: Path, swapper: str, precision: str) -> None:
    parts = official_parts(swapper=swapper)
    torch.save({"e": parts["e"], "s": parts["s"]}, tmp_path / f"{swapper}_final.pth")
    torch.save({"g_ema": parts["g_ema"]}, tmp_path / "stylegan2-ffhq-config-f.pth")
    cpu, card = (
        load_model(tmp_path, swapper=swapper, device=device, precision=numbers)
        for device, numbers in (("cpu", "float32"), ("cuda", precision))
    )
    check_same(cpu, card, TOLERANCES[precision])


@pytest.mark.gpu
@pytest.mark.e2e
@pytest.mark.parametrize("precision", TOLERANCES)
def test_the_default_model_is_the_same_on_cuda(precision: str) -> None:
    cpu = load_model(device="cpu")
    card = load_model(device="cuda", precision=precision)
    check_same(cpu, card, TOLERANCES[precision])


@pytest.mark.gpu
def test_nobody_is_nobody_on_cuda(tmp_path: Path) -> None:
    parts = official_parts()
    torch.save({"e": parts["e"], "s": parts["s"]}, tmp_path / "ftm_final.pth")
    torch.save({"g_ema": parts["g_ema"]}, tmp_path / "stylegan2-ffhq-config-f.pth")
    card = load_model(tmp_path, device="cuda")
    nobody: Latents = card.encode(random_pixels(0, card.dims.crop_size))
    assert len(card.generate(nobody)) == 0
