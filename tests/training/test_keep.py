"""What a swap gives back of the target's expression."""

from __future__ import annotations

from pathlib import Path

import torch

from megafs_video.networks.encoder import Encoder
from megafs_video.networks.frozen import freeze
from megafs_video.networks.transfer import FaceTransfer
from megafs_video.training.keep import fit_keeper, prepare_keeper
from megafs_video.training.lead import read_spans, standard_spans
from megafs_video.values import Latents
from tests.tiny import shaken
from tests.training.small import SMALL, small_teachers
from tests.training.test_lead import FACES, head, make_encoder


def make_networks() -> tuple[FaceTransfer, Encoder]:
    encoder = freeze(make_encoder())
    torch.manual_seed(0)
    transfer = shaken(FaceTransfer(SMALL), amount=0.1)
    transfer.style_mean.copy_(encoder.style_mean)
    transfer.style_scale.copy_(encoder.style_scale)
    assert transfer.keeper is not None
    for buffer in transfer.keeper.buffers():
        buffer.zero_()
    return freeze(transfer), encoder


@torch.no_grad()
def lost(transfer: FaceTransfer, encoder: Encoder) -> float:
    """How far swaps are from reconstructions in their spans, in squares."""
    found = read_spans(encoder, head(), FACES, small_teachers())
    targets = found.latents
    sources = Latents(targets.constant.roll(5, 0), targets.styles.roll(5, 0))
    drawn = standard_spans(encoder, head()(transfer(sources, targets)), small_teachers())
    return float((found.drawn - drawn).square().mean())


def test_swaps_draw_spans_nearer_to_the_targets() -> None:
    transfer, encoder = make_networks()
    before = lost(transfer, encoder)
    share = fit_keeper(transfer, encoder, head(), FACES, small_teachers())
    assert share > 0.9
    # 70 % of the way leaves at least 9 % of the squares.
    assert 0.05 * before < lost(transfer, encoder) < 0.5 * before


def test_a_stopped_run_takes_up_its_keeper(tmp_path: Path) -> None:
    lines: list[str] = []
    path = tmp_path / "keeper.pt"
    (one, encoder), (other, _) = make_networks(), make_networks()
    for transfer in (one, other):
        prepare_keeper(transfer, encoder, head(), FACES, small_teachers(), path, lines.append)
    assert len(lines) == 1
    assert one.keeper is not None
    assert other.keeper is not None
    assert one.keeper.steps.any()
    assert torch.equal(one.keeper.steps, other.keeper.steps)
    assert torch.equal(one.keeper.read, other.keeper.read)
