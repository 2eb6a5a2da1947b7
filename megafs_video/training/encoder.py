"""Training HieRFE (paper §3.4, Eq. 4–8): codes first, then pictures."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from megafs_video.networks.encoder import Encoder
from megafs_video.training.config import EncoderConfig
from megafs_video.training.faces import augment, degrade, to_device_pixels
from megafs_video.training.head import PictureHead, resized
from megafs_video.training.losses import (
    code_loss,
    constant_loss,
    reconstruction_loss,
)
from megafs_video.training.rendered import RenderedFaces
from megafs_video.training.sheets import rows_of
from megafs_video.training.teachers import Teachers
from megafs_video.values import Latents, UInt8Array


class EncoderTask:
    """Eq. 8 on photographs, and distance to the known codes on rendered faces."""

    def __init__(
        self,
        encoder: Encoder,
        *,
        config: EncoderConfig,
        rendered: RenderedFaces,
        faces: UInt8Array,
        validation: UInt8Array,
        head: PictureHead,
        teachers: Teachers,
    ) -> None:
        self.module = encoder
        self.config = config
        self.rendered = rendered
        self.faces = faces
        self.validation = validation
        self.head = head
        self.teachers = teachers

    def step(self, step: int, random: torch.Generator) -> dict[str, Tensor]:
        """Eq. 8, term by term: one batch of rendered faces and, later, one of photographs."""
        config = self.config
        has_pictures = step >= config.picture_from_step
        num_known = config.late_code_batch if has_pictures else config.code_batch
        chosen = torch.randint(len(self.rendered.pixels), (num_known,), generator=random)
        pixels = to_device_pixels(self.rendered.pixels[chosen.numpy()])
        wanted = self.rendered.styles[chosen].float()
        if has_pictures:
            picked = torch.randint(len(self.faces), (config.picture_batch,), generator=random)
            photographs = augment(to_device_pixels(self.faces[picked.numpy()]), random)
            pixels = torch.cat((pixels, photographs))
        with torch.no_grad():
            identity = self.teachers.arcface(pixels)
        latents = self.module(degrade(pixels, random), identity)
        scale = self.module.style_scale
        known, unknown = slice(0, num_known), slice(num_known, None)
        losses = {
            "code": config.weight_code * code_loss(latents.styles[known], wanted, scale),
            "constant": config.weight_constant
            * constant_loss(latents.constant, self.module.constant_mean),
        }
        if has_pictures:
            losses |= self.picture_losses(latents[unknown], photographs, identity[unknown])
        return losses

    def picture_losses(
        self, latents: Latents, wanted: Tensor, embeddings: Tensor
    ) -> dict[str, Tensor]:
        """Eq. 4 to 7 between photographs [N, 3, 256, 256] and what the codes draw."""
        config, drawn = self.config, self.head(latents)
        with torch.no_grad():
            points = self.teachers.landmarks(wanted)
        wanted = resized(wanted)
        reconstruction = config.weight_reconstruction * reconstruction_loss(drawn, wanted)
        return {"reconstruction": reconstruction} | self.teachers.losses(
            drawn, wanted, embeddings=embeddings, points=points, config=config
        )

    @torch.no_grad()
    def sheet(self, module: nn.Module) -> UInt8Array:
        """Validation photographs above what their codes draw."""
        module.eval()
        pixels = to_device_pixels(self.validation[:8])
        drawn = self.head(module(pixels, self.teachers.arcface(pixels)))
        return rows_of(resized(pixels), drawn)


def fresh_encoder(
    encoder: Encoder, constant: Tensor, style_mean: Tensor, style_scale: Tensor, codes: Tensor
) -> None:
    """Start around the mean face: C is the generator's constant, codes vary about its mean code.

    The last layer of every mapping network starts as the principal directions of ``codes``
    [N, style_size] (samples of w), so that a small step changes a face and not one number.
    """
    encoder.constant_mean.copy_(constant)
    encoder.constant_scale.fill_(float(constant.std()))
    encoder.style_mean.copy_(style_mean)
    encoder.style_scale.copy_(style_scale)
    for weight in encoder.constant.parameters():
        nn.init.zeros_(weight)
    whitened = ((codes - style_mean) / style_scale).double().numpy()
    _, lengths, directions = np.linalg.svd(whitened, full_matrices=False)
    width = encoder.dims.mapping_width
    basis = torch.from_numpy(
        directions[:width].T * lengths[:width] / len(whitened) ** 0.5
    ).float()  # [style_size, width]
    for mapping in encoder.mappings:
        start = basis.repeat(mapping.num_codes, 1)[:, :, None, None]
        mapping.project.weight.data[:, : start.shape[1]].copy_(start)
        if mapping.project.bias is not None:
            nn.init.zeros_(mapping.project.bias)
