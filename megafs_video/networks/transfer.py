"""FTM, the face transfer module (paper §3.2, Fig. 4): moves an identity between style codes.

One face transfer block per high code, each of three transfer cells. C and the low codes stay
the target's. All blocks run at once, as batched matrix products over the codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from megafs_video.networks.dims import Dims
from megafs_video.values import Latents

FAR = 1e4  # standard deviations: no code is as long


class CodewiseLinear(nn.Module):
    """One linear layer per code, run as one batched product: [H, N, in] -> [H, N, out]."""

    def __init__(self, num_codes: int, in_size: int, out_size: int) -> None:
        super().__init__()
        bound = in_size**-0.5
        self.weight = nn.Parameter(
            torch.empty(num_codes, in_size, out_size).uniform_(-bound, bound)
        )
        self.bias = nn.Parameter(torch.zeros(num_codes, 1, out_size))

    def forward(self, x: Tensor) -> Tensor:
        """x [H, N, in] -> [H, N, out]."""
        return torch.baddbmm(self.bias, x, self.weight)


class Perceptron(nn.Module):
    """K1 or K2 of Eq. 1 and 2: linear, ReLU, linear on the two codes side by side."""

    def __init__(self, num_codes: int, size: int, width: int) -> None:
        super().__init__()
        self.hidden = CodewiseLinear(num_codes, 2 * size, width)
        self.out = CodewiseLinear(num_codes, width, size)

    def forward(self, both: Tensor) -> Tensor:
        """both [H, N, 2 · 512] -> [H, N, 512]."""
        codes: Tensor = self.out(torch.relu(self.hidden(both)))
        return codes


class TransferCell(nn.Module):
    """Eq. 1 and 2 on both branches, which share one concatenation taken before either moves."""

    def __init__(self, num_codes: int, size: int, width: int) -> None:
        super().__init__()
        self.source_gate = Perceptron(num_codes, size, width)
        self.source_shift = Perceptron(num_codes, size, width)
        self.target_gate = Perceptron(num_codes, size, width)
        self.target_shift = Perceptron(num_codes, size, width)

    def forward(self, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """source, target [H, N, 512] -> both, moved."""
        both = torch.cat((source, target), dim=-1)
        moved_source = torch.sigmoid(self.source_gate(both)) * source  # T1, Eq. 1
        moved_target = torch.sigmoid(self.target_gate(both)) * target
        moved_source = torch.tanh(self.source_shift(both)) + moved_source  # T2, Eq. 2
        moved_target = torch.tanh(self.target_shift(both)) + moved_target
        # No activation: the released one has slope 1, and the released weights fit that.
        return moved_source, moved_target


class Keeper(nn.Module):
    """Gives swapped codes back what of the target's draws its expression (ours).

    codes + (target - codes) · R · S: R reads from all high codes how far apart they are in a few
    kinds of expression, S is the step of each. Both are fitted (``training.keep``), not learnt.
    """

    read: Tensor  # [H, 512, P]
    steps: Tensor  # [H, P, 512]

    def __init__(self, dims: Dims) -> None:
        super().__init__()
        size, kinds = dims.style_size, dims.num_kept
        self.register_buffer("read", torch.zeros(dims.num_high, size, kinds))
        self.register_buffer("steps", torch.zeros(dims.num_high, kinds, size))

    def forward(self, codes: Tensor, target: Tensor) -> Tensor:
        """Swapped and target's codes [H, N, 512] -> the swapped codes, moved."""
        apart = torch.bmm(target - codes, self.read).sum(dim=0)  # [N, P]
        return codes + apart @ self.steps


class FaceTransfer(nn.Module):
    """FTM: L_s2t = σ(ω)·l̂_t + (1 - σ(ω))·l̂_s for every high code (Eq. 3).

    Codes are centred and scaled before the cells (the default generator's codes, unlike the
    published model's, are not bounded by a tanh), and put back after. ``gain`` says how much
    longer they are heard than HieRFE gives them: a likeness needs them longer than a
    reconstruction. No code is heard longer than ``reach``: a source in hard light has some that
    the generator draws as blots. What a swap should keep of the target's expression is given back
    to the codes at last (``Keeper``).
    """

    cells: Sequence[TransferCell]  # a ModuleList, which torch does not type by its members
    style_mean: Tensor  # [512]
    style_scale: Tensor  # [512]
    gain: Tensor | None  # [H, 1]; the paper's has none
    reach: Tensor | None  # [1], standard deviations (root mean square of a code); nor has it this

    def __init__(self, dims: Dims) -> None:
        super().__init__()
        self.dims = dims
        cells = nn.ModuleList(
            TransferCell(dims.num_high, dims.style_size, dims.transfer_width)
            for _ in range(dims.transfer_cells)
        )
        self.cells = cast("Sequence[TransferCell]", cells)
        # ω starts on the source's side: swapping first, keeping what the losses ask back.
        self.balance = nn.Parameter(torch.full((dims.num_high, 1, dims.style_size), -2.0))
        self.keeper = Keeper(dims) if dims.num_kept else None
        self.register_buffer("style_mean", torch.zeros(dims.style_size))
        self.register_buffer("style_scale", torch.ones(dims.style_size))
        is_ours = dims.family == "mobile"
        self.register_buffer("gain", torch.ones(dims.num_high, 1) if is_ours else None)
        self.register_buffer("reach", torch.full((1,), FAR) if is_ours else None)
        for cell in self.cells:  # a fresh cell passes its codes on almost untouched
            for gate in (cell.source_gate, cell.target_gate):
                nn.init.constant_(gate.out.bias, 4.0)
                nn.init.zeros_(gate.out.weight)
            for shift in (cell.source_shift, cell.target_shift):
                nn.init.zeros_(shift.out.weight)

    def forward(self, source: Latents, target: Latents) -> Latents:
        """Source of one face or N, target of N -> W++ of N swapped faces."""
        num_low = self.dims.num_low
        high = self.mix(source.styles[:, num_low:], target.styles[:, num_low:])
        return Latents(target.constant, torch.cat((target.styles[:, :num_low], high), dim=1))

    def mix(self, source: Tensor, target: Tensor) -> Tensor:
        """High codes of source [N or 1, H, 512] and target [N, H, 512] -> L_s2t [N, H, 512]."""
        source = self._centre(self.stretched(source).expand_as(target))
        target = wanted = self._centre(self.stretched(target))
        for cell in self.cells:
            source, target = cell(source, target)
        weight = torch.sigmoid(self.balance)
        high = weight * target + (1 - weight) * source  # Eq. 3
        if self.keeper is not None:
            high = self.keeper(high, wanted)
        return high.transpose(0, 1) * self.style_scale + self.style_mean

    def stretched(self, high: Tensor) -> Tensor:
        """High codes [N, H, 512] of HieRFE as long as FTM hears them."""
        if self.gain is None or self.reach is None:
            return high
        apart = high - self.style_mean
        squares = (apart / self.style_scale).square().mean(dim=-1, keepdim=True)  # [N, H, 1]
        # The root of nothing at all has no slope.
        times_too_long = ((squares + 1e-6).sqrt() / self.reach).clamp(min=1.0)
        return self.style_mean + self.gain * apart / times_too_long

    def _centre(self, codes: Tensor) -> Tensor:
        return ((codes - self.style_mean) / self.style_scale).transpose(0, 1)  # [H, N, 512]


def replace_codes(source: Latents, target: Latents, num_low: int) -> Latents:
    """LCR, the paper's ablation: [C_t, L_t^low, L_s^high]."""
    high = source.styles[:, num_low:].expand(len(target), -1, -1)
    return Latents(target.constant, torch.cat((target.styles[:, :num_low], high), dim=1))
