"""The reader of spans: one window, whatever lies around it, always as it was taught."""

from __future__ import annotations

import pytest
import torch

from megafs_video.networks.dims import Dims
from megafs_video.networks.frozen import cut_window
from megafs_video.networks.spans import SpanReader
from tests.tiny import WITH_ALL, check_close, random_pixels, shaken


def make_reader() -> SpanReader:
    torch.manual_seed(0)
    return shaken(SpanReader(WITH_ALL))


@torch.no_grad()
def test_spans_are_read_from_the_window_alone() -> None:
    reader, pixels = make_reader(), random_pixels(3, 64)
    found = reader(pixels)
    assert found.shape == (3, 30, 2)
    window = cut_window(pixels, reader.LEFT, reader.TOP, reader.SIDE)
    assert window.shape == (3, 3, 32, 32)
    check_close(reader.of_window(window), found)
    around = pixels.clone()
    around[:, :, 22:54, 16:48] = 0
    elsewhere = torch.where(around == 0, pixels, -pixels)
    assert torch.equal(reader(elsewhere), found)
    assert not torch.equal(reader(around), found)


@torch.no_grad()
def test_spans_are_offsets_in_the_scale_of_what_was_taught() -> None:
    reader, pixels = make_reader(), random_pixels(2, 64)
    before = (reader(pixels) - reader.mean) / reader.scale
    reader.mean += 3
    reader.scale *= 2
    check_close((reader(pixels) - reader.mean) / reader.scale, before)


def test_an_encoder_that_learns_leaves_the_reader_as_it_is() -> None:
    reader, pixels = make_reader(), random_pixels(4, 64)
    around = torch.nn.ModuleList([reader]).train()
    assert around.training
    before = {name: tensor.clone() for name, tensor in reader.state_dict().items()}
    with torch.no_grad():
        found = reader(pixels)
        assert torch.equal(reader(pixels), found)  # no dropout
    for name, tensor in reader.state_dict().items():
        assert torch.equal(tensor, before[name])  # nor new statistics


def test_spans_need_landmarks_beside_them() -> None:
    with pytest.raises(ValueError, match="num_spans is 30, wanted 0 without landmarks"):
        Dims(num_landmarks=0)


def test_a_file_of_before_there_were_spans_has_none() -> None:
    said = Dims(num_spans=0).to_json().replace('"num_spans": 0, ', "")
    assert "num_spans" not in said
    assert Dims.from_json(said) == Dims(num_spans=0)
