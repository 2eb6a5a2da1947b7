"""The published files as a model: loaded, converted and described; whatever is off is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from benchmarks import straightforward
from megafs_video.errors import InputNotFoundError, OutputError, WeightsError
from megafs_video.model import Model, load_model
from megafs_video.networks.dims import Dims
from megafs_video.published import convert_published, describe_published, read_published
from megafs_video.weights.cache import sha256_of
from megafs_video.weights.checkpoint import load_checkpoint
from tests.nvidia import write_tensorflow_pickle, write_torch_pickle
from tests.official import TINY_PAPER, TINY_W_PLUS, official_parts
from tests.tiny import check_close, random_pixels

GENERATOR = "stylegan2-ffhq-config-f.pth"
LOW = TINY_PAPER.num_low


def write_folder(folder: Path, swapper: str = "ftm", dims: Dims = TINY_PAPER) -> Path:
    """The two published files of one swapper, with tiny networks inside."""
    parts = official_parts(dims, swapper)
    folder.mkdir(exist_ok=True)
    torch.save({"e": parts["e"], "s": parts["s"]}, folder / f"{swapper}_final.pth")
    torch.save({"g_ema": parts["g_ema"]}, folder / GENERATOR)
    return folder


@torch.inference_mode()
def straight_swap(dims: Dims, swapper: str, pixels: Tensor) -> Tensor:
    """Source (the last) into targets (the others) by the plain computation: [N - 1, 3, R, R]."""
    parts = official_parts(dims, swapper)
    constant, styles = straightforward.encode(parts["e"], pixels)
    if constant is None:
        constant = parts["g_ema"]["input.input"].expand(len(pixels), -1, -1, -1)
    source, target = styles[-1:].expand_as(styles[:-1])[:, LOW:], styles[:-1, LOW:]
    move = {"ftm": straightforward.transfer, "injection": straightforward.inject}
    high = move[swapper](parts["s"], source, target) if swapper in move else source
    mixed = torch.cat((styles[:-1, :LOW], high), dim=1)
    return straightforward.generate(parts["g_ema"], constant[:-1], mixed)


def swap(model: Model, pixels: Tensor) -> Tensor:
    """The same by the model's three calls."""
    source, target = model.encode(pixels[-1:]), model.encode(pixels[:-1])
    return model.generate(model.transfer(source, target))


@pytest.mark.parametrize("swapper", ["ftm", "injection", "lcr"])
@pytest.mark.parametrize("dims", [TINY_PAPER, TINY_W_PLUS], ids=["W++", "W+"])
def test_a_folder_of_published_files_swaps_as_published(
    tmp_path: Path, swapper: str, dims: Dims
) -> None:
    model = load_model(
        write_folder(tmp_path / "official", swapper, dims), swapper=swapper, device="cpu"
    )
    pixels = random_pixels(3, 256)
    assert model.dims.space == dims.space
    assert sorted(model.hashes) == [f"{swapper}_final.pth", GENERATOR]
    check_close(swap(model, pixels), straight_swap(dims, swapper, pixels))


@pytest.mark.parametrize("swapper", ["ftm", "injection"])
def test_in_half_precision_it_is_close_and_gives_float32(tmp_path: Path, swapper: str) -> None:
    exact = load_model(write_folder(tmp_path, swapper), swapper=swapper, device="cpu")
    half = replace(exact, dtype=torch.bfloat16)  # whether or not this processor is fast with it
    pixels = random_pixels(2, 256)
    found, wanted = swap(half, pixels), swap(exact, pixels)
    assert found.dtype == torch.float32
    assert not torch.equal(found, wanted)
    # bfloat16 keeps 8 bits; errors of some thirty layers add up.
    torch.testing.assert_close(found, wanted, atol=0.1 * float(wanted.abs().max()), rtol=0)


@pytest.mark.parametrize("swapper", ["ftm", "injection", "lcr"])
def test_converted_it_is_the_same_model(tmp_path: Path, swapper: str) -> None:
    folder = write_folder(tmp_path / "official", swapper)
    paths = convert_published(folder, tmp_path / "converted", swapper)
    checkpoint = load_checkpoint(paths[0], kind="encoder")
    assert checkpoint.card["converted_from_sha256"] == sha256_of(folder / f"{swapper}_final.pth")
    assert Dims.from_json(checkpoint.dims_json) == read_published(folder, swapper).dims
    pixels = random_pixels(2, 256)
    found, wanted = (
        swap(load_model(path, swapper=swapper, device="cpu"), pixels)
        for path in (tmp_path / "converted", folder)
    )
    check_close(found, wanted)
    with pytest.raises(OutputError, match=r"encoder\.safetensors exists; remove it"):
        convert_published(folder, tmp_path / "converted", swapper)


def test_networks_of_two_models_are_not_put_together(tmp_path: Path) -> None:
    for name, dims in (("one", TINY_PAPER), ("other", TINY_W_PLUS)):
        folder = write_folder(tmp_path / "official", "ftm", dims)
        convert_published(folder, tmp_path / name, "ftm")
    (tmp_path / "other" / "generator.safetensors").replace(tmp_path / "one/generator.safetensors")
    with pytest.raises(WeightsError, match=r"generator\.safetensors is of another model than"):
        load_model(tmp_path / "one", device="cpu")


@pytest.mark.parametrize("write", [write_torch_pickle, write_tensorflow_pickle])
def test_nvidias_pickle_serves_as_generator(tmp_path: Path, write: Any) -> None:
    folder = write_folder(tmp_path / "official")
    pixels = random_pixels(2, 256)
    wanted = swap(load_model(folder, device="cpu"), pixels)
    (folder / GENERATOR).unlink()
    write(folder / "ffhq.pkl", official_parts()["g_ema"])
    check_close(swap(load_model(folder, device="cpu"), pixels), wanted)


def test_a_folder_without_the_swapper_or_with_an_unclear_generator_is_refused(
    tmp_path: Path,
) -> None:
    folder = write_folder(tmp_path / "official")
    with pytest.raises(InputNotFoundError, match=r"injection_final\.pth is missing"):
        load_model(folder, swapper="injection")
    (folder / GENERATOR).unlink()
    with pytest.raises(InputNotFoundError, match=f"no generator: put {GENERATOR}"):
        load_model(folder)
    for name in ("a.pt", "b.pkl"):
        (folder / name).touch()
    with pytest.raises(InputNotFoundError, match=r"several files .* \(a\.pt, b\.pkl\)"):
        load_model(folder)


def test_weights_for_replacement_which_has_none_are_refused(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "official", "injection")
    (folder / "injection_final.pth").replace(folder / "lcr_final.pth")
    with pytest.raises(WeightsError, match=r"no place for 'blocks\.0\.att_path1"):
        load_model(folder, swapper="lcr")


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "official")
    path = folder / "ftm_final.pth"
    torch.save({"e": {}}, path)
    with pytest.raises(WeightsError, match="not in the published layout: it has no part 's'"):
        load_model(folder)
    torch.save({"e": {"weight": 3}, "s": {}}, path)
    with pytest.raises(WeightsError, match="'weight' is no tensor"):
        load_model(folder)


def test_a_published_file_is_described(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "official")
    found = describe_published(folder / "ftm_final.pth")
    assert "HieRFE and a swapper (FTM)" in str(found["holds"])
    assert (found["codes"], found["constant"]) == ("2 + 3 + 3", "predicted (W++)")
    write_torch_pickle(folder / "ffhq.pkl", official_parts()["g_ema"])
    for name in (GENERATOR, "ffhq.pkl"):
        found = describe_published(folder / name)
        assert (found["holds"], found["resolution"]) == ("a StyleGAN2 generator", 32)
    torch.save({"g_ema": {}}, folder / GENERATOR)
    with pytest.raises(WeightsError, match=r"has no tensor 'conv1\.conv\.weight'"):
        describe_published(folder / GENERATOR)
