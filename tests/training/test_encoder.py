"""Training HieRFE: its losses step by step, its sheet, and where it starts."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from megafs_video.errors import ConfigError
from megafs_video.networks.encoder import Encoder
from megafs_video.training.config import EncoderConfig
from megafs_video.training.encoder import EncoderTask, Learner, fresh_corrector, fresh_encoder
from megafs_video.training.faces import to_device_pixels
from megafs_video.training.readouts import of_rendered
from megafs_video.values import UInt8Array
from tests.tiny import check_close, random_pixels, shaken
from tests.training.small import (
    SMALL,
    small_faces,
    small_generator,
    small_head,
    small_rendered,
    small_teachers,
)

CONFIG = EncoderConfig(
    code_batch=4, late_code_batch=3, picture_batch=2, picture_from_step=10, weight_landmark=1.0
)
KNOWN_LOSSES = {"code", "constant", "sketch"}
PICTURE_LOSSES = {
    *("reconstruction", "perceptual", "identity"),
    *("landmark", "expression", "mesh", "gaze", "window"),
}
READOUT_LOSSES = {"head", "follow"}  # which teach nothing but a readout


def make_task(config: EncoderConfig = CONFIG) -> EncoderTask:
    torch.manual_seed(0)
    return EncoderTask(
        Learner(shaken(Encoder(SMALL)).train(), small_head()),
        config=config,
        rendered=small_rendered(12),
        faces=small_faces(10),
        validation=small_faces(3, seed=1),
        teachers=small_teachers(),
    )


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_codes_are_learnt_first_and_pictures_later() -> None:
    task = make_task()
    assert set(task.step(9, generator())) == KNOWN_LOSSES
    assert set(task.step(10, generator())) == KNOWN_LOSSES | PICTURE_LOSSES | READOUT_LOSSES


def test_photographs_are_of_rare_expressions_and_drawn_in_their_shares() -> None:
    task = make_task(replace(CONFIG, drawn_share=0.25, rare_share=0.5))
    reader = task.reader
    assert len(reader.rare) == 1  # a tenth of ten

    def is_one_of(face: UInt8Array, faces: UInt8Array) -> bool:
        return bool((faces == face).all(axis=(1, 2, 3)).any())

    found = reader.photographs(400, generator())
    assert all(is_one_of(face, reader.faces) for face in found[:300])
    assert all(is_one_of(face, reader.rendered.pixels) for face in found[300:])
    num_rare = sum(is_one_of(face, reader.faces[reader.rare.numpy()]) for face in found[:300])
    assert 0.45 < num_rare / 300 < 0.65  # half, and a tenth of the others
    # None of either, if none are asked for.
    plain = make_task().reader.photographs(400, generator())
    assert all(is_one_of(face, reader.faces) for face in plain)
    assert sum(is_one_of(face, reader.faces[reader.rare.numpy()]) for face in plain) < 80


def test_every_loss_is_a_finite_scalar_that_reaches_the_encoder() -> None:
    for name in (*KNOWN_LOSSES, *PICTURE_LOSSES):
        task = make_task()
        loss = task.step(10, generator())[name]
        assert loss.shape == ()
        assert loss.isfinite()
        torch.autograd.backward(loss)
        stem = task.module.encoder.backbone.conv1.weight.grad
        assert stem is not None, name
        assert stem.abs().max() > 0, name


def test_readouts_learn_from_what_follows_the_generator_alone() -> None:
    for name in (*KNOWN_LOSSES, *PICTURE_LOSSES, *READOUT_LOSSES):
        task = make_task()
        corrector = task.module.encoder.corrector
        assert corrector is not None
        torch.autograd.backward(task.step(10, generator())[name])
        found = [
            part.bands.weight.grad is not None
            for part in (task.module.head.readout, corrector.draw)
        ]
        assert found == [name == "head", name == "follow"], name
        stem = task.module.encoder.backbone.conv1.weight.grad
        assert (stem is None) == (name in READOUT_LOSSES), name


def test_the_weights_of_the_settings_scale_their_losses() -> None:
    weights = {
        "code": "weight_code",
        "constant": "weight_constant",
        "reconstruction": "weight_reconstruction",
        "perceptual": "weight_perceptual",
        "identity": "weight_identity",
        "landmark": "weight_landmark",
        "expression": "weight_expression",
        "mesh": "weight_mesh",
        "gaze": "weight_gaze",
        "sketch": "weight_sketch",
        "window": "weight_window",
    }
    before = make_task().step(10, generator())
    for loss, field in weights.items():
        doubled = replace(CONFIG, **{field: 2 * getattr(CONFIG, field)})
        after = make_task(doubled).step(10, generator())
        window_too = {"reconstruction", "perceptual"} & {loss}  # its squares and its LPIPS
        for name in set(weights) - ({"window"} if window_too else set()):
            check_close(after[name], (2 if name == loss else 1) * before[name])


@pytest.mark.parametrize("augmented", [True, False])
def test_faces_are_turned_and_degraded_unless_they_shall_not_be(augmented: bool) -> None:
    task = make_task(replace(CONFIG, augmented=augmented))
    seen: list[torch.Tensor] = []
    task.module.encoder.backbone.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    batch = task.reader.read(2, 2, generator())
    faces = to_device_pixels(small_faces(10))
    as_they_are = [bool((face == faces).flatten(1).all(1).any()) for face in batch.pixels[2:]]
    assert as_they_are == [not augmented] * 2
    assert torch.equal(seen[0], batch.pixels) != augmented


def test_a_step_follows_its_generator() -> None:
    one, same, other = (make_task().step(10, generator(seed)) for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not any(torch.equal(one[name], other[name]) for name in one)


def test_the_sheet_shows_faces_above_what_their_codes_draw() -> None:
    task = make_task()
    assert task.sheet(task.module).shape == (2 * 128, 3 * 128, 3)


def test_a_fresh_encoder_gives_the_generators_constant_and_codes_that_faces_have() -> None:
    encoder = Encoder(replace(SMALL, num_corrections=0)).eval()
    constant = torch.randn(1, 8, 4, 4)
    mean, scale = torch.randn(8), torch.rand(8) + 0.5
    direction = torch.randn(8)
    codes = mean + scale * torch.randn(50, 1) * direction  # they vary along one line only
    fresh_encoder(encoder, constant, mean, scale, codes)
    with torch.no_grad():
        latents = encoder(
            random_pixels(3, 64), torch.randn(3, 6), torch.randn(3, 106, 2), small_generator()
        )
    assert torch.equal(latents.constant, constant.expand(3, -1, -1, -1))
    offsets = ((latents.styles - mean) / scale).flatten(0, 1)  # [3 · L, 8]
    along = offsets @ direction / direction.square().sum()
    check_close(offsets, along[:, None] * direction)
    assert along.std() > 0


def test_a_loss_without_weight_is_left_out() -> None:
    bare = replace(
        CONFIG,
        weight_perceptual=0.0,
        weight_identity=0.0,
        weight_landmark=0.0,
        weight_expression=0.0,
        weight_mesh=0.0,
        weight_gaze=0.0,
        weight_window=0.0,
        weight_sketch=0.0,
    )
    left = {"code", "constant", "reconstruction", "follow"}
    assert set(make_task(bare).step(10, generator())) == left


def test_a_fresh_corrector_draws_sketches_and_hardly_corrects() -> None:
    encoder = Encoder(SMALL).eval()
    assert encoder.corrector is not None
    fresh_encoder(
        encoder, small_generator().constant, torch.zeros(8), torch.ones(8), torch.randn(50, 8)
    )
    faces = small_rendered(30)
    drawn = of_rendered(faces, small_generator(), 30)
    fresh_corrector(encoder.corrector, small_generator(), faces, drawn)
    pixels = random_pixels(3, 64)
    with torch.no_grad():
        points = encoder.points(pixels, torch.randn(3, 106, 2))
        cues = encoder.cues(torch.randn(3, 6), points)
        reading = encoder.read(pixels)
        styles = encoder.styles(reading.pooled, cues)
        first, last = encoder.correct(pixels, reading, styles, cues, small_generator())
    scale = float(encoder.constant_scale)
    assert 0 < (first.constant - last.constant).abs().max() < 0.2 * scale


def test_the_corrector_can_learn_alone() -> None:
    task = make_task(replace(CONFIG, corrector_only=True))
    encoder = task.module.encoder
    assert encoder.corrector is not None
    losses = task.step(0, generator())
    assert set(losses) == {"sketch"}
    torch.autograd.backward(losses["sketch"])
    (group,) = task.groups()
    assert all(weight.grad is not None for weight in group.weights)
    learning = {id(weight) for weight in group.weights}
    others = [weight for weight in task.module.parameters() if id(weight) not in learning]
    assert all(weight.grad is None for weight in others)
    assert {id(weight) for weight in encoder.corrector.draw.parameters()} <= {*map(id, others)}
    assert encoder.backbone.bn1.num_batches_tracked == 0  # its norms stay what they are


def test_an_encoder_without_corrector_cannot_train_it_alone() -> None:
    task = make_task(replace(CONFIG, corrector_only=True))
    task.module.encoder.corrector = None
    with pytest.raises(ConfigError, match="no corrector; leave it out"):
        task.groups()
