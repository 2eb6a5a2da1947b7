"""StyleGAN2 in the rosinality layout (part "g_ema"), laid out for our generator.

Pure functions of state dicts; ValueError names the first tensor that is missing, misshapen or has
no place. What does not depend on a face is computed here, once: weights of the equalised learning
rate are scaled, noise is multiplied by its strength.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor

from megafs_video.networks.dims import Dims
from megafs_video.networks.layout import Layout, State
from megafs_video.networks.stylegan2 import BLUR, GAIN


def generator_channels(generator: Mapping[str, Tensor]) -> tuple[int, ...]:
    """Channels at 4, 8, 16 … px of a generator in the rosinality layout.

    ValueError if the state dict is of no such generator.
    """
    g = Layout(generator)
    layers = ["conv1", *(f"convs.{2 * block + 1}" for block in range(g.count("to_rgbs.")))]
    return tuple(g.shape(f"{layer}.conv.weight", 5)[1] for layer in layers)


def stylegan2_state(generator: Mapping[str, Tensor], dims: Dims) -> State:
    """The state dict of ``StyleGan2`` from part "g_ema", in the rosinality layout.

    The mapping network from z to w is in the file and is not needed: codes come from HieRFE.
    """
    g = Layout(generator)
    size = dims.style_size
    for layer in range(1, g.count("style.")):
        g.take(f"style.{layer}.weight", size, size)
        g.take(f"style.{layer}.bias", size)
    g.take("input.input", 1, dims.constant_channels, 4, 4)
    channels = (dims.constant_channels, *dims.generator_channels)
    state = _modulated(g, "conv1", 0, (channels[1], channels[0]), dims, "first")
    state |= _to_rgb(g, "to_rgb1", channels[1], dims, "rgb")
    for block, (before, after) in enumerate(pairwise(dims.generator_channels)):
        up, same = 2 * block, 2 * block + 1
        _check_blur(g, f"convs.{up}.conv.blur.kernel")
        state[f"blocks.{block}.up.blur.kernel"] = torch.tensor(BLUR).repeat(after, 1, 1, 1)
        state |= _modulated(g, f"convs.{up}", up + 1, (after, before), dims, f"blocks.{block}.up")
        state |= _modulated(
            g, f"convs.{same}", same + 1, (after, after), dims, f"blocks.{block}.same"
        )
        _check_blur(g, f"to_rgbs.{block}.upsample.kernel")
        state |= _to_rgb(g, f"to_rgbs.{block}", after, dims, f"blocks.{block}.rgb")
    g.finish()
    return state


def _modulation(layout: Layout, layer: str, channels: int, dims: Dims, ours: str) -> State:
    weight = layout.take(f"{layer}.conv.modulation.weight", channels, dims.style_size)
    bias = layout.take(f"{layer}.conv.modulation.bias", channels)
    return {
        f"{ours}.modulation.weight": weight * dims.style_size**-0.5,
        f"{ours}.modulation.bias": bias,
    }


def _modulated(
    layout: Layout, layer: str, noise: int, sizes: tuple[int, int], dims: Dims, ours: str
) -> State:
    out_channels, in_channels = sizes
    side = 4 << (noise + 1) // 2
    weight = layout.take(f"{layer}.conv.weight", 1, *sizes, 3, 3)[0] / (3 * in_channels**0.5)
    strength = layout.take(f"{layer}.noise.weight", 1)
    return _modulation(layout, layer, in_channels, dims, ours) | {
        # A layer of an odd number doubles the size, and wants its window back to front.
        f"{ours}.weight": weight.flip(2, 3) if noise % 2 else weight,
        f"{ours}.energy": weight.square().sum((2, 3)),
        f"{ours}.bias": GAIN * layout.take(f"{layer}.activate.bias", out_channels),
        f"{ours}.noise": GAIN * strength * layout.take(f"noises.noise_{noise}", 1, 1, side, side),
    }


def _to_rgb(layout: Layout, layer: str, channels: int, dims: Dims, ours: str) -> State:
    weight = layout.take(f"{layer}.conv.weight", 1, 3, channels, 1, 1)[0]
    return _modulation(layout, layer, channels, dims, ours) | {
        f"{ours}.convolution.weight": weight * channels**-0.5,
        f"{ours}.convolution.bias": layout.take(f"{layer}.bias", 1, 3, 1, 1).flatten(),
    }


def _check_blur(layout: Layout, name: str) -> None:
    kernel = torch.tensor(BLUR)
    if not torch.allclose(layout.take(name, 4, 4), torch.outer(kernel, kernel)):
        raise ValueError(f"{name!r} holds another blur than [1, 3, 3, 1]")
