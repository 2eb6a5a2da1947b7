"""Published files: sizes read off them, weights laid out, and damage named."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from benchmarks import straightforward
from megafs_video.networks.dims import PAPER, Dims
from megafs_video.networks.frozen import freeze
from megafs_video.networks.official import ftm_state, hierfe_state, injection_state, official_dims
from megafs_video.networks.rosinality import generator_channels, stylegan2_state
from megafs_video.networks.transfer import FaceTransfer
from megafs_video.values import Latents
from tests.official import TINY_PAPER, TINY_W_PLUS, official_parts, stylegan2_shapes
from tests.tiny import check_close, random_latents

LOW = TINY_PAPER.num_low


def dims_of(parts: dict[str, dict[str, Tensor]]) -> Dims:
    return official_dims(parts["e"], parts["s"], parts["g_ema"])


@pytest.mark.parametrize("dims", [TINY_PAPER, TINY_W_PLUS])
def test_every_size_is_read_off_the_files(dims: Dims) -> None:
    assert dims_of(official_parts(dims)) == dims


@pytest.mark.parametrize("swapper", ["injection", "lcr"])
def test_swappers_without_cells_leave_their_sizes_at_the_papers(swapper: str) -> None:
    wanted = replace(
        TINY_PAPER,
        transfer_width=PAPER.transfer_width,
        transfer_cells=PAPER.transfer_cells,
    )
    assert dims_of(official_parts(swapper=swapper)) == wanted


def test_a_generator_of_any_size_is_known_by_its_channels() -> None:
    state = {name: torch.zeros(shape) for name, shape in stylegan2_shapes(TINY_PAPER).items()}
    assert generator_channels(state) == TINY_PAPER.generator_channels


@pytest.mark.parametrize("num_sources", [1, 3])
@torch.inference_mode()
def test_all_blocks_at_once_equal_the_published_blocks(num_sources: int) -> None:
    state = official_parts()["s"]
    transfer = FaceTransfer(TINY_PAPER)
    transfer.load_state_dict(ftm_state(state, TINY_PAPER))
    source = random_latents(num_sources, TINY_PAPER)
    target = random_latents(3, TINY_PAPER, seed=1)
    found: Latents = freeze(transfer)(source, target)
    repeated = source.styles.expand(3, -1, -1)
    wanted = straightforward.transfer(state, repeated[:, LOW:], target.styles[:, LOW:])
    check_close(found.styles[:, LOW:], wanted)


def read(part: str, tensors: dict[str, Tensor], swapper: str) -> None:
    """Lay out one part, as loading does."""
    if part == "e":
        hierfe_state(tensors, TINY_PAPER)
    elif part == "g_ema":
        stylegan2_state(tensors, TINY_PAPER)
    elif swapper == "ftm":
        ftm_state(tensors, TINY_PAPER)
    else:
        injection_state(tensors, TINY_PAPER)


@pytest.mark.parametrize(
    ("part", "swapper"), [("e", "ftm"), ("s", "ftm"), ("s", "injection"), ("g_ema", "ftm")]
)
def test_a_missing_a_misshapen_and_a_foreign_tensor_are_named(part: str, swapper: str) -> None:
    whole = official_parts(swapper=swapper)[part]
    read(part, whole, swapper)
    for name in list(whole)[::7]:  # every kind of layer is among them, and all would take long
        without = {key: tensor for key, tensor in whole.items() if key != name}
        with pytest.raises(ValueError, match=f"has no tensor '{name}'"):
            read(part, without, swapper)
        with pytest.raises(ValueError, match=f"'{name}' has shape .*, wanted"):
            read(part, whole | {name: torch.zeros(3, 1, 7)}, swapper)
    with pytest.raises(ValueError, match="has no place for 'stranger'"):
        read(part, whole | {"stranger": torch.zeros(1)}, swapper)


@pytest.mark.parametrize(
    ("part", "name"),
    [("e", "mapping1.0.convs.0.weight"), ("g_ema", "input.input"), ("g_ema", "conv1.conv.weight")],
)
def test_a_tensor_from_which_a_size_is_read_is_named_too(part: str, name: str) -> None:
    parts = official_parts()
    kept = parts[part].pop(name)
    with pytest.raises(ValueError, match=f"has no tensor '{name}'"):
        dims_of(parts)
    parts[part][name] = kept.flatten()
    with pytest.raises(ValueError, match=f"'{name}' has shape"):
        dims_of(parts)


def test_another_blur_is_refused() -> None:
    state = official_parts()["g_ema"]
    state["convs.0.conv.blur.kernel"] = torch.full((4, 4), 0.25)
    with pytest.raises(ValueError, match=r"'convs\.0\.conv\.blur\.kernel' holds another blur"):
        stylegan2_state(state, TINY_PAPER)


def test_weights_in_double_precision_are_read_as_float32() -> None:
    state = {name: tensor.double() for name, tensor in official_parts()["g_ema"].items()}
    assert {t.dtype for t in stylegan2_state(state, TINY_PAPER).values()} == {torch.float32}
