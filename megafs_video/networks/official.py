"""The published MegaFS files: sizes of the model, and weights laid out for our networks.

Pure functions of state dicts; ValueError names the first tensor that is missing, misshapen or has
no place. What does not depend on a face is computed here, once: batch norms are folded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from megafs_video.networks.dims import PAPER, Dims
from megafs_video.networks.layout import Layout, State
from megafs_video.networks.rosinality import generator_channels

BATCH_NORM_EPSILON = 1e-5
# (lateral, mapping networks) of the 8, 16 and 32 px maps, as the file counts them.
PYRAMID = ((3, "mapping1"), (2, "mapping2"), (1, "mapping3"))


def official_dims(
    encoder: Mapping[str, Tensor], swapper: Mapping[str, Tensor], generator: Mapping[str, Tensor]
) -> Dims:
    """Sizes of a model from its parts "e", "s" and "g_ema".

    ValueError names the first tensor from which a size cannot be read.
    """
    e, s, g = Layout(encoder), Layout(swapper), Layout(generator)
    is_w_plus = not any(name.startswith("fpn.backbone.layer5.") for name in encoder)
    num_stages = 4 if is_w_plus else 5
    layers = [f"fpn.backbone.layer{stage}." for stage in range(1, num_stages + 1)]
    channels = generator_channels(generator)
    first, second = (e.count(f"{mapping}.") for _, mapping in PYRAMID[:2])
    dims = PAPER
    if "weight" in swapper:  # FTM
        dims = replace(
            dims,
            transfer_width=s.shape("blocks.0.idd_selectors.0.0.weight", 2)[0],
            transfer_cells=s.count("blocks.0.idd_selectors."),
        )
    return replace(
        dims,
        space="W+" if is_w_plus else "W++",
        style_size=g.shape("conv1.conv.modulation.weight", 2)[1],
        constant_channels=g.shape("input.input", 4)[1],
        generator_channels=channels,
        num_low=first,
        codes_per_map=(first, second, max(0, 2 * len(channels) - first - second)),
        backbone_widths=tuple(e.shape(f"{layer}0.conv1.weight", 4)[0] for layer in layers),
        backbone_depths=tuple(e.count(layer) for layer in layers),
        pyramid_width=e.shape("fpn.output3.0.weight", 4)[0],
        mapping_width=e.shape("mapping1.0.convs.0.weight", 4)[0],
    )


def hierfe_state(
    encoder: Mapping[str, Tensor], dims: Dims, learned_constant: Tensor | None = None
) -> State:
    """The state dict of ``HieRFE`` from part "e"; W+ needs the generator's learned constant."""
    e = Layout(encoder)
    state: State = {}
    backbone = "fpn.backbone."
    channels = dims.backbone_widths[0]
    state |= _folded(e, f"{backbone}conv1", f"{backbone}bn1", (channels, 3, 7), "backbone.stem")
    for stage, (width, depth) in enumerate(
        zip(dims.backbone_widths, dims.backbone_depths, strict=True)
    ):
        for block in range(depth):
            theirs = f"{backbone}layer{stage + 1}.{block}."
            ours = f"backbone.stages.{stage}.{block}."
            shapes = ((width, channels, 1), (width, width, 3), (4 * width, width, 1))
            for index, shape in enumerate(shapes, 1):
                state |= _folded(
                    e, f"{theirs}conv{index}", f"{theirs}bn{index}", shape, f"{ours}conv{index}"
                )
            if block == 0:
                shape = (4 * width, channels, 1)
                names = (f"{theirs}downsample.0", f"{theirs}downsample.1")
                state |= _folded(e, *names, shape, f"{ours}shortcut")
            channels = 4 * width
    pyramid, mapping_width = dims.pyramid_width, dims.mapping_width
    for depth, ((lateral, mapping), num_codes) in enumerate(
        zip(PYRAMID, dims.codes_per_map, strict=True)
    ):
        shape = (pyramid, 4 * dims.backbone_widths[lateral], 3)
        names = (f"fpn.output{lateral}.0", f"fpn.output{lateral}.1")
        state |= _folded(e, *names, shape, f"laterals.{depth}", has_bias=True)
        num_steps = 3 + depth
        for step in range(num_steps):
            sizes = (
                dims.style_size if step == num_steps - 1 else mapping_width,
                pyramid if step == 0 else mapping_width,
                3,
            )
            networks = [f"{mapping}.{code}.convs." for code in range(num_codes)]
            layers = [
                _fold(e, f"{network}{3 * step}", f"{network}{3 * step + 1}", sizes, has_bias=True)
                for network in networks
            ]
            weights, biases = zip(*layers, strict=True)
            if step < num_steps - 1:
                state[f"readers.{depth}.steps.{step}.weight"] = torch.cat(weights)
                state[f"readers.{depth}.steps.{step}.bias"] = torch.cat(biases)
            else:
                seen = torch.stack(weights)[..., 1:, 1:].flatten(2)  # [codes, out, 4 · in]
                state[f"readers.{depth}.last.weight"] = seen.transpose(1, 2).contiguous()
                state[f"readers.{depth}.last.bias"] = torch.stack(biases)[:, None]
    if dims.space == "W++":
        shape = (dims.constant_channels, channels, 3)
        state |= _folded(e, "fpn.output4.0", "fpn.output4.1", shape, "constant", has_bias=True)
    elif learned_constant is not None:
        state["learned_constant"] = learned_constant
    e.finish()
    return state


def ftm_state(swapper: Mapping[str, Tensor], dims: Dims) -> State:
    """The state dict of ``FaceTransfer`` from part "s" of ``ftm_final.pth``.

    The file calls the source idd and the target att.
    """
    s = Layout(swapper)
    size, width = dims.style_size, dims.transfer_width
    # In the released code σ(ω) weighs the source, in Eq. 3 the target: 1 - σ(ω) = σ(-ω).
    balance = -s.take("weight", 1, dims.num_high, size)
    state: State = {
        "balance": balance.transpose(0, 1),
        "style_mean": torch.zeros(size),
        "style_scale": torch.ones(size),
    }
    networks = {
        "source_gate": "idd_selectors",
        "source_shift": "idd_shifters",
        "target_gate": "att_selectors",
        "target_shift": "att_shifters",
    }
    for cell in range(dims.transfer_cells):
        for ours, theirs in networks.items():
            for layer, index, sizes in (
                ("hidden", 0, (width, 2 * size)),
                ("out", 2, (size, width)),
            ):
                name = f"blocks.{{}}.{theirs}.{cell}.{index}"
                state |= _codewise(s, name, sizes, dims, f"cells.{cell}.{ours}.{layer}")
    s.finish()
    return state


def injection_state(swapper: Mapping[str, Tensor], dims: Dims) -> State:
    """The state dict of ``IdInjection`` from part "s" of ``injection_final.pth``."""
    s = Layout(swapper)
    size = dims.style_size
    state: State = {}
    for index in range(2):
        block, ours = f"blocks.{{}}.att_path{index + 1}.0.", f"layers.{index}."
        layers = {
            "seen": f"{block}0.idd_linears.0",
            "gamma": f"{block}0.idd_selectors",
            "beta": f"{block}0.idd_shifters",
            "out": f"{block}2",
        }
        for layer, name in layers.items():
            state |= _codewise(s, name, (size, size), dims, f"{ours}{layer}")
        norms = [f"{block.format(code)}0.att_bns." for code in range(dims.num_high)]
        variances = torch.stack([s.take(f"{norm}running_var", size) for norm in norms])
        state[f"{ours}centre"] = torch.stack(
            [s.take(f"{norm}running_mean", size) for norm in norms]
        )[:, None]
        state[f"{ours}gain"] = torch.rsqrt(variances + BATCH_NORM_EPSILON)[:, None]
        for norm in norms:
            s.take(f"{norm}num_batches_tracked")
    s.finish()
    return state


def _fold(
    published: Layout,
    convolution: str,
    norm: str,
    sizes: tuple[int, int, int],
    *,
    has_bias: bool = False,
) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution (out, in, kernel) with the batch norm after it folded in."""
    out_channels, in_channels, kernel = sizes
    weight = published.take(f"{convolution}.weight", out_channels, in_channels, kernel, kernel)
    bias = published.take(f"{convolution}.bias", out_channels) if has_bias else 0.0
    gain, shift, mean, variance = (
        published.take(f"{norm}.{name}", out_channels)
        for name in ("weight", "bias", "running_mean", "running_var")
    )
    published.take(f"{norm}.num_batches_tracked")
    gain = gain * torch.rsqrt(variance + BATCH_NORM_EPSILON)
    return weight * gain[:, None, None, None], (bias - mean) * gain + shift


def _folded(
    published: Layout,
    convolution: str,
    norm: str,
    sizes: tuple[int, int, int],
    ours: str,
    *,
    has_bias: bool = False,
) -> State:
    weight, bias = _fold(published, convolution, norm, sizes, has_bias=has_bias)
    return {f"{ours}.weight": weight, f"{ours}.bias": bias}


def _codewise(published: Layout, name: str, sizes: tuple[int, int], dims: Dims, ours: str) -> State:
    """One linear layer (out, in) of every high code as a ``CodewiseLinear``."""
    names = [name.format(code) for code in range(dims.num_high)]
    weights = torch.stack([published.take(f"{each}.weight", *sizes) for each in names])
    biases = torch.stack([published.take(f"{each}.bias", sizes[0]) for each in names])
    return {
        f"{ours}.weight": weights.transpose(1, 2).contiguous(),
        f"{ours}.bias": biases[:, None],
    }
