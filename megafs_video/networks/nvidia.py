"""NVIDIA's names for StyleGAN2's weights, in PyTorch and in TensorFlow, put into rosinality's.

Pure functions of state dicts; ValueError names the first tensor that is missing, misshapen or has
no place. A clamp that some of NVIDIA's half-precision networks apply to their features (at 256) is
left out: faces do not come near it.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from megafs_video.networks.layout import Layout, State
from megafs_video.networks.stylegan2 import BLUR


def from_torch(tensors: Mapping[str, Tensor]) -> State:
    """A generator of stylegan2-ada-pytorch or stylegan3 ("G_ema") in the rosinality layout."""
    n = Layout(tensors)
    state: State = {}
    for layer in range(n.count("mapping.fc")):
        for leaf in ("weight", "bias"):
            state[f"style.{layer + 1}.{leaf}"] = n.pop(
                f"mapping.fc{layer}.{leaf}", 2 if leaf == "weight" else 1
            )
    n.pop("mapping.w_avg", 1)
    state["input.input"] = n.pop("synthesis.b4.const", 3)[None]
    num_sizes = (n.count("synthesis.b") - 1).bit_length() - 2  # 4, 8, 16 … px
    for depth in range(num_sizes):
        block = f"synthesis.b{4 << depth}."
        kernel = 4 * n.pop(f"{block}resample_filter", 2)
        layers = {"conv1": "conv1"}
        rgb = "to_rgb1"
        if depth > 0:
            layers = {"conv0": f"convs.{2 * depth - 2}", "conv1": f"convs.{2 * depth - 1}"}
            rgb = f"to_rgbs.{depth - 1}"
            state[f"{rgb}.upsample.kernel"] = kernel
        for theirs, ours in layers.items():
            index = 2 * depth - (theirs == "conv0")
            blur = 4 * n.pop(f"{block}{theirs}.resample_filter", 2)
            if theirs == "conv0":
                state[f"{ours}.conv.blur.kernel"] = blur
            state |= _convolution(n, f"{block}{theirs}", ours)
            state[f"{ours}.activate.bias"] = n.pop(f"{block}{theirs}.bias", 1)
            state[f"{ours}.noise.weight"] = n.pop(f"{block}{theirs}.noise_strength", 0).reshape(1)
            state[f"noises.noise_{index}"] = n.pop(f"{block}{theirs}.noise_const", 2)[None, None]
        state |= _convolution(n, f"{block}torgb", rgb)
        state[f"{rgb}.bias"] = n.pop(f"{block}torgb.bias", 1).reshape(1, -1, 1, 1)
    n.finish()
    return state


def _convolution(n: Layout, theirs: str, ours: str) -> State:
    return {
        f"{ours}.conv.weight": n.pop(f"{theirs}.weight", 4)[None],
        f"{ours}.conv.modulation.weight": n.pop(f"{theirs}.affine.weight", 2),
        f"{ours}.conv.modulation.bias": n.pop(f"{theirs}.affine.bias", 1),
    }


def from_tensorflow(variables: Mapping[str, Tensor]) -> State:
    """A generator of the first release ("Gs", TensorFlow) in the rosinality layout."""
    n = Layout(variables)
    blur = torch.tensor(BLUR)
    kernel = torch.outer(blur, blur)
    state: State = {}
    for layer in range(n.count("mapping/Dense", "/")):
        name = f"mapping/Dense{layer}"
        state[f"style.{layer + 1}.weight"] = n.pop(f"{name}/weight", 2).T
        state[f"style.{layer + 1}.bias"] = n.pop(f"{name}/bias", 1)
    n.pop("dlatent_avg", 1)
    n.pop("synthesis/lod", 0)
    state["input.input"] = n.pop("synthesis/4x4/Const/const", 4)
    num_noises = n.count("synthesis/noise")
    for index in range(num_noises):
        depth = (index + 1) // 2
        theirs = "Conv" if index == 0 else "Conv0_up" if index % 2 else "Conv1"
        block = f"synthesis/{4 << depth}x{4 << depth}"
        ours = "conv1" if index == 0 else f"convs.{index - 1}"
        weight = n.pop(f"{block}/{theirs}/weight", 4).permute(3, 2, 0, 1)
        if theirs == "Conv0_up":  # there it is a convolution, here a correlation
            weight = weight.flip(2, 3)
            state[f"{ours}.conv.blur.kernel"] = kernel
        state[f"{ours}.conv.weight"] = weight[None]
        state |= _tensorflow_modulation(n, f"{block}/{theirs}", ours)
        state[f"{ours}.activate.bias"] = n.pop(f"{block}/{theirs}/bias", 1)
        state[f"{ours}.noise.weight"] = n.pop(f"{block}/{theirs}/noise_strength", 0).reshape(1)
        state[f"noises.noise_{index}"] = n.pop(f"synthesis/noise{index}", 4)
        if index % 2 == 0:
            rgb = "to_rgb1" if depth == 0 else f"to_rgbs.{depth - 1}"
            state[f"{rgb}.conv.weight"] = n.pop(f"{block}/ToRGB/weight", 4).permute(3, 2, 0, 1)[
                None
            ]
            state |= _tensorflow_modulation(n, f"{block}/ToRGB", rgb)
            state[f"{rgb}.bias"] = n.pop(f"{block}/ToRGB/bias", 1).reshape(1, -1, 1, 1)
            if depth > 0:
                state[f"{rgb}.upsample.kernel"] = kernel
    n.finish()
    return state


def _tensorflow_modulation(n: Layout, theirs: str, ours: str) -> State:
    return {
        f"{ours}.conv.modulation.weight": n.pop(f"{theirs}/mod_weight", 2).T,
        f"{ours}.conv.modulation.bias": n.pop(f"{theirs}/mod_bias", 1) + 1,
    }
