"""The frozen networks that losses are made of, and the losses they make of a drawn face."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from megafs_video.networks.frozen import ArcFace, Landmarks106
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
    lpips: Lpips

    def losses(
        self,
        drawn: Tensor,
        wanted: Tensor,
        *,
        embeddings: Tensor,
        points: Tensor,
        config: PictureConfig,
    ) -> dict[str, Tensor]:
        """Eq. 5 to 7 or 10 to 12, weighted, of pictures [N, 3, S, S].

        drawn should look like ``wanted``, be the person of ``embeddings`` [N, 512], and have
        its landmarks at ``points`` [N, 106, 2].
        """
        found = self.landmarks(drawn)
        return {
            "perceptual": config.weight_perceptual * perceptual_loss(self.lpips(drawn, wanted)),
            "identity": config.weight_identity * identity_loss(self.arcface(drawn), embeddings),
            "landmark": config.weight_landmark * landmark_loss(found, points),
            "expression": config.weight_expression
            * expression_loss(found, points, self.landmarks.SPANS),
        }
