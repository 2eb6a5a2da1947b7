"""State dicts in the published layouts, of any size, with random values."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import prod

import torch
from torch import Tensor

from megafs_video.networks.dims import PAPER, Dims

Shapes = dict[str, tuple[int, ...]]

TINY_PAPER = replace(
    PAPER,
    style_size=8,
    constant_channels=8,
    generator_channels=(8, 6, 6, 4),
    num_low=2,
    codes_per_map=(2, 3, 3),
    backbone_widths=(4, 4, 4, 4, 4),
    backbone_depths=(1, 2, 1, 1, 2),
    pyramid_width=8,
    mapping_width=6,
    transfer_width=6,
    transfer_cells=2,
)
"""The published networks, small enough for unit tests: pictures of 32 pixels."""

TINY_W_PLUS = replace(
    TINY_PAPER, space="W+", backbone_widths=(4, 4, 4, 4), backbone_depths=(1, 2, 1, 1)
)


def norm_shapes(name: str, channels: int) -> Shapes:
    leaves = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{leaf}": (channels,) for leaf in leaves} | {f"{name}.num_batches_tracked": ()}


def hierfe_shapes(dims: Dims) -> Shapes:
    """Part "e" of a published file."""
    backbone = "fpn.backbone."
    before = dims.backbone_widths[0]
    shapes: Shapes = {f"{backbone}conv1.weight": (before, 3, 7, 7)}
    shapes |= norm_shapes(f"{backbone}bn1", before)
    maps = []
    for stage, (width, depth) in enumerate(
        zip(dims.backbone_widths, dims.backbone_depths, strict=True), 1
    ):
        for block in range(depth):
            name = f"{backbone}layer{stage}.{block}."
            shapes[f"{name}conv1.weight"] = (width, before, 1, 1)
            shapes[f"{name}conv2.weight"] = (width, width, 3, 3)
            shapes[f"{name}conv3.weight"] = (4 * width, width, 1, 1)
            for index, channels in enumerate((width, width, 4 * width), 1):
                shapes |= norm_shapes(f"{name}bn{index}", channels)
            if block == 0:
                shapes[f"{name}downsample.0.weight"] = (4 * width, before, 1, 1)
                shapes |= norm_shapes(f"{name}downsample.1", 4 * width)
            before = 4 * width
        maps.append(before)
    outputs = dict.fromkeys((1, 2, 3), dims.pyramid_width)
    if dims.space == "W++":
        outputs[4] = dims.constant_channels
    for index, channels in outputs.items():
        name = f"fpn.output{index}"
        shapes[f"{name}.0.weight"] = (channels, maps[index], 3, 3)
        shapes[f"{name}.0.bias"] = (channels,)
        shapes |= norm_shapes(f"{name}.1", channels)
    for group, num_codes in enumerate(dims.codes_per_map, 1):
        for code in range(num_codes):
            widths = [dims.pyramid_width] + [dims.mapping_width] * (group + 1) + [dims.style_size]
            for step, (inner, outer) in enumerate(pairwise(widths)):
                name = f"mapping{group}.{code}.convs."
                shapes[f"{name}{3 * step}.weight"] = (outer, inner, 3, 3)
                shapes[f"{name}{3 * step}.bias"] = (outer,)
                shapes |= norm_shapes(f"{name}{3 * step + 1}", outer)
    return shapes


def linear_shapes(name: str, out_size: int, in_size: int) -> Shapes:
    return {f"{name}.weight": (out_size, in_size), f"{name}.bias": (out_size,)}


def ftm_shapes(dims: Dims) -> Shapes:
    """Part "s" of ``ftm_final.pth``."""
    size, width = dims.style_size, dims.transfer_width
    shapes: Shapes = {"weight": (1, dims.num_high, size)}
    for code in range(dims.num_high):
        for kind in ("idd_selectors", "idd_shifters", "att_selectors", "att_shifters"):
            for cell in range(dims.transfer_cells):
                name = f"blocks.{code}.{kind}.{cell}"
                shapes |= linear_shapes(f"{name}.0", width, 2 * size)
                shapes |= linear_shapes(f"{name}.2", size, width)
    return shapes


def injection_shapes(dims: Dims) -> Shapes:
    """Part "s" of ``injection_final.pth``."""
    size = dims.style_size
    shapes: Shapes = {}
    for code in range(dims.num_high):
        for path in ("att_path1", "att_path2"):
            name = f"blocks.{code}.{path}.0."
            for layer in ("0.idd_linears.0", "0.idd_selectors", "0.idd_shifters", "2"):
                shapes |= linear_shapes(f"{name}{layer}", size, size)
            norm = norm_shapes(f"{name}0.att_bns", size)
            shapes |= {key: shape for key, shape in norm.items() if "running" in key or not shape}
    return shapes


def stylegan2_shapes(dims: Dims) -> Shapes:
    """Part "g_ema" of ``stylegan2-ffhq-config-f.pth``."""
    size, channels = dims.style_size, dims.generator_channels
    shapes: Shapes = {"input.input": (1, dims.constant_channels, 4, 4)}
    for layer in range(1, 9):
        shapes |= linear_shapes(f"style.{layer}", size, size)

    def add(name: str, outer: int, inner: int, kernel: int) -> None:
        shapes[f"{name}.conv.weight"] = (1, outer, inner, kernel, kernel)
        shapes.update(linear_shapes(f"{name}.conv.modulation", inner, size))
        shapes[f"{name}.conv.modulation.bias"] = (inner,)
        if kernel == 1:
            shapes[f"{name}.bias"] = (1, 3, 1, 1)
        else:
            shapes[f"{name}.noise.weight"] = (1,)
            shapes[f"{name}.activate.bias"] = (outer,)

    add("conv1", channels[0], dims.constant_channels, 3)
    add("to_rgb1", 3, channels[0], 1)
    for block, (before, after) in enumerate(pairwise(channels)):
        add(f"convs.{2 * block}", after, before, 3)
        add(f"convs.{2 * block + 1}", after, after, 3)
        add(f"to_rgbs.{block}", 3, after, 1)
        shapes[f"convs.{2 * block}.conv.blur.kernel"] = (4, 4)
        shapes[f"to_rgbs.{block}.upsample.kernel"] = (4, 4)
    for index in range(2 * len(channels) - 1):
        side = 4 << (index + 1) // 2
        shapes[f"noises.noise_{index}"] = (1, 1, side, side)
    return shapes


def random_state(shapes: Shapes, seed: int = 0) -> dict[str, Tensor]:
    """Values of a size that keeps the networks' features finite and none of their terms silent."""
    random = torch.Generator().manual_seed(seed)
    blur = torch.tensor([0.25, 0.75, 0.75, 0.25])
    state = {}
    for name, shape in shapes.items():
        values = torch.randn(shape, generator=random)
        if name.endswith("num_batches_tracked"):
            values = torch.tensor(1)
        elif name.endswith("kernel"):
            values = torch.outer(blur, blur)
        elif name.endswith("running_var"):
            values = 1 + 0.5 * values.abs()
        elif name.endswith("modulation.bias") or (name.endswith("weight") and len(shape) == 1):
            values = 1 + 0.2 * values
        elif len(shape) in (2, 4) and "modulation" not in name and "noises" not in name:
            values = values * (2 / prod(shape[1:])) ** 0.5
        elif name.endswith("bias"):
            values = 0.1 * values
        state[name] = values
    return state


def official_parts(dims: Dims = TINY_PAPER, swapper: str = "ftm") -> dict[str, dict[str, Tensor]]:
    """Parts "e", "s" and "g_ema" of one model."""
    swapper_shapes = {
        "ftm": ftm_shapes(dims),
        "injection": injection_shapes(dims),
        "lcr": Shapes(),
    }
    return {
        "e": random_state(hierfe_shapes(dims)),
        "s": random_state(swapper_shapes[swapper], seed=1),
        "g_ema": random_state(stylegan2_shapes(dims), seed=2),
    }
