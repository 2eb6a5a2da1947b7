"""Training FTM: codes read once, pairs with their losses, and the sheet."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from megafs_video.networks.encoder import Encoder
from megafs_video.networks.frozen import freeze
from megafs_video.networks.transfer import FaceTransfer
from megafs_video.training.config import TransferConfig
from megafs_video.training.faces import to_device_pixels
from megafs_video.training.transfer import (
    EncodedFaces,
    Swapper,
    TransferTask,
    choose,
    encode_faces,
)
from tests.tiny import check_close, random_latents, shaken, tiny_arcface
from tests.training.small import SMALL, small_faces, small_head, small_rendered, small_teachers

CONFIG = TransferConfig(batch=4, same_share=0.5)


def small_encoder() -> Encoder:
    torch.manual_seed(0)
    return freeze(shaken(Encoder(SMALL), amount=0.1))


def encoded(count: int, seed: int = 0) -> EncodedFaces:
    faces = small_faces(count, seed)
    return encode_faces(faces, small_encoder(), small_teachers(), batch=4)


def make_task(config: TransferConfig = CONFIG, num_validation: int = 5) -> TransferTask:
    torch.manual_seed(1)
    return TransferTask(
        Swapper(small_encoder(), shaken(FaceTransfer(SMALL), amount=0.1), small_head()),
        config=config,
        faces=encoded(9),
        rendered=small_rendered(6),
        validation=encoded(num_validation, seed=1),
        teachers=small_teachers(),
    )


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_faces_are_read_batch_by_batch_and_in_order() -> None:
    found = encoded(6)
    pixels = to_device_pixels(small_faces(6))
    with torch.no_grad():
        embeddings = tiny_arcface()(pixels)
        teachers = small_teachers()
        points = teachers.landmarks(pixels)
        latents = small_encoder()(pixels, embeddings, points, teachers.generator)
    check_close(found.embeddings, embeddings)
    swapper = Swapper(small_encoder(), FaceTransfer(SMALL), small_head())
    # Sums in another order may round to the next float16.
    torch.testing.assert_close(found.constant.float(), latents.constant, atol=1e-3, rtol=2e-3)
    assert found.points.shape == (6, 106, 2)
    assert len(swapper.latents(found, torch.tensor([4, 1, 1]))) == 3
    check_close(swapper.latents(found, torch.arange(6)).styles, latents.styles)
    check_close(swapper.latents(found, torch.tensor([4])).styles, latents.styles[4:5])


def test_every_loss_is_a_finite_scalar_that_reaches_the_module() -> None:
    names = ("perceptual", "identity", "landmark", "expression", "norm", "code", "reconstruction")
    names = (*names, "window")
    for name in names:
        task = make_task()
        losses = task.step(0, generator())
        assert set(losses) == set(names)
        assert losses[name].shape == ()
        assert losses[name].isfinite()
        torch.autograd.backward(losses[name])
        head = task.module.encoder.mappings[1].project.weight.grad
        assert head is not None, name
        assert head.abs().max() > 0, name
        hidden = task.module.transfer.cells[0].source_shift.hidden.weight.grad
        assert (hidden is None) == (name == "code"), name  # known codes are read, not moved
        assert hidden is None or hidden.abs().max() > 0, name


@pytest.mark.parametrize(("same_share", "has_pairs"), [(0.0, False), (1.0, True)])
def test_only_a_face_with_itself_is_reconstructed(same_share: float, has_pairs: bool) -> None:
    task = make_task(replace(CONFIG, same_share=same_share))
    for seed in range(3):
        assert ("reconstruction" in task.step(0, generator(seed))) == has_pairs


def test_the_weights_of_the_settings_scale_their_losses() -> None:
    weights = {
        "reconstruction": "weight_reconstruction",
        "perceptual": "weight_perceptual",
        "identity": "weight_identity",
        "landmark": "weight_landmark",
        "expression": "weight_expression",
        "code": "weight_code",
        "norm": "weight_norm",
        "window": "weight_window",
    }
    before = make_task().step(0, generator())
    for loss, field in weights.items():
        doubled = replace(CONFIG, **{field: 2 * getattr(CONFIG, field)})
        after = make_task(doubled).step(0, generator())
        window_too = {"reconstruction", "perceptual"} & {loss}  # its squares and its LPIPS
        for name in set(weights) - ({"window"} if window_too else set()):
            check_close(after[name], (2 if name == loss else 1) * before[name])


def test_a_step_follows_its_generator() -> None:
    one, same, other = (make_task().step(0, generator(seed)) for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["norm"], other["norm"])


@pytest.mark.parametrize(("num_validation", "num_columns"), [(16, 8), (5, 3), (1, 1)])
def test_the_sheet_shows_sources_targets_and_swaps(num_validation: int, num_columns: int) -> None:
    task = make_task(num_validation=num_validation)
    assert task.sheet(task.module).shape == (3 * 128, num_columns * 128, 3)


def test_the_heads_of_the_encoder_learn_and_nothing_else_of_it_does() -> None:
    task = make_task()
    torch.autograd.backward(task.step(0, generator())["identity"])
    encoder = task.module.encoder
    learning = {name for name, weight in encoder.named_parameters() if weight.requires_grad}
    assert {name.split(".")[2] for name in learning} <= {"identity", "points", "mix", "project"}
    assert learning
    for name, weight in encoder.named_parameters():
        assert (weight.grad is not None) == (name in learning), name
    assert {name.split(".")[1] for name in learning} == {"1", "2"}  # the high codes' networks
    assert not encoder.training  # batch norms must keep their statistics


def test_a_face_that_is_drawn_directly_shows_what_hierfe_read() -> None:
    first, second = random_latents(3, SMALL), random_latents(3, SMALL, seed=1)
    chosen = choose(torch.tensor([True, False, True]), first, second)
    for index, wanted in enumerate((first, second, first)):
        assert torch.equal(chosen.constant[index], wanted.constant[index])
        assert torch.equal(chosen.styles[index], wanted.styles[index])
