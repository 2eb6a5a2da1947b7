"""The graphs that read and draw one face: the same numbers as the networks themselves."""

from __future__ import annotations

import torch

from megafs_video.networks.encoder import Encoder, FaceReader
from megafs_video.networks.tracing import Traced
from megafs_video.networks.transfer import FaceTransfer
from tests.tiny import (
    check_close,
    random_latents,
    random_pixels,
    shaken,
    tiny_arcface,
    tiny_landmarks,
)
from tests.training.small import SMALL, small_generator


@torch.inference_mode()
def test_the_graphs_read_and_draw_what_the_networks_do() -> None:
    torch.manual_seed(0)
    encoder = shaken(Encoder(SMALL), amount=0.1)
    reader = FaceReader(encoder, tiny_arcface(), tiny_landmarks(), small_generator())
    transfer = shaken(FaceTransfer(SMALL), amount=0.1)
    traced = Traced(reader, transfer, small_generator())
    for seed in range(3):  # one graph for every face
        pixels = random_pixels(1, SMALL.crop_size, seed=seed)
        found, wanted = traced.read(pixels), reader(pixels)
        check_close(found.constant, wanted.constant)
        check_close(found.styles, wanted.styles)
        source = random_latents(1, SMALL, seed=seed)
        moved = traced.move(source, wanted)
        check_close(moved.styles, transfer(source, wanted).styles)
        assert torch.equal(moved.constant, wanted.constant)
        check_close(traced.draw(wanted), small_generator()(wanted))


@torch.inference_mode()
def test_a_face_in_another_memory_order_is_read_alike() -> None:
    reader = FaceReader(
        shaken(Encoder(SMALL), amount=0.1), tiny_arcface(), tiny_landmarks(), small_generator()
    )
    pixels = random_pixels(1, SMALL.crop_size)
    last = pixels.to(memory_format=torch.channels_last)
    traced = Traced(reader, None, small_generator())
    check_close(traced.read(last).styles, traced.read(pixels).styles)
