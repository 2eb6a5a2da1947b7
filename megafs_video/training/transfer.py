"""Training FTM (paper §3.4, Eq. 9–14) on what a finished HieRFE has read.

The backbone, the pyramid and the maps' side of the mapping networks stay as they are, so every
face is read once. The heads of the mapping networks, where the identity enters the codes, learn
together with FTM (the paper keeps the whole encoder; ours is much smaller).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from megafs_video.networks.encoder import Encoder
from megafs_video.networks.frozen import freeze
from megafs_video.networks.transfer import FaceTransfer
from megafs_video.training.config import TransferConfig
from megafs_video.training.faces import to_device_pixels
from megafs_video.training.head import PictureHead, window_distance
from megafs_video.training.losses import code_loss, norm_loss, reconstruction_loss
from megafs_video.training.rendered import RenderedFaces
from megafs_video.training.sheets import rows_of
from megafs_video.training.teachers import Teachers
from megafs_video.values import Latents, UInt8Array


@dataclass(frozen=True, eq=False)
class EncodedFaces:
    """Everything of a set of faces that stays the same while FTM learns."""

    pixels: UInt8Array  # [N, S, S, 3]
    constant: Tensor  # [N, 512, 4, 4] float16
    low: Tensor  # [N, num_low, 512]
    pooled: Tensor  # [N, L · width], what the maps say
    embeddings: Tensor  # [N, 512], who it is
    points: Tensor  # [N, K, 2]


class Swapper(nn.Module):
    """The heads of HieRFE and FTM, which learn together, and the picture head that follows."""

    head: PictureHead

    def __init__(self, encoder: Encoder, transfer: FaceTransfer, head: PictureHead) -> None:
        super().__init__()
        self.encoder = encoder
        self.transfer = transfer
        self.head = head
        freeze(encoder)
        for layer in encoder.heads():
            layer.requires_grad_(requires_grad=True)

    def latents(self, faces: EncodedFaces, chosen: Tensor) -> Latents:
        """W++ of the chosen faces."""
        cues = self.encoder.cues(faces.embeddings[chosen], faces.points[chosen])
        styles = self.encoder.styles(faces.pooled[chosen], cues)
        low = faces.low[chosen]
        high = styles[:, low.shape[1] :]
        return Latents(faces.constant[chosen].float(), torch.cat((low, high), dim=1))


@torch.inference_mode()
def encode_faces(
    pixels: UInt8Array, encoder: Encoder, teachers: Teachers, batch: int = 16
) -> EncodedFaces:
    """Read the maps, embeddings and landmarks of uint8 faces [N, S, S, 3] once."""
    parts: list[tuple[Tensor, ...]] = []
    for start in range(0, len(pixels), batch):
        part = to_device_pixels(pixels[start : start + batch])
        embeddings, points = teachers.arcface(part), teachers.landmarks(part)
        reading, cues = encoder.read(part), encoder.cues(embeddings, points)
        styles = encoder.styles(reading.pooled, cues)
        latents = encoder.correct(part, reading, styles, cues, teachers.generator)[-1]
        low = latents.styles[:, : encoder.dims.num_low]
        parts.append((latents.constant.half(), low, reading.pooled, embeddings, points))
    return EncodedFaces(pixels, *(torch.cat(column) for column in zip(*parts, strict=True)))


class TransferTask:
    """Eq. 14: the source's identity on the target's pose, expression and light."""

    def __init__(
        self,
        swapper: Swapper,
        *,
        config: TransferConfig,
        faces: EncodedFaces,
        rendered: RenderedFaces,
        validation: EncodedFaces,
        teachers: Teachers,
    ) -> None:
        self.module = swapper
        self.config = config
        self.faces = faces
        self.known_styles = rendered.styles
        self.known = encode_faces(rendered.pixels, swapper.encoder, teachers)
        self.validation = validation
        self.teachers = teachers

    def step(self, step: int, random: torch.Generator) -> dict[str, Tensor]:
        """Eq. 14, term by term: pairs of faces, a share of them a face with itself (Eq. 9)."""
        config = self.config
        count = len(self.faces.pixels)
        source = torch.randint(count, (config.batch,), generator=random)
        target = torch.randint(count, (config.batch,), generator=random)
        is_same = torch.rand(config.batch, generator=random) < config.same_share
        source = torch.where(is_same, target, source)
        source_latents = self.module.latents(self.faces, source)
        target_latents = self.module.latents(self.faces, target)
        is_direct = is_same & (torch.rand(config.batch, generator=random) < config.direct_share)
        swapped = choose(
            is_direct, target_latents, self.module.transfer(source_latents, target_latents)
        )
        head = self.module.head
        features = head.features(swapped)
        drawn = head.draw(features, swapped)
        photographs = to_device_pixels(self.faces.pixels[target.numpy()])
        wanted = head.resized(photographs)
        losses = self.teachers.losses(
            drawn,
            wanted,
            embeddings=self.faces.embeddings[source],
            points=self.faces.points[target],
            config=config,
        )
        scale, num_low = self.module.transfer.style_scale, self.module.transfer.dims.num_low
        source_high, swapped_high = source_latents.styles[:, num_low:], swapped.styles[:, num_low:]
        losses["norm"] = config.weight_norm * norm_loss(source_high, swapped_high, scale)
        # Codes that the picture head does not see keep the meaning they had.
        known = torch.randint(len(self.known_styles), (config.code_batch,), generator=random)
        styles = self.module.latents(self.known, known).styles
        losses["code"] = config.weight_code * code_loss(
            styles, self.known_styles[known].float(), scale
        )
        if is_same.any():
            losses["reconstruction"] = config.weight_reconstruction * reconstruction_loss(
                drawn[is_same], wanted[is_same]
            )
        if is_same.any() and config.window_batch and config.weight_window:
            some = is_same.nonzero().flatten()[: config.window_batch]
            squares, perceptual = window_distance(
                head,
                features[some],
                Latents(swapped.constant[some], swapped.styles[some]),
                photographs[some],
                self.teachers.lpips,
                random,
            )
            losses["window"] = config.weight_window * (
                config.weight_reconstruction * squares + config.weight_perceptual * perceptual
            )
        return losses

    @torch.no_grad()
    def sheet(self, module: nn.Module) -> UInt8Array:
        """Validation sources, targets, and the swapped faces."""
        swapper = cast("Swapper", module)
        count = len(self.validation.pixels)
        half = (count + 1) // 2
        source, target = torch.arange(half), torch.arange(count - half, count)
        swapped = swapper.transfer(
            swapper.latents(self.validation, source), swapper.latents(self.validation, target)
        )
        return rows_of(
            swapper.head.resized(to_device_pixels(self.validation.pixels[source.numpy()])),
            swapper.head.resized(to_device_pixels(self.validation.pixels[target.numpy()])),
            swapper.head(swapped),
        )


def choose(is_first: Tensor, first: Latents, second: Latents) -> Latents:
    """Face by face, the one or the other W++; is_first [N]."""
    return Latents(
        torch.where(is_first[:, None, None, None], first.constant, second.constant),
        torch.where(is_first[:, None, None], first.styles, second.styles),
    )
