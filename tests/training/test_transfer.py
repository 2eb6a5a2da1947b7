"""Training FTM and HieRFE together: pairs with their losses, and the sheet."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from megafs_video.networks.encoder import Encoder
from megafs_video.networks.transfer import FaceTransfer
from megafs_video.training.config import TransferConfig
from megafs_video.training.encoder import CORRECTOR_RATE
from megafs_video.training.head import READOUT_RATE
from megafs_video.training.transfer import Swapper, TransferTask, another, choose
from tests.tiny import check_close, random_latents, shaken, tiny_sface
from tests.training.small import SMALL, small_faces, small_head, small_rendered, small_teachers

CONFIG = TransferConfig(batch=4, same_share=0.5)


def make_task(config: TransferConfig = CONFIG, num_validation: int = 5) -> TransferTask:
    torch.manual_seed(0)
    encoder, transfer = shaken(Encoder(SMALL), amount=0.1), shaken(FaceTransfer(SMALL), amount=0.1)
    return TransferTask(
        Swapper(encoder, transfer, small_head()).train(),
        config=config,
        rendered=small_rendered(6),
        faces=small_faces(9),
        validation=small_faces(num_validation, seed=1),
        teachers=small_teachers(),
    )


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_every_loss_is_a_finite_scalar_that_reaches_the_module() -> None:
    of_hierfe = {"code", "constant", "sketch"}  # what it reads, before anything is moved
    of_pairs = {"perceptual", "identity", "landmark", "expression", "mesh", "gaze", "norm"}
    names = of_hierfe | of_pairs | {"reconstruction", "window"}
    for name in names:
        task = make_task(replace(CONFIG, direct_share=0.0))
        losses = task.step(0, generator())
        assert set(losses) == names | {"head", "follow"}  # which teach nothing but a readout
        assert losses[name].shape == ()
        assert losses[name].isfinite()
        torch.autograd.backward(losses[name])
        stem = task.module.encoder.backbone.conv1.weight.grad
        assert stem is not None, name
        assert stem.abs().max() > 0, name
        hidden = task.module.transfer.cells[0].source_shift.hidden.weight.grad
        assert (hidden is None) == (name in of_hierfe), name
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
        "mesh": "weight_mesh",
        "gaze": "weight_gaze",
        "code": "weight_code",
        "norm": "weight_norm",
        "constant": "weight_constant",
        "sketch": "weight_sketch",
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


@pytest.mark.parametrize("count", [2, 3, 12])
def test_every_source_is_another_face(count: int) -> None:
    for seed in range(5):
        order = another(count, generator(seed))
        assert sorted(order.tolist()) == list(range(count))
        assert (order != torch.arange(count)).all()
    assert another(1, generator()).tolist() == [0]


def test_a_face_that_is_drawn_directly_shows_what_hierfe_read() -> None:
    first, second = random_latents(3, SMALL), random_latents(3, SMALL, seed=1)
    chosen = choose(torch.tensor([True, False, True]), first, second)
    for index, wanted in enumerate((first, second, first)):
        assert torch.equal(chosen.constant[index], wanted.constant[index])
        assert torch.equal(chosen.styles[index], wanted.styles[index])


def test_ftm_and_the_heads_of_its_codes_learn_faster_than_the_rest() -> None:
    task = make_task(replace(CONFIG, encoder_rate=0.25))
    groups = task.groups()
    assert [group.rate for group in groups] == [1, 0.25, READOUT_RATE, READOUT_RATE, CORRECTOR_RATE]
    rates = {id(weight): group.rate for group in groups for weight in group.weights}
    module, corrector = task.module, task.module.encoder.corrector
    assert corrector is not None
    assert {rates[id(weight)] for weight in module.transfer.parameters()} == {1}
    assert rates[id(module.encoder.mappings[1].project.weight)] == 1
    assert rates[id(module.encoder.mappings[0].project.weight)] == 0.25  # the low codes'
    assert {rates[id(weight)] for weight in module.head.parameters()} == {READOUT_RATE}
    assert {rates[id(weight)] for weight in corrector.draw.parameters()} == {READOUT_RATE}
    assert rates[id(corrector.mix.weight)] == CORRECTOR_RATE
    every = {id(weight) for weight in module.parameters()}
    assert set(rates) == every
    assert sum(len(group.weights) for group in groups) == len(every)


def test_the_corrector_can_learn_beside_a_finished_ftm() -> None:
    task = make_task(replace(CONFIG, corrector_only=True))
    assert set(task.step(0, generator())) == {"sketch"}
    (group,) = task.groups()
    assert not {id(w) for w in group.weights} & {id(w) for w in task.module.transfer.parameters()}


def test_a_step_can_ask_sface_for_the_identity() -> None:
    task = make_task()
    asked = task.step(0, generator())["identity"]
    task.teachers = task.reader.teachers = replace(task.teachers, sface=tiny_sface())
    other = task.step(0, generator())["identity"]
    assert other.isfinite()
    assert not torch.equal(other, asked)
