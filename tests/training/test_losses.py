"""Each loss of the paper: its closed form, zero at equality, and which way it pulls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from megafs_video.networks.frozen import Mesh478
from megafs_video.training.config import TransferConfig
from megafs_video.training.losses import (
    code_loss,
    constant_loss,
    expression_loss,
    identity_loss,
    landmark_loss,
    norm_loss,
    perceptual_loss,
    reconstruction_loss,
)
from tests.tiny import random_pixels, tiny_arcface, tiny_sface
from tests.training.small import small_teachers

Loss = Callable[[Tensor, Tensor], Tensor]
SCALE = torch.tensor([0.5, 2.0])


def in_deviations(loss: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Loss:
    return lambda found, wanted: loss(found, wanted, SCALE)


DISTANCES: list[tuple[Loss, tuple[int, ...]]] = [
    (reconstruction_loss, (2, 3, 4, 4)),
    (landmark_loss, (2, 5, 2)),
    (constant_loss, (2, 8, 4, 4)),
    (in_deviations(code_loss), (2, 6, 2)),
    (in_deviations(norm_loss), (2, 6, 2)),
]


@pytest.mark.parametrize(("loss", "shape"), DISTANCES)
def test_equal_values_cost_nothing(loss: Loss, shape: tuple[int, ...]) -> None:
    values = torch.randn(shape)
    assert loss(values, values).item() == 0


@pytest.mark.parametrize(("loss", "shape"), DISTANCES)
def test_a_step_against_the_gradient_comes_closer(loss: Loss, shape: tuple[int, ...]) -> None:
    found, wanted = torch.zeros(shape, requires_grad=True), torch.ones(shape)
    before = loss(found, wanted)
    assert before.shape == ()
    torch.autograd.backward(before)
    assert found.grad is not None
    assert (found.grad < 0).all()  # upwards, to the wanted values
    assert loss(found.detach() - 0.1 * found.grad, wanted) < before


def test_reconstruction_is_the_mean_squared_difference() -> None:
    found = torch.tensor([1.0, 2.0, 3.0]).view(1, 3, 1, 1)
    assert reconstruction_loss(found, torch.zeros(1, 3, 1, 1)).item() == pytest.approx(14 / 3)


def test_perceptual_is_the_mean_of_the_distances() -> None:
    assert perceptual_loss(torch.tensor([0.2, 0.6])).item() == pytest.approx(0.4)


@pytest.mark.parametrize(("degrees", "wanted"), [(0, 0.0), (60, 0.5), (90, 1.0), (180, 2.0)])
def test_identity_is_one_minus_the_cosine(degrees: float, wanted: float) -> None:
    angle = torch.deg2rad(torch.tensor(float(degrees)))
    turned = torch.stack((angle.cos(), angle.sin()))[None]
    # Float32 cosines.
    assert identity_loss(turned, torch.tensor([[1.0, 0.0]])).item() == pytest.approx(
        wanted, abs=1e-6
    )


def test_identity_pulls_towards_the_wanted_face() -> None:
    wanted = functional.normalize(torch.randn(4, 8), dim=1)
    free = torch.randn(4, 8, requires_grad=True)
    before = identity_loss(functional.normalize(free, dim=1), wanted)
    torch.autograd.backward(before)
    assert free.grad is not None
    after = identity_loss(functional.normalize(free.detach() - 0.1 * free.grad, dim=1), wanted)
    assert after < before


def test_landmarks_are_measured_as_distances_of_points() -> None:
    points = torch.tensor([[[3.0, 4.0], [0.0, 0.0]]])
    assert landmark_loss(points, torch.zeros(1, 2, 2)).item() == pytest.approx(25 / 2)


def test_codes_are_measured_in_standard_deviations() -> None:
    found = torch.tensor([[[1.0, 4.0]]])  # two deviations off, both
    for loss in (code_loss, norm_loss):
        assert loss(found, torch.zeros(1, 1, 2), SCALE).item() == pytest.approx(4)


def test_the_constant_is_compared_with_one_mean_for_all() -> None:
    constant = torch.stack((torch.zeros(2, 4, 4), torch.full((2, 4, 4), 2.0)))
    assert constant_loss(constant, torch.zeros(1, 2, 4, 4)).item() == pytest.approx(2)


def test_expression_compares_offsets_of_points_and_not_their_places() -> None:
    wanted = torch.tensor([[[0.0, 0.0], [0.0, 0.5], [0.3, 0.1]]])
    moved = wanted + torch.tensor([0.2, -0.1])
    assert expression_loss(moved, wanted, [(0, 1), (1, 2)]).item() == pytest.approx(0, abs=1e-7)
    opened = wanted.clone()
    opened[0, 1, 1] = 0.6  # both spans end here: each is off by 0.1
    assert expression_loss(opened, wanted, [(0, 1), (1, 2)]).item() == pytest.approx(0.1)


def test_the_identity_loss_asks_sface_if_there_is_one() -> None:
    config = TransferConfig(weight_identity=2.0)
    wanted, drawn = random_pixels(2, 64), random_pixels(2, 64, seed=1)
    arcface, sface = tiny_arcface(), tiny_sface()
    for teachers, asked in (
        (small_teachers(), arcface),
        (replace(small_teachers(), sface=sface), sface),
    ):
        likeness = teachers.likeness(wanted, arcface(wanted))
        assert torch.equal(likeness, asked(wanted))
        points = teachers.landmarks(wanted)
        losses = teachers.losses(drawn, wanted, embeddings=likeness, points=points, config=config)
        assert torch.equal(losses["identity"], 2 * identity_loss(asked(drawn), likeness))


def test_mesh_and_gaze_are_those_of_the_picture_which_is_wanted() -> None:
    teachers, config = small_teachers(), TransferConfig(weight_mesh=2.0, weight_gaze=3.0)
    wanted, other = random_pixels(2, 64), random_pixels(2, 64, seed=1)
    heard = {"embeddings": teachers.arcface(wanted), "points": teachers.landmarks(wanted)}
    same = teachers.losses(wanted, wanted, **heard, config=config)
    found = teachers.losses(other, wanted, **heard, config=config)
    meshes = teachers.mesh(other), teachers.mesh(wanted)
    for name, weight, spans in (("mesh", 2, Mesh478.SPANS), ("gaze", 3, Mesh478.GAZE)):
        assert same[name] == 0
        assert found[name] > 0
        assert found[name] == pytest.approx(weight * float(expression_loss(*meshes, spans)))
