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
from megafs_video.networks.frozen import ArcFace, Landmarks106, freeze
from megafs_video.networks.perceptual import Lpips
from megafs_video.networks.transfer import FaceTransfer
from megafs_video.training.config import TransferConfig
from megafs_video.training.faces import to_device_pixels
from megafs_video.training.head import PictureHead, resized
from megafs_video.training.losses import (
    identity_loss,
    landmark_loss,
    norm_loss,
    perceptual_loss,
    reconstruction_loss,
)
from megafs_video.training.sheets import rows_of
from megafs_video.values import Latents, UInt8Array


@dataclass(frozen=True, eq=False)
class EncodedFaces:
    """Everything of a set of faces that stays the same while FTM learns."""

    pixels: UInt8Array  # [N, S, S, 3]
    constant: Tensor  # [N, 512, 4, 4] float16
    pooled: Tensor  # [N, L · width], what the maps say
    embeddings: Tensor  # [N, 512], who it is
    points: Tensor  # [N, K, 2]


class Swapper(nn.Module):
    """The heads of HieRFE and FTM, which learn together."""

    def __init__(self, encoder: Encoder, transfer: FaceTransfer) -> None:
        super().__init__()
        self.encoder = encoder
        self.transfer = transfer
        freeze(encoder)
        for head in encoder.heads():
            head.requires_grad_(requires_grad=True)

    def latents(self, faces: EncodedFaces, chosen: Tensor) -> Latents:
        """W++ of the chosen faces."""
        styles = self.encoder.styles(faces.pooled[chosen], faces.embeddings[chosen])
        return Latents(faces.constant[chosen].float(), styles)


@torch.inference_mode()
def encode_faces(
    pixels: UInt8Array, encoder: Encoder, arcface: ArcFace, landmarks: Landmarks106, batch: int = 16
) -> EncodedFaces:
    """Read the maps, embeddings and landmarks of uint8 faces [N, S, S, 3] once."""
    parts: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
    for start in range(0, len(pixels), batch):
        part = to_device_pixels(pixels[start : start + batch])
        embeddings = arcface(part)
        reading = encoder.read(part)
        parts.append((reading.constant.half(), reading.pooled, embeddings, landmarks(part)))
    constant, pooled, found, points = (
        torch.cat([part[column] for part in parts]) for column in range(4)
    )
    return EncodedFaces(pixels, constant, pooled, found, points)


class TransferTask:
    """Eq. 14: the source's identity on the target's pose, expression and light."""

    def __init__(
        self,
        swapper: Swapper,
        *,
        config: TransferConfig,
        faces: EncodedFaces,
        validation: EncodedFaces,
        head: PictureHead,
        arcface: ArcFace,
        landmarks: Landmarks106,
        lpips: Lpips,
    ) -> None:
        self.module = swapper
        self.config = config
        self.faces = faces
        self.validation = validation
        self.head = head
        self.arcface = arcface
        self.landmarks = landmarks
        self.lpips = lpips

    def step(self, step: int, random: torch.Generator) -> dict[str, Tensor]:
        """Losses of one batch of pairs; a share of them are a face with itself (Eq. 9)."""
        config = self.config
        count = len(self.faces.pixels)
        source = torch.randint(count, (config.batch,), generator=random)
        target = torch.randint(count, (config.batch,), generator=random)
        is_same = torch.rand(config.batch, generator=random) < config.same_share
        source = torch.where(is_same, target, source)
        source_latents = self.module.latents(self.faces, source)
        target_latents = self.module.latents(self.faces, target)
        swapped = self.module.transfer(source_latents, target_latents)
        drawn = self.head(swapped)
        wanted = resized(to_device_pixels(self.faces.pixels[target.numpy()]))
        num_low = self.module.transfer.dims.num_low
        losses = {
            "perceptual": config.weight_perceptual * perceptual_loss(self.lpips(drawn, wanted)),
            "identity": config.weight_identity
            * identity_loss(self.arcface(drawn), self.faces.embeddings[source]),
            "landmark": config.weight_landmark
            * landmark_loss(self.landmarks(drawn), self.faces.points[target]),
            "norm": config.weight_norm
            * norm_loss(
                source_latents.styles[:, num_low:],
                swapped.styles[:, num_low:],
                self.module.transfer.style_scale,
            ),
        }
        if is_same.any():
            losses["reconstruction"] = config.weight_reconstruction * reconstruction_loss(
                drawn[is_same], wanted[is_same]
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
            resized(to_device_pixels(self.validation.pixels[source.numpy()])),
            resized(to_device_pixels(self.validation.pixels[target.numpy()])),
            self.head(swapped),
        )
