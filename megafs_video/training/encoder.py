"""Training HieRFE (paper §3.4, Eq. 4–8): codes first, then pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from megafs_video.errors import ConfigError
from megafs_video.networks.correct import Corrector
from megafs_video.networks.encoder import Encoder
from megafs_video.networks.generator import Generator
from megafs_video.training.basis import constant_basis
from megafs_video.training.config import EncoderConfig, ReadingConfig
from megafs_video.training.faces import augment, degrade, to_device_pixels
from megafs_video.training.head import READOUT_RATE, PictureHead, follow, window_losses
from megafs_video.training.loop import Group
from megafs_video.training.losses import (
    code_loss,
    constant_loss,
    reconstruction_loss,
)
from megafs_video.training.readouts import Drawn, fit_readout
from megafs_video.training.rendered import RenderedFaces
from megafs_video.training.sheets import rows_of
from megafs_video.training.spans import rare_expressions
from megafs_video.training.teachers import Teachers
from megafs_video.values import Latents, UInt8Array

CORRECTOR_RATE = 0.1  # of the learning rate: it corrects twice, and errors of both add up


class Learner(nn.Module):
    """HieRFE, and the picture head that follows what it draws."""

    def __init__(self, encoder: Encoder, head: PictureHead) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head


@dataclass(frozen=True, eq=False)
class Batch:
    """K rendered faces whose codes are known, then N photographs, as HieRFE read them."""

    pixels: Tensor  # [K + N, 3, S, S], before they were degraded
    likeness: Tensor  # [K + N, D], unit vectors: what the identity loss wants
    points: Tensor  # [K + N, 106, 2]
    guesses: list[Latents]  # of K + N faces, before and after each correction
    known: Tensor  # [K, num_styles, 512]

    @property
    def photographs(self) -> slice:
        """Which of the faces they are."""
        return slice(len(self.known), None)


class Reader:
    """Picks faces, has HieRFE read them, and says how far it is from what is known of them."""

    def __init__(
        self,
        encoder: Encoder,
        *,
        rendered: RenderedFaces,
        faces: UInt8Array,
        teachers: Teachers,
        config: ReadingConfig,
    ) -> None:
        self.encoder = encoder
        self.rendered = rendered
        self.faces = faces
        self.teachers = teachers
        self.config = config
        self.rare = torch.arange(len(faces))
        if config.rare_share:
            self.rare = rare_expressions(faces, teachers.mesh, encoder.style_mean.device)

    def pick(
        self, num_known: int, num_photographs: int, random: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """So many rendered faces, then photographs, and the codes of the former."""
        device = self.encoder.style_mean.device
        chosen = torch.randint(len(self.rendered.pixels), (num_known,), generator=random)
        pixels = to_device_pixels(self.rendered.pixels[chosen.numpy()], device)
        if num_photographs:
            photographs = to_device_pixels(self.photographs(num_photographs, random), device)
            if self.config.augmented:
                photographs = augment(photographs, random)
            pixels = torch.cat((pixels, photographs))
        return pixels, self.rendered.styles[chosen].to(device).float()

    def photographs(self, count: int, random: torch.Generator) -> UInt8Array:
        """So many photographs, some of rare expressions, the last of them drawn: [N, S, S, 3]."""
        picked = torch.randint(len(self.faces), (count,), generator=random)
        if self.config.rare_share:
            rare = self.rare[torch.randint(len(self.rare), (count,), generator=random)]
            is_rare = torch.rand(count, generator=random) < self.config.rare_share
            picked = torch.where(is_rare, rare, picked)
        pixels: UInt8Array = self.faces[picked.numpy()]
        if num_drawn := round(self.config.drawn_share * count):
            drawn = torch.randint(len(self.rendered.pixels), (num_drawn,), generator=random)
            pixels[-num_drawn:] = self.rendered.pixels[drawn.numpy()]
        return pixels

    def read(self, num_known: int, num_photographs: int, random: torch.Generator) -> Batch:
        """So many rendered faces and photographs, degraded as in video before they are read."""
        pixels, known = self.pick(num_known, num_photographs, random)
        with torch.no_grad():
            identity, points = self.teachers.arcface(pixels), self.teachers.landmarks(pixels)
            likeness = self.teachers.likeness(pixels, identity)
        seen = degrade(pixels, random) if self.config.augmented else pixels
        encoder = self.encoder
        cues = encoder.cues(identity, encoder.points(pixels, points))
        reading = encoder.read(seen)
        styles = encoder.styles(reading.pooled, cues)
        guesses = encoder.correct(seen, reading, styles, cues, self.teachers.generator)
        return Batch(pixels, likeness, points, guesses, known)

    def corrector_losses(
        self, num_known: int, num_photographs: int, random: torch.Generator
    ) -> dict[str, Tensor]:
        """Eq. 4 on the sketches after each correction of what HieRFE, as it is, reads."""
        self.encoder.eval()  # as it will read them
        with torch.no_grad():
            pixels, _ = self.pick(num_known, num_photographs, random)
            points = self.encoder.points(pixels, self.teachers.landmarks(pixels))
            cues = self.encoder.cues(self.teachers.arcface(pixels), points)
            reading = self.encoder.read(pixels)
            styles = self.encoder.styles(reading.pooled, cues)
        guesses = self.encoder.correct(pixels, reading, styles, cues, self.teachers.generator)
        return {"sketch": self.sketch_loss(guesses[1:], pixels)}

    def losses(self, batch: Batch, config: ReadingConfig) -> dict[str, Tensor]:
        """Ours: distance to known codes, how far C strays, and Eq. 4 on the sketches."""
        encoder, latents = self.encoder, batch.guesses[-1]
        styles, scale = latents.styles[: len(batch.known)], encoder.style_scale
        losses = {
            "code": config.weight_code * code_loss(styles, batch.known, scale),
            "constant": config.weight_constant
            * constant_loss(latents.constant, encoder.constant_mean),
        }
        if config.weight_sketch and encoder.corrector is not None:
            sketches = self.sketch_loss(batch.guesses, batch.pixels)
            losses["sketch"] = config.weight_sketch * sketches
        return losses

    def sketch_loss(self, guesses: Sequence[Latents], pixels: Tensor) -> Tensor:
        """Eq. 4 between pictures and the sketches of guesses."""
        corrector, generator = self.encoder.corrector, self.teachers.generator
        assert corrector is not None
        sketches = [corrector.sketch(generator, guess) for guess in guesses]
        wanted = functional.interpolate(pixels, sketches[0].shape[-2:], mode="area")
        return torch.stack([reconstruction_loss(one, wanted) for one in sketches]).mean()

    def follow(self, latents: Latents, drawn: Tensor) -> dict[str, Tensor]:
        """A loss that keeps the encoder's sketches true to the picture head's pictures."""
        corrector = self.encoder.corrector
        if corrector is None:
            return {}
        with torch.no_grad():
            features = self.teachers.generator.features(latents, corrector.num_blocks)
        return {"follow": follow(corrector.draw, features, latents, drawn)}


def special_groups(encoder: Encoder, head: PictureHead) -> list[Group]:
    """The corrector and the readouts, which learn at rates of their own."""
    groups = [Group(list(head.parameters()), READOUT_RATE)]
    if encoder.corrector is not None:
        draw = list(encoder.corrector.draw.parameters())
        groups += [Group(draw, READOUT_RATE)]
        groups += [Group(others(encoder.corrector, groups), CORRECTOR_RATE)]
    return groups


def corrector_group(encoder: Encoder) -> list[Group]:
    """The corrector without its readout; ConfigError if the encoder has none."""
    if encoder.corrector is None:
        raise ConfigError("corrector_only is set, but the encoder has no corrector; leave it out")
    drawing = Group(list(encoder.corrector.draw.parameters()))
    return [Group(others(encoder.corrector, [drawing]))]


def others(module: nn.Module, groups: Sequence[Group]) -> list[nn.Parameter]:
    """The weights of a module that are in none of the groups."""
    known = {id(weight) for group in groups for weight in group.weights}
    return [weight for weight in module.parameters() if id(weight) not in known]


class EncoderTask:
    """Eq. 8 on photographs, and distance to the known codes on rendered faces."""

    def __init__(
        self,
        learner: Learner,
        *,
        config: EncoderConfig,
        rendered: RenderedFaces,
        faces: UInt8Array,
        validation: UInt8Array,
        teachers: Teachers,
    ) -> None:
        self.module = learner
        self.config = config
        self.reader = Reader(
            learner.encoder,
            rendered=rendered,
            faces=faces,
            teachers=teachers,
            config=config,
        )
        self.validation = validation
        self.teachers = teachers

    def groups(self) -> list[Group]:
        """HieRFE, its corrector, the readouts."""
        encoder, head = self.module.encoder, self.module.head
        if self.config.corrector_only:
            return corrector_group(encoder)
        special = special_groups(encoder, head)
        return [Group(others(encoder, special)), *special]

    def step(self, step: int, random: torch.Generator) -> dict[str, Tensor]:
        """Eq. 8, term by term: one batch of rendered faces and, later, one of photographs."""
        config = self.config
        if config.corrector_only:
            return self.reader.corrector_losses(config.code_batch, config.picture_batch, random)
        if step < config.picture_from_step:
            return self.reader.losses(self.reader.read(config.code_batch, 0, random), config)
        batch = self.reader.read(config.late_code_batch, config.picture_batch, random)
        chosen = batch.photographs
        return self.reader.losses(batch, config) | self.picture_losses(
            batch.guesses[-1][chosen],
            batch.pixels[chosen],
            batch.likeness[chosen],
            batch.points[chosen],
            random,
        )

    def picture_losses(
        self,
        latents: Latents,
        photographs: Tensor,
        embeddings: Tensor,
        points: Tensor,
        random: torch.Generator,
    ) -> dict[str, Tensor]:
        """Eq. 4 to 7 between photographs [N, 3, 256, 256] and what the codes draw."""
        config, head = self.config, self.module.head
        features = head.features(latents)
        drawn, wanted = head.draw(features, latents), head.resized(photographs)
        squares = head.squares(drawn, wanted, config.reconstruction_size)
        losses = {"reconstruction": config.weight_reconstruction * squares} | self.teachers.losses(
            drawn, wanted, embeddings=embeddings, points=points, config=config
        )
        losses |= self.reader.follow(latents, drawn)
        if config.weight_window and config.window_batch:
            losses |= window_losses(
                head, features, latents, photographs, self.teachers.lpips, random, config
            )
        return losses

    @torch.no_grad()
    def sheet(self, module: nn.Module) -> UInt8Array:
        """Validation photographs above what their codes draw."""
        learner = cast("Learner", module).eval()
        pixels = to_device_pixels(self.validation[:8], learner.encoder.style_mean.device)
        teachers = self.teachers
        latents = learner.encoder(
            pixels, teachers.arcface(pixels), teachers.landmarks(pixels), teachers.generator
        )
        return rows_of(learner.head.resized(pixels), learner.head(latents))


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


@torch.no_grad()
def fresh_corrector(
    corrector: Corrector, generator: Generator, faces: RenderedFaces, drawn: Drawn
) -> None:
    """Start with sketches that look like their faces, a whitened C, and no correction.

    faces: rendered ones, whose codes are known; drawn: what the sketches are fitted on.
    """
    fit_readout(corrector.draw, generator, drawn)
    with torch.enable_grad():
        corrector.basis.copy_(constant_basis(generator, faces.styles))
    for layer in (corrector.constant, corrector.low):
        nn.init.normal_(layer.weight, std=1e-3)
        assert layer.bias is not None
        nn.init.zeros_(layer.bias)
