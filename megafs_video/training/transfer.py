"""Training FTM (paper §3.4, Eq. 9–14) while HieRFE goes on learning.

The paper keeps a finished encoder as it is. Ours, much smaller, learns with FTM what of a face
must lie in the high codes, which a swap replaces, and what in C and the low codes, which it keeps.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from megafs_video.networks.encoder import Encoder
from megafs_video.networks.transfer import FaceTransfer
from megafs_video.training.config import TransferConfig
from megafs_video.training.encoder import Reader, corrector_group, others, special_groups
from megafs_video.training.faces import to_device_pixels
from megafs_video.training.head import PictureHead, window_losses
from megafs_video.training.loop import Group
from megafs_video.training.losses import norm_loss
from megafs_video.training.rendered import RenderedFaces
from megafs_video.training.sheets import rows_of
from megafs_video.training.teachers import Teachers
from megafs_video.values import Latents, UInt8Array


class Swapper(nn.Module):
    """HieRFE and FTM, which learn together, and the picture head that follows."""

    head: PictureHead

    def __init__(self, encoder: Encoder, transfer: FaceTransfer, head: PictureHead) -> None:
        super().__init__()
        self.encoder = encoder
        self.transfer = transfer
        self.head = head


class TransferTask:
    """Eq. 14: the source's identity on the target's pose, expression and light."""

    def __init__(
        self,
        swapper: Swapper,
        *,
        config: TransferConfig,
        rendered: RenderedFaces,
        faces: UInt8Array,
        validation: UInt8Array,
        teachers: Teachers,
    ) -> None:
        self.module = swapper
        self.config = config
        self.reader = Reader(
            swapper.encoder,
            rendered=rendered,
            faces=faces,
            teachers=teachers,
            config=config,
        )
        self.validation = validation
        self.teachers = teachers

    def groups(self) -> list[Group]:
        """FTM and the heads of the codes that it moves; the rest of HieRFE; the special ones."""
        encoder = self.module.encoder
        if self.config.corrector_only:
            return corrector_group(encoder)
        parts = [self.module.transfer, *encoder.heads()]
        fast = Group([weight for part in parts for weight in part.parameters()])
        special = special_groups(encoder, self.module.head)
        slow = Group(others(encoder, [fast, *special]), self.config.encoder_rate)
        return [fast, slow, *special]

    def step(self, step: int, random: torch.Generator) -> dict[str, Tensor]:
        """Eq. 14, term by term: pairs of faces, a share of them a face with itself (Eq. 9)."""
        config = self.config
        if config.corrector_only:
            return self.reader.corrector_losses(config.code_batch, config.batch, random)
        batch = self.reader.read(config.code_batch, config.batch, random)
        chosen = batch.photographs
        targets, photographs = batch.guesses[-1][chosen], batch.pixels[chosen]
        order = torch.arange(config.batch)
        is_same = torch.rand(config.batch, generator=random) < config.same_share
        source = torch.where(is_same, order, another(config.batch, random))
        sources = targets[source]
        is_direct = is_same & (torch.rand(config.batch, generator=random) < config.direct_share)
        swapped = choose(
            is_direct.to(photographs.device), targets, self.module.transfer(sources, targets)
        )
        head = self.module.head
        features = head.features(swapped)
        drawn, wanted = head.draw(features, swapped), head.resized(photographs)
        losses = self.reader.losses(batch, config) | self.teachers.losses(
            drawn,
            wanted,
            embeddings=batch.likeness[chosen][source],
            points=batch.points[chosen],
            config=config,
        )
        scale, num_low = self.module.transfer.style_scale, self.module.transfer.dims.num_low
        source_high = self.module.transfer.stretched(sources.styles[:, num_low:])
        swapped_high = swapped.styles[:, num_low:]
        losses["norm"] = config.weight_norm * norm_loss(source_high, swapped_high, scale)
        if is_same.any():
            squares = head.squares(drawn[is_same], wanted[is_same], config.reconstruction_size)
            losses["reconstruction"] = config.weight_reconstruction * squares
        losses |= self.reader.follow(swapped, drawn)
        if config.window_batch and config.weight_window:
            losses |= self.windows(features, swapped, photographs, is_same, random)
        return losses

    def windows(
        self,
        features: Tensor,
        swapped: Latents,
        photographs: Tensor,
        is_same: Tensor,
        random: torch.Generator,
    ) -> dict[str, Tensor]:
        """Windows of faces that are their own source; of a swapped one, for the head alone."""
        head, config = self.module.head, self.config
        losses: dict[str, Tensor] = {}
        if is_same.any():
            same = (features[is_same], swapped[is_same], photographs[is_same])
            losses = window_losses(head, *same, self.teachers.lpips, random, config)
        others = (~is_same).nonzero().flatten()[:2]
        if len(others):
            follows = head.follow_window(features[others].detach(), swapped[others], random)
            losses["head"] = losses.get("head", 0) + follows
        return losses

    @torch.no_grad()
    def sheet(self, module: nn.Module) -> UInt8Array:
        """Validation sources, targets, and the swapped faces."""
        swapper, teachers = cast("Swapper", module).eval(), self.teachers
        pixels = to_device_pixels(self.validation, swapper.encoder.style_mean.device)
        latents = swapper.encoder(
            pixels, teachers.arcface(pixels), teachers.landmarks(pixels), teachers.generator
        )
        half = (len(pixels) + 1) // 2
        source, target = slice(0, half), slice(len(pixels) - half, None)
        return rows_of(
            swapper.head.resized(pixels[source]),
            swapper.head.resized(pixels[target]),
            swapper.head(swapper.transfer(latents[source], latents[target])),
        )


def another(count: int, random: torch.Generator) -> Tensor:
    """For each of ``count`` things the number of another; of its own if it is the only one."""
    ahead = torch.randint(1, max(2, count), (), generator=random)
    return (torch.arange(count) + ahead) % count


def choose(is_first: Tensor, first: Latents, second: Latents) -> Latents:
    """Face by face, the one or the other W++; is_first [N]."""
    return Latents(
        torch.where(is_first[:, None, None, None], first.constant, second.constant),
        torch.where(is_first[:, None, None], first.styles, second.styles),
    )
