"""Networks from files: what fits is built frozen, what does not is refused with a line."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from megafs_video import parts
from megafs_video.errors import WeightsError
from megafs_video.networks.dims import TINY
from megafs_video.networks.encoder import Backbone, Encoder
from megafs_video.networks.transfer import FAR, FaceTransfer
from megafs_video.parts import (
    build_generator,
    build_lpips,
    build_style_mapper,
    load_encoder,
    load_transfer,
    read_backbone_state,
)
from megafs_video.weights.checkpoint import save_checkpoint
from megafs_video.weights.table import find
from tests.tiny import random_pixels, shaken


def save(path: Path, module: nn.Module, kind: str, dims_json: str = TINY.to_json()) -> Path:
    save_checkpoint(path, module.state_dict(), kind=kind, dims_json=dims_json, card={})
    return path


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A path whose content, whatever it is, has the sha256 that the table wants."""
    path = tmp_path / "published.pth"

    def find_here(name: str) -> Any:
        return replace(find(name), sha256=hashlib.sha256(path.read_bytes()).hexdigest())

    monkeypatch.setattr(parts, "find", find_here)
    return path


def test_our_own_networks_come_back_frozen_and_of_their_own_sizes(tmp_path: Path) -> None:
    encoder, transfer = shaken(Encoder(TINY)), shaken(FaceTransfer(TINY))
    found = (
        load_encoder(save(tmp_path / "encoder.safetensors", encoder, "encoder")),
        load_transfer(save(tmp_path / "transfer.safetensors", transfer, "transfer")),
    )
    for wanted, network in zip((encoder, transfer), found, strict=True):
        assert network.dims == TINY
        assert not network.training
        assert not any(weight.requires_grad for weight in network.parameters())
        for name, tensor in wanted.state_dict().items():
            assert torch.equal(network.state_dict()[name], tensor)


def test_an_ftm_of_before_it_had_a_gain_and_a_reach_hears_codes_as_they_are(tmp_path: Path) -> None:
    tensors = FaceTransfer(TINY).state_dict()
    del tensors["gain"], tensors["reach"]
    path, dims_json = tmp_path / "transfer.safetensors", TINY.to_json()
    save_checkpoint(path, tensors, kind="transfer", dims_json=dims_json, card={})
    found = load_transfer(path)
    assert found.gain is not None
    assert found.reach is not None
    assert torch.equal(found.gain, torch.ones(TINY.num_high, 1))
    assert found.reach.tolist() == [FAR]


def test_a_checkpoint_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "encoder.safetensors", FaceTransfer(TINY), "transfer")
    with pytest.raises(WeightsError, match="kind 'transfer', wanted 'encoder'"):
        load_encoder(path)


@pytest.mark.parametrize(
    "dims_json", ['{"colour": 1}', '{"num_low": 99}', '{"codes_per_map": 3}', '{"crop_size": "x"}']
)
def test_sizes_that_are_no_model_are_refused(tmp_path: Path, dims_json: str) -> None:
    path = save(tmp_path / "encoder.safetensors", Encoder(TINY), "encoder", dims_json)
    with pytest.raises(WeightsError, match="does not carry the sizes of a model"):
        load_encoder(path)


def test_weights_that_do_not_fit_the_sizes_are_refused(tmp_path: Path) -> None:
    wider = replace(TINY, pyramid_width=16)
    path = save(tmp_path / "encoder.safetensors", Encoder(TINY), "encoder", wider.to_json())
    with pytest.raises(WeightsError, match="has shape"):
        load_encoder(path)


@pytest.mark.parametrize("build", [build_generator, build_style_mapper])
def test_a_graph_of_something_else_is_refused(tmp_path: Path, build: Any) -> None:
    xml, flat = tmp_path / "net.xml", tmp_path / "net.bin"
    xml.write_text('<net version="10"><layers><layer id="0" name="x" type="P"/></layers></net>')
    flat.write_bytes(b"")
    with pytest.raises(WeightsError, match=r"net\.xml is not the .* graph"):
        build(xml, flat, TINY)


def test_lpips_is_read_layer_by_layer(trusted: Path) -> None:
    layers = [nn.Conv2d(3, 4, 5, stride=2, padding=1), nn.Conv2d(4, 6, 3)]
    trunk = [
        {
            "weight": layer.weight.data,
            "bias": layer.bias.data,
            "stride": layer.stride,
            "padding": layer.padding,
        }
        for layer in layers
        if layer.bias is not None
    ]
    lin = [torch.rand(1, layer.out_channels, 1, 1) for layer in layers]
    torch.save({"trunk": trunk, "lin": lin}, trusted)
    lpips = build_lpips(trusted)
    pixels = random_pixels(2, 32)
    x = (pixels - lpips.mean) / lpips.deviation
    with torch.no_grad():
        first = torch.relu(layers[0](x))
        assert torch.equal(
            lpips.features(pixels)[0], first * torch.rsqrt(first.square().sum(1, True) + 1e-10)
        )
    assert lpips(pixels, pixels).tolist() == [0, 0]
    assert lpips(pixels, -pixels).min() > 0


def test_the_parsers_backbone_gets_our_names(trusted: Path) -> None:
    stored = {
        "cp.resnet.conv1.weight": torch.zeros(1),
        "cp.resnet.layer1.0.conv1.weight": torch.ones(1),
        "cp.resnet.layer4.1.bn2.bias": torch.ones(2),
        "cp.arm16.conv.weight": torch.zeros(3),
    }
    torch.save(stored, trusted)
    state = read_backbone_state(trusted)
    assert sorted(state) == ["conv1.weight", "stages.0.0.conv1.weight", "stages.3.1.bn2.bias"]
    assert set(state) <= set(Backbone((4, 4, 8, 8)).state_dict())


def test_a_published_file_with_another_sum_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "parser.pth"
    path.write_bytes(json.dumps({}).encode())
    with pytest.raises(WeightsError, match=r"parser\.pth is damaged"):
        read_backbone_state(path)
