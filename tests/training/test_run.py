"""Both trainings, from folders of pictures to checkpoints that load."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from megafs_video.errors import ConfigError, InputNotFoundError, WeightsError
from megafs_video.networks.dims import Dims
from megafs_video.parts import load_encoder, load_transfer
from megafs_video.training import run, spans
from megafs_video.training.config import EncoderConfig, TransferConfig
from megafs_video.training.loop import Progress
from megafs_video.training.run import read_start, train_encoder, train_transfer
from megafs_video.training.teachers import Teachers
from megafs_video.weights.checkpoint import load_checkpoint
from tests.training.small import SMALL, small_generator, small_teachers, write_faces

NUM_RENDERED = 320  # the least that the picture head takes
ENCODER = EncoderConfig(
    num_steps=4,
    log_every=2,
    save_every=2,
    sheet_every=4,
    num_rendered=NUM_RENDERED,
    picture_from_step=2,
    picture_batch=2,
)
TRANSFER = TransferConfig(
    num_steps=4, log_every=2, save_every=2, sheet_every=4, num_rendered=NUM_RENDERED, batch=2
)


@pytest.fixture(autouse=True)
def without_published_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiny networks in the place of every published one."""

    def load_teachers(dims: Dims, **settings: object) -> Teachers:
        return small_teachers()

    def ensure(names: Iterable[str], **settings: object) -> dict[str, Path]:
        return dict.fromkeys(names, Path("nowhere"))

    def read_backbone_state(path: Path) -> dict[str, torch.Tensor]:
        return {"conv1.weight": torch.full((16, 3, 7, 7), 0.1), "conv1.bias": torch.zeros(9)}

    monkeypatch.setattr(run, "load_teachers", load_teachers)
    monkeypatch.setattr(run, "ensure", ensure)
    monkeypatch.setattr(run, "read_backbone_state", read_backbone_state)
    monkeypatch.setattr(spans, "STEPS", 6)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all runs: what is drawn once serves every test."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def faces(runs: Path) -> Path:
    return write_faces(runs / "faces", 24)


def test_both_trainings_end_in_checkpoints_that_load(runs: Path, faces: Path) -> None:
    said: list[str] = []
    reports: list[Progress] = []
    encoder_path = train_encoder(
        [faces], runs / "encoder", ENCODER, dims=SMALL, say=said.append, report=reports.append
    )
    assert encoder_path == runs / "encoder" / "encoder.safetensors"
    encoder = load_encoder(encoder_path)
    assert encoder.dims == SMALL
    # What the generator's codes are like travels with the encoder (as float16).
    assert torch.allclose(encoder.constant_mean, small_generator().constant, atol=2e-3)
    assert [report.step for report in reports] == [2, 4]
    assert set(reports[0].losses) == {"code", "constant", "sketch"}
    assert {"reconstruction", "perceptual", "identity", "landmark"} < set(reports[1].losses)
    assert "expression" in reports[1].losses
    assert "backbone starts from face parsing: 1 of" in " ".join(said)
    card = load_checkpoint(encoder_path).card
    assert card == {"config": repr(ENCODER), "num_training_faces": "20"}

    transfer_path = train_transfer(
        [faces], runs / "transfer", encoder_path, TRANSFER, say=said.append
    )
    transfer = load_transfer(transfer_path)
    assert transfer.dims == SMALL
    assert torch.equal(transfer.style_mean, encoder.style_mean)
    assert (runs / "transfer" / "sheet-000004.jpg").is_file()

    # FTM may also be taught beside an encoder that a run left, before it was rounded.
    stopped_run, anew = runs / "encoder" / "last.pt", replace(TRANSFER, read_anew=True)
    train_transfer([faces], runs / "beside", stopped_run, anew, dims=SMALL, say=said.append)
    # What the encoder knew of spans is taught again only where that is asked for.
    assert not (runs / "transfer" / "spans.pt").exists()
    assert (runs / "beside" / "spans.pt").is_file()
    assert (runs / "beside" / "lead.pt").is_file()
    with pytest.raises(ConfigError, match=r"other dims; give its encoder\.safetensors"):
        train_transfer([faces], runs / "beside", stopped_run, TRANSFER, say=said.append)

    # An FTM that has learnt is told what to keep of the target; a fresh one is not.
    assert not (runs / "transfer" / "keeper.pt").exists()
    learnt = runs / "transfer" / "last.pt"
    shorter = replace(TRANSFER, code_length=0.5)
    kept = train_transfer([faces], runs / "kept", learnt, shorter, dims=SMALL, say=said.append)
    assert (runs / "kept" / "keeper.pt").is_file()
    # It hears codes that were shortened as long as they were.
    assert load_transfer(kept).gain.flatten().tolist() == [2.0] * 4 + [1.0] * 4

    # So does one that goes on from both finished networks; of such a run, nothing is fitted anew.
    still = replace(TRANSFER, num_steps=1, learning_rate=0.0, ema_decay=0.0)
    both = train_transfer(
        [faces],
        runs / "both",
        kept.with_name("encoder.safetensors"),
        still,
        transfer_checkpoint=kept,
        say=said.append,
    )
    before, after = (load_transfer(path).state_dict() for path in (kept, both))
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    assert not (runs / "both" / "keeper.pt").exists()

    # A run that goes on from a checkpoint starts with its weights, not with fresh ones.
    stopped = replace(ENCODER, num_steps=1, learning_rate=0.0, ema_decay=0.0)
    again = train_encoder(
        [faces], runs / "again", stopped, dims=SMALL, start=encoder_path, say=said.append
    )
    weights = load_encoder(again).backbone.conv1.weight
    assert torch.equal(weights, encoder.backbone.conv1.weight)

    # So does one that goes on from a run that was stopped: the average, before it was rounded.
    another = train_encoder(
        [faces], runs / "another", stopped, dims=SMALL, start=stopped_run, say=said.append
    )
    weights = load_encoder(another).backbone.conv1.weight
    assert torch.equal(weights, encoder.backbone.conv1.weight)


@pytest.mark.parametrize("is_warm", [True, False])
def test_a_backbone_starts_from_face_parsing_unless_it_shall_not(
    tmp_path: Path, faces: Path, is_warm: bool
) -> None:
    config = replace(ENCODER, num_steps=1, learning_rate=0.0, ema_decay=0.0, warm_backbone=is_warm)
    path = train_encoder([faces], tmp_path, config, dims=SMALL, say=lambda line: None)
    stem = load_encoder(path).backbone.conv1.weight
    assert bool((stem == torch.tensor(0.1).half().float()).all()) == is_warm


def test_too_few_drawn_faces_are_refused(tmp_path: Path, faces: Path) -> None:
    few = replace(ENCODER, num_rendered=10)
    with pytest.raises(ConfigError, match=r"num_rendered is 10.* set num_rendered to 320 or more"):
        train_encoder([faces], tmp_path, few, dims=SMALL, say=lambda line: None)


def test_a_folder_without_faces_is_refused(runs: Path, tmp_path: Path) -> None:
    with pytest.raises(InputNotFoundError, match="holds no pictures for training"):
        train_encoder([tmp_path], runs / "encoder", ENCODER, dims=SMALL, say=lambda line: None)


def test_a_file_that_is_no_encoder_is_refused(tmp_path: Path, faces: Path) -> None:
    path = tmp_path / "encoder.safetensors"
    path.write_bytes(b"nothing")
    with pytest.raises(WeightsError, match=r"encoder\.safetensors"):
        train_transfer([faces], tmp_path / "run", path, TRANSFER, say=lambda line: None)


@pytest.mark.parametrize(
    ("stored", "message"),
    [(b"nothing", "is no checkpoint of a run"), ({"average": {"x": torch.zeros(1)}}, "no encoder")],
)
def test_a_start_that_is_no_run_of_an_encoder_is_refused(
    tmp_path: Path, stored: object, message: str
) -> None:
    path = tmp_path / "last.pt"
    if isinstance(stored, bytes):
        path.write_bytes(stored)
    else:
        torch.save(stored, path)
    with pytest.raises(ConfigError, match=message):
        read_start(path)
