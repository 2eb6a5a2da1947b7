"""The frozen networks that losses are made of, and the losses they make of a drawn face."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from megafs_video.networks.frozen import ArcFace, Landmarks106, Mesh478, SFace
from megafs_video.networks.generator import Generator, StyleMapper
from megafs_video.networks.perceptual import Lpips
from megafs_video.training.config import PictureConfig
from megafs_video.training.losses import (
    expression_loss,
    identity_loss,
    landmark_loss,
    perceptual_loss,
)


@dataclass(frozen=True)
class Teachers:
    """What a training compares pictures with; nothing of it learns."""

    generator: Generator
    mapper: StyleMapper
    arcface: ArcFace
    landmarks: Landmarks106
    mesh: Mesh478
    lpips: Lpips
    sface: SFace | None = None  # if the identity loss asks it instead of ArcFace

    def to(self, device: torch.device) -> Teachers:
        """The same networks on a device; the mapper, which works only at the start, stays."""
        return Teachers(
            self.generator.to(device),
            self.mapper,
            self.arcface.to(device),
            self.landmarks.to(device),
            self.mesh.to(device),
            self.lpips.to(device),
            None if self.sface is None else self.sface.to(device),
        )

    def likeness(self, pixels: Tensor, identity: Tensor) -> Tensor:
        """What the identity loss compares: SFace's, or else the ``identity`` that ArcFace found."""
        return identity if self.sface is None else self.sface(pixels)

    def losses(
        self,
        drawn: Tensor,
        wanted: Tensor,
        *,
        embeddings: Tensor,
        points: Tensor,
        config: PictureConfig,
    ) -> dict[str, Tensor]:
        """Eq. 5 to 7 or 10 to 12, and ours for expressions, weighted, of pictures [N, 3, S, S].

        drawn should look like ``wanted`` and have its mesh, be the person of ``embeddings``
        [N, D] (as ``likeness``), and have its landmarks at ``points`` [N, 106, 2].
        """
        losses: dict[str, Tensor] = {}
        if config.weight_perceptual:
            distances = self.lpips(drawn, wanted)
            losses["perceptual"] = config.weight_perceptual * perceptual_loss(distances)
        if config.weight_identity:
            found = (self.sface or self.arcface)(drawn)
            losses["identity"] = config.weight_identity * identity_loss(found, embeddings)
        if config.weight_landmark or config.weight_expression:
            places, spans = self.landmarks(drawn), self.landmarks.SPANS
            losses["landmark"] = config.weight_landmark * landmark_loss(places, points)
            losses["expression"] = config.weight_expression * expression_loss(places, points, spans)
        if config.weight_mesh or config.weight_gaze:
            with torch.no_grad():
                meant = self.mesh(wanted)
            found, mesh = self.mesh(drawn), self.mesh
            losses["mesh"] = config.weight_mesh * expression_loss(found, meant, mesh.SPANS)
            losses["gaze"] = config.weight_gaze * expression_loss(found, meant, mesh.GAZE)
        return losses
