"""FTM equals the paper's equations code by code, and leaves alone what is the target's."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from megafs_video.networks.dims import TINY, Dims
from megafs_video.networks.transfer import CodewiseLinear, FaceTransfer, replace_codes
from megafs_video.values import Latents
from tests.tiny import check_close, random_latents, shaken

LOW, SIZE = TINY.num_low, TINY.style_size


@pytest.fixture
def transfer() -> FaceTransfer:
    torch.manual_seed(0)
    return shaken(FaceTransfer(TINY))


@torch.no_grad()
def swap(transfer: FaceTransfer, source: Latents, target: Latents) -> Latents:
    swapped: Latents = transfer(source, target)
    return swapped


def linear(layer: CodewiseLinear, code: int) -> nn.Linear:
    """The layer of one code, as torch writes it."""
    in_size, out_size = layer.weight.shape[1:]
    plain = nn.Linear(in_size, out_size)
    plain.load_state_dict({"weight": layer.weight[code].T, "bias": layer.bias[code, 0]})
    return plain


def perceptron(network: nn.Module, code: int, both: Tensor) -> Tensor:
    """K1 or K2 of one code."""
    hidden, out = network.get_submodule("hidden"), network.get_submodule("out")
    assert isinstance(hidden, CodewiseLinear)
    assert isinstance(out, CodewiseLinear)
    result: Tensor = linear(out, code)(torch.relu(linear(hidden, code)(both)))
    return result


@torch.no_grad()
def high_code_by_the_paper(
    transfer: FaceTransfer, code: int, source: Tensor, target: Tensor
) -> Tensor:
    """A slow twin of one face transfer block, Eq. 1 to 3; source and target [512]."""
    assert transfer.gain is not None
    source = transfer.gain[code] * (source - transfer.style_mean) / transfer.style_scale
    target = transfer.gain[code] * (target - transfer.style_mean) / transfer.style_scale
    for cell in transfer.cells:
        both = torch.cat((source, target))
        gated_source = torch.sigmoid(perceptron(cell.source_gate, code, both)) * source  # Eq. 1
        gated_target = torch.sigmoid(perceptron(cell.target_gate, code, both)) * target
        source = torch.tanh(perceptron(cell.source_shift, code, both)) + gated_source  # Eq. 2
        target = torch.tanh(perceptron(cell.target_shift, code, both)) + gated_target
    omega = torch.sigmoid(transfer.balance[code, 0])
    mixed = omega * target + (1 - omega) * source  # Eq. 3
    return mixed * transfer.style_scale + transfer.style_mean


def test_every_high_code_is_what_the_papers_equations_say(transfer: FaceTransfer) -> None:
    source, target = random_latents(3), random_latents(3, seed=1)
    found = swap(transfer, source, target).styles
    for face in range(3):
        for code in range(TINY.num_high):
            wanted = high_code_by_the_paper(
                transfer, code, source.styles[face, LOW + code], target.styles[face, LOW + code]
            )
            torch.testing.assert_close(found[face, LOW + code], wanted, atol=1e-5, rtol=0)


def test_the_constant_and_the_low_codes_stay_the_targets_bit_by_bit(
    transfer: FaceTransfer,
) -> None:
    source, target = random_latents(3), random_latents(3, seed=1)
    swapped = swap(transfer, source, target)
    assert torch.equal(swapped.constant, target.constant)
    assert torch.equal(swapped.styles[:, :LOW], target.styles[:, :LOW])
    assert swapped.styles.shape == target.styles.shape


def test_the_sources_constant_and_low_codes_do_not_matter(transfer: FaceTransfer) -> None:
    source, target = random_latents(2), random_latents(2, seed=1)
    other = random_latents(2, seed=2)
    styles = torch.cat((other.styles[:, :LOW], source.styles[:, LOW:]), dim=1)
    changed = swap(transfer, Latents(other.constant, styles), target)
    assert torch.equal(changed.styles, swap(transfer, source, target).styles)


def test_one_source_serves_every_target(transfer: FaceTransfer) -> None:
    source, target = random_latents(1), random_latents(4, seed=1)
    repeated = Latents(source.constant.repeat(4, 1, 1, 1), source.styles.repeat(4, 1, 1))
    check_close(swap(transfer, source, target).styles, swap(transfer, repeated, target).styles)


def test_no_target_gives_no_face(transfer: FaceTransfer) -> None:
    assert len(swap(transfer, random_latents(1), random_latents(1)[:0])) == 0


def test_a_fresh_module_leans_to_the_source() -> None:
    source, target = random_latents(2), random_latents(2, seed=1)
    found = swap(FaceTransfer(TINY), source, target).styles[:, LOW:]
    # A gate starts at sigmoid(4) and there are three cells.
    kept = torch.sigmoid(torch.tensor(4.0)) ** TINY.transfer_cells
    share = torch.sigmoid(torch.tensor(-2.0))  # ω
    wanted = share * target.styles + (1 - share) * source.styles
    check_close(found, kept * wanted[:, LOW:])


def test_a_keeper_gives_back_what_its_kinds_read_of_the_target() -> None:
    torch.manual_seed(0)
    keeping = shaken(FaceTransfer(replace(TINY, num_kept=3)))
    plain = FaceTransfer(TINY)
    plain.load_state_dict({k: v for k, v in keeping.state_dict().items() if "keeper" not in k})
    source, target = random_latents(3), random_latents(3, seed=1)

    def centred(high: Tensor) -> Tensor:
        return (high - plain.style_mean) / plain.style_scale

    without = centred(swap(plain, source, target).styles[:, LOW:])
    found = centred(swap(keeping, source, target).styles[:, LOW:])
    assert plain.gain is not None
    wanted = plain.gain * centred(target.styles[:, LOW:])
    keeper = keeping.keeper
    assert keeper is not None
    moved = found - without
    for face in range(3):
        expected = torch.zeros(TINY.num_high, SIZE)
        for kind in range(3):
            apart = ((wanted - without)[face] * keeper.read[:, :, kind]).sum()
            expected += apart * keeper.steps[:, kind]
        torch.testing.assert_close(moved[face], expected, atol=1e-4, rtol=1e-4)


def test_a_file_of_before_there_was_a_keeper_has_none() -> None:
    said = replace(TINY, num_kept=0).to_json().replace(', "num_kept": 0', "")
    assert "num_kept" not in said
    assert FaceTransfer(Dims.from_json(said)).keeper is None


def test_the_papers_ftm_hears_codes_as_they_are() -> None:
    stages = {"backbone_widths": (4, 4, 8, 8, 8), "backbone_depths": (1, 1, 1, 1, 1)}
    transfer = FaceTransfer(replace(TINY, family="paper", crop_size=256, **stages))
    high = random_latents(2).styles[:, LOW:]
    assert not {"gain", "reach"} & transfer.state_dict().keys()
    assert transfer.stretched(high) is high


def test_no_code_is_heard_from_beyond_the_reach() -> None:
    transfer = FaceTransfer(TINY)
    assert transfer.gain is not None
    assert transfer.reach is not None
    transfer.style_mean.fill_(0.5)
    transfer.style_scale.fill_(2.0)
    high = random_latents(2).styles[:, LOW:]
    torch.testing.assert_close(transfer.stretched(high), high)  # no code is as long as FAR
    near, far = 0.5 + 1.9 * torch.ones(SIZE), 0.5 - 40.0 * torch.ones(SIZE)
    high[0, 0], high[0, 1], high[1, 0] = near, far, transfer.style_mean
    transfer.reach.fill_(3.0)
    transfer.gain.fill_(1.5)
    found = transfer.stretched(high.requires_grad_()) - 0.5
    found.sum().backward()
    assert high.grad is not None
    assert high.grad.isfinite().all()
    found = found.detach()
    torch.testing.assert_close(found[0, 0], 1.5 * (near - 0.5))
    torch.testing.assert_close(found[0, 1], torch.full((SIZE,), -1.5 * 3.0 * 2.0))
    torch.testing.assert_close(found[1, 0], torch.zeros(SIZE))


def test_replacing_codes_takes_the_high_ones_of_the_source() -> None:
    source, target = random_latents(1), random_latents(3, seed=1)
    found = replace_codes(source, target, LOW)
    assert torch.equal(found.constant, target.constant)
    assert torch.equal(found.styles[:, :LOW], target.styles[:, :LOW])
    for face in range(3):
        assert torch.equal(found.styles[face, LOW:], source.styles[0, LOW:])
