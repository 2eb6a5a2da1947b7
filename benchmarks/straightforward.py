"""The published computation, written the plain way: a slow twin for tests and benchmarks.

Each function reads a state dict in the published layout and runs one layer after the other: batch
norms as such, mapping networks and transfer blocks in loops, a grouped convolution with one set of
modulated weights a sample, and a blur in two dimensions after upsampling with zeros.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count

import torch
from torch import Tensor
from torch.nn import functional

State = Mapping[str, Tensor]


def encode(state: State, pixels: Tensor) -> tuple[Tensor | None, Tensor]:
    """HieRFE (paper §3.1): pixels [N, 3, 256, 256] -> C [N, 512, 4, 4], L [N, 18, 512].

    C is None for a file without a fifth stage, which is W+.
    """
    backbone = "fpn.backbone."
    x = _conv(state, f"{backbone}conv1", pixels, stride=2, padding=3)
    x = functional.max_pool2d(torch.relu(_normalise(state, f"{backbone}bn1", x)), 3, 2, 1)
    maps = []
    for depth in range(1, 6):
        for index in count():
            block = f"{backbone}layer{depth}.{index}."
            if f"{block}conv1.weight" not in state:
                break
            x = _bottleneck(state, block, x, stride=2 if depth > 1 and index == 0 else 1)
        maps.append(x)
    constant = None
    if "fpn.output4.0.weight" in state:
        constant = _normalise(
            state, "fpn.output4.1", _conv(state, "fpn.output4.0", maps[4], padding=1)
        )
    pyramid: Tensor | None = None
    codes = []
    for group, depth in ((1, 3), (2, 2), (3, 1)):
        lateral = f"fpn.output{depth}"
        features = _conv(state, f"{lateral}.0", maps[depth], padding=1)
        features = torch.relu(_normalise(state, f"{lateral}.1", features))
        if pyramid is not None:
            features = features + functional.interpolate(
                pyramid, size=features.shape[2:], mode="bilinear", align_corners=True
            )
        pyramid = features
        for index in count():
            network = f"mapping{group}.{index}.convs."
            if f"{network}0.weight" not in state:
                break
            codes.append(torch.tanh(_map_to_code(state, network, pyramid)))
    return constant, torch.stack(codes, dim=1)


def _bottleneck(state: State, block: str, x: Tensor, stride: int) -> Tensor:
    """ResNet v1.5: the stride is in the 3x3 convolution."""
    shortcut = x
    if f"{block}downsample.0.weight" in state:
        shortcut = _conv(state, f"{block}downsample.0", x, stride=stride)
        shortcut = _normalise(state, f"{block}downsample.1", shortcut)
    x = torch.relu(_normalise(state, f"{block}bn1", _conv(state, f"{block}conv1", x)))
    x = _conv(state, f"{block}conv2", x, stride=stride, padding=1)
    x = torch.relu(_normalise(state, f"{block}bn2", x))
    x = _normalise(state, f"{block}bn3", _conv(state, f"{block}conv3", x))
    return torch.relu(x + shortcut)


def _map_to_code(state: State, network: str, x: Tensor) -> Tensor:
    for step in count(step=3):  # convolution, batch norm, activation
        if f"{network}{step}.weight" not in state:
            return x[:, :, 0, 0]
        x = _conv(state, f"{network}{step}", x, stride=2, padding=1)
        x = functional.leaky_relu(_normalise(state, f"{network}{step + 1}", x), 0.01)
    raise AssertionError("counting ended")


def transfer(state: State, source: Tensor, target: Tensor) -> Tensor:
    """FTM (paper §3.2) on high codes [N, 14, 512] -> L_s2t [N, 14, 512]."""
    mixed = []
    for code in range(source.shape[1]):
        idd, att = source[:, code], target[:, code]
        for cell in count():
            networks = {
                f"{branch}_{kind}": f"blocks.{code}.{branch}_{kind}.{cell}."
                for branch in ("idd", "att")
                for kind in ("selectors", "shifters")
            }
            if f"{networks['idd_selectors']}0.weight" not in state:
                break
            both = torch.cat((idd, att), dim=1)
            k = {name: _perceptron(state, prefix, both) for name, prefix in networks.items()}
            idd = torch.sigmoid(k["idd_selectors"]) * idd + torch.tanh(k["idd_shifters"])
            att = torch.sigmoid(k["att_selectors"]) * att + torch.tanh(k["att_shifters"])
        omega = torch.sigmoid(state["weight"][:, code])
        mixed.append(omega * idd + (1 - omega) * att)  # the reverse of Eq. 3, as published
    return torch.stack(mixed, dim=1)


def _perceptron(state: State, prefix: str, x: Tensor) -> Tensor:
    return _linear(state, f"{prefix}2", torch.relu(_linear(state, f"{prefix}0", x)))


def inject(state: State, source: Tensor, target: Tensor) -> Tensor:
    """ID Injection (paper Fig. 8) on high codes [N, 14, 512] -> [N, 14, 512]."""
    mixed = []
    for code in range(source.shape[1]):
        x = target[:, code]
        for path in ("att_path1", "att_path2"):
            block = f"blocks.{code}.{path}.0."
            seen = torch.relu(_linear(state, f"{block}0.idd_linears.0", source[:, code]))
            gamma = _linear(state, f"{block}0.idd_selectors", seen)
            beta = _linear(state, f"{block}0.idd_shifters", seen)
            mean, variance = (
                state[f"{block}0.att_bns.{name}"] for name in ("running_mean", "running_var")
            )
            normal = functional.batch_norm(x, mean, variance)
            x = _linear(state, f"{block}2", normal * (1 + gamma) + beta)
        mixed.append(x + target[:, code])
    return torch.stack(mixed, dim=1)


def generate(state: State, constant: Tensor, styles: Tensor) -> Tensor:
    """StyleGAN2 (Karras 2020): C [N, 512, 4, 4], L [N, 18, 512] -> pixels [N, 3, R, R]."""
    x = _styled(state, "conv1", constant, styles[:, 0], noise=0)
    picture = _to_rgb(state, "to_rgb1", x, styles[:, 1])
    for block in count():
        if f"to_rgbs.{block}.bias" not in state:
            return picture
        first, second = 2 * block, 2 * block + 1
        x = _styled(state, f"convs.{first}", x, styles[:, first + 1], noise=first + 1)
        x = _styled(state, f"convs.{second}", x, styles[:, second + 1], noise=second + 1)
        kernel = state[f"to_rgbs.{block}.upsample.kernel"]
        picture = _upsample(picture, kernel) + _to_rgb(
            state, f"to_rgbs.{block}", x, styles[:, second + 2]
        )
    raise AssertionError("counting ended")


def _styled(state: State, layer: str, x: Tensor, style: Tensor, noise: int) -> Tensor:
    x = _modulated(state, f"{layer}.conv", x, style, demodulate=True)
    x = x + state[f"{layer}.noise.weight"] * state[f"noises.noise_{noise}"]
    bias = state[f"{layer}.activate.bias"][:, None, None]
    return functional.leaky_relu(x + bias, 0.2) * 2**0.5


def _to_rgb(state: State, layer: str, x: Tensor, style: Tensor) -> Tensor:
    return _modulated(state, f"{layer}.conv", x, style, demodulate=False) + state[f"{layer}.bias"]


def _modulated(state: State, layer: str, x: Tensor, style: Tensor, *, demodulate: bool) -> Tensor:
    """Weights of its own for every sample, run as one grouped convolution."""
    weight = state[f"{layer}.weight"]  # [1, C_out, C_in, K, K]
    _, out_channels, in_channels, size, _ = weight.shape
    samples, _, height, width = x.shape
    matrix = state[f"{layer}.modulation.weight"] * style.shape[1] ** -0.5
    scales = functional.linear(style, matrix, state[f"{layer}.modulation.bias"])
    weight = (in_channels * size**2) ** -0.5 * weight * scales[:, None, :, None, None]
    if demodulate:
        weight = weight * torch.rsqrt(weight.square().sum((2, 3, 4), keepdim=True) + 1e-8)
    x = x.reshape(1, samples * in_channels, height, width)
    if f"{layer}.blur.kernel" not in state:
        weight = weight.reshape(samples * out_channels, in_channels, size, size)
        x = functional.conv2d(x, weight, padding=size // 2, groups=samples)
        return x.reshape(samples, out_channels, height, width)
    weight = weight.transpose(1, 2).reshape(samples * in_channels, out_channels, size, size)
    x = functional.conv_transpose2d(x, weight, stride=2, groups=samples)
    x = x.reshape(samples, out_channels, 2 * height + 1, 2 * width + 1)
    return _filter(functional.pad(x, (1, 1, 1, 1)), state[f"{layer}.blur.kernel"])


def _upsample(picture: Tensor, kernel: Tensor) -> Tensor:
    """Zeros between the pixels, then a blur in two dimensions."""
    samples, channels, height, width = picture.shape
    spread = picture.new_zeros(samples, channels, 2 * height, 2 * width)
    spread[:, :, ::2, ::2] = picture
    return _filter(functional.pad(spread, (2, 1, 2, 1)), kernel)


def _filter(x: Tensor, kernel: Tensor) -> Tensor:
    samples, channels, height, width = x.shape
    x = x.reshape(samples * channels, 1, height, width)
    x = functional.conv2d(x, kernel.flip(0, 1)[None, None])
    return x.reshape(samples, channels, *x.shape[2:])


def _conv(state: State, layer: str, x: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
    weight, bias = state[f"{layer}.weight"], state.get(f"{layer}.bias")
    return functional.conv2d(x, weight, bias, stride, padding)


def _linear(state: State, layer: str, x: Tensor) -> Tensor:
    return functional.linear(x, state[f"{layer}.weight"], state[f"{layer}.bias"])


def _normalise(state: State, layer: str, x: Tensor) -> Tensor:
    mean, variance, weight, bias = (
        state[f"{layer}.{name}"] for name in ("running_mean", "running_var", "weight", "bias")
    )
    return functional.batch_norm(x, mean, variance, weight, bias)
