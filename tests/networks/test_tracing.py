"""The graph that reads one face: the same numbers as the networks themselves."""

from __future__ import annotations

import torch

from megafs_video.networks.encoder import Encoder, FaceReader
from megafs_video.networks.tracing import TracedReader
from tests.tiny import check_close, random_pixels, shaken, tiny_arcface, tiny_landmarks
from tests.training.small import SMALL, small_generator


@torch.inference_mode()
def test_the_graph_reads_what_the_networks_read() -> None:
    torch.manual_seed(0)
    encoder = shaken(Encoder(SMALL), amount=0.1)
    reader = FaceReader(encoder, tiny_arcface(), tiny_landmarks(), small_generator())
    traced = TracedReader(reader)
    for seed in range(3):  # one graph for every face
        pixels = random_pixels(1, SMALL.crop_size, seed=seed)
        found, wanted = traced(pixels), reader(pixels)
        check_close(found.constant, wanted.constant)
        check_close(found.styles, wanted.styles)


@torch.inference_mode()
def test_a_face_in_another_memory_order_is_read_alike() -> None:
    reader = FaceReader(
        shaken(Encoder(SMALL), amount=0.1), tiny_arcface(), tiny_landmarks(), small_generator()
    )
    pixels = random_pixels(1, SMALL.crop_size)
    last = pixels.to(memory_format=torch.channels_last)
    traced = TracedReader(reader)
    check_close(traced(last).styles, traced(pixels).styles)
