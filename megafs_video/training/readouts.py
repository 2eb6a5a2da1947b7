"""Fitting readouts (``networks.readout``) to pictures that the whole generator drew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from megafs_video.errors import ConfigError
from megafs_video.networks.encoder import Encoder
from megafs_video.networks.generator import Generator
from megafs_video.networks.readout import Readout
from megafs_video.training.faces import to_device_pixels
from megafs_video.training.losses import reconstruction_loss
from megafs_video.training.rendered import RenderedFaces
from megafs_video.training.teachers import Teachers
from megafs_video.values import Latents, UInt8Array

NUM_FITTED = 300  # faces of a kind that a readout is fitted on
NUM_HELD_OUT = 20  # faces of a kind that measure the fit
STEPS, BATCH, RATE = 400, 8, 2e-3  # of AdamW, after least squares
SIZE = 128  # of the pictures, pixels


@dataclass(frozen=True, eq=False)
class Drawn:
    """W++ of N faces and what the whole generator drew of them, at SIZE."""

    latents: Latents
    pictures: Tensor  # [N, 3, SIZE, SIZE]

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, chosen: slice | Tensor) -> Drawn:
        return Drawn(self.latents[chosen], self.pictures[chosen])


def joined(parts: Sequence[Drawn]) -> Drawn:
    """One after the other."""
    return Drawn(
        Latents(
            torch.cat([part.latents.constant for part in parts]),
            torch.cat([part.latents.styles for part in parts]),
        ),
        torch.cat([part.pictures for part in parts]),
    )


def of_rendered(faces: RenderedFaces, generator: Generator, count: int) -> Drawn:
    """The first ``count`` rendered faces; ConfigError if there are fewer."""
    check_num_rendered(len(faces.pixels), count)
    device = generator.constant.device
    styles = faces.styles[:count].to(device).float()
    constant = generator.constant.detach().expand(count, -1, -1, -1)
    pixels = to_device_pixels(faces.pixels[:count], device)
    pictures = functional.interpolate(pixels, (SIZE, SIZE), mode="area")
    return Drawn(Latents(constant, styles), pictures)


@torch.no_grad()
def of_encoder(encoder: Encoder, faces: UInt8Array, teachers: Teachers) -> Drawn:
    """What HieRFE in evaluation mode reads from faces, a third of them with others' high codes."""
    found = []
    generator, num_low = teachers.generator, encoder.dims.num_low
    for start in range(0, len(faces), 10):
        pixels = to_device_pixels(faces[start : start + 10], generator.constant.device)
        latents = encoder(pixels, teachers.arcface(pixels), teachers.landmarks(pixels), generator)
        styles = latents.styles.clone()
        styles[::3, num_low:] = latents.styles.roll(1, dims=0)[::3, num_low:]
        swapped = Latents(latents.constant, styles)
        pictures = [  # one at a time: 1024 px takes memory
            functional.interpolate(generator(swapped[index : index + 1]), (SIZE, SIZE), mode="area")
            for index in range(len(pixels))
        ]
        found.append(Drawn(swapped, torch.cat(pictures)))
    return joined(found)


def check_num_rendered(num_rendered: int, count: int = NUM_FITTED + NUM_HELD_OUT) -> None:
    """Raise ConfigError if there would be too few rendered faces to fit readouts on."""
    if num_rendered < count:
        raise ConfigError(
            f"num_rendered is {num_rendered}, but readouts are fitted and measured on {count}; "
            f"set num_rendered to {count} or more"
        )


def fit_readout(readout: Readout, generator: Generator, drawn: Drawn, seed: int = 0) -> float:
    """Fit to all faces but NUM_HELD_OUT, chosen at random; the mean squared error on those.

    The bands by least squares, then all of it by AdamW.
    """
    random = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(drawn), generator=random)
    fitted, held_out = drawn[order[NUM_HELD_OUT:]], drawn[order[:NUM_HELD_OUT]]
    num_blocks = readout.num_blocks
    with torch.no_grad():
        channels = readout.bands.in_channels + 1
        gram = generator.constant.new_zeros(channels, channels)
        cross = generator.constant.new_zeros(channels, 12)
        for start in range(0, len(fitted), BATCH):
            part = fitted[start : start + BATCH]
            features = generator.features(part.latents, num_blocks)
            scaled = features * readout.scales(part.latents.styles)[:, :, None, None]
            more_gram, more_cross = statistics(scaled, wanted_of(part, features))
            gram += more_gram
            cross += more_cross
        weight = solve(gram, cross)
        readout.bands.weight.copy_(weight[:, :-1, None, None])
        assert readout.bands.bias is not None
        readout.bands.bias.copy_(weight[:, -1])
    with torch.enable_grad():
        optimizer = torch.optim.AdamW(readout.parameters(), lr=RATE)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=STEPS)
        for _ in range(STEPS):
            part = fitted[torch.randint(len(fitted), (BATCH,), generator=random)]
            with torch.no_grad():
                features = generator.features(part.latents, num_blocks)
            found = readout(features, part.latents.styles, learns=True)
            loss = reconstruction_loss(found, wanted_of(part, features))
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
    error = 0.0
    with torch.no_grad():
        for index in range(len(held_out)):
            part = held_out[index : index + 1]
            features = generator.features(part.latents, num_blocks)
            found = readout(features, part.latents.styles)
            error += float(reconstruction_loss(found, wanted_of(part, features))) / len(held_out)
    return error


def wanted_of(drawn: Drawn, features: Tensor) -> Tensor:
    """The pictures at the size that is read from such features."""
    side = 2 * features.shape[-1]
    return functional.interpolate(drawn.pictures, (side, side), mode="area")


def solve(gram: Tensor, cross: Tensor) -> Tensor:
    """Least squares with a touch of ridge: [C + 1, C + 1] and [C + 1, 12] -> [12, C + 1]."""
    ridge = 1e-6 * gram.diagonal().mean() * torch.eye(len(gram), device=gram.device)
    weight: Tensor = torch.linalg.solve(gram + ridge, cross)
    return weight.T.contiguous()


def statistics(features: Tensor, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """What ``solve`` needs of features [N, C, H, W] and their pictures [N, 3, 2H, 2W].

    The Gram matrix [C + 1, C + 1] of the features and a one, the number of pixels in its corner;
    and their products with the pictures' Haar bands, [C + 1, 12].
    """
    rows = features.permute(0, 2, 3, 1).flatten(0, 2)
    rows = torch.cat((rows, rows.new_ones(len(rows), 1)), dim=1)
    return rows.T @ rows, rows.T @ haar(pixels).permute(0, 2, 3, 1).reshape(-1, 12)


def haar(pixels: Tensor) -> Tensor:
    """The bands that ``inverse_haar`` turns back into ``pixels``.

    pixels [N, C, H, W] with even H and W -> bands [N, 4C, H / 2, W / 2].

    >>> from megafs_video.networks.generator import inverse_haar
    >>> bands = haar(torch.arange(16.0).view(1, 1, 4, 4))
    >>> torch.equal(inverse_haar(bands), torch.arange(16.0).view(1, 1, 4, 4))
    True
    """
    a, b = pixels[:, :, ::2, ::2], pixels[:, :, ::2, 1::2]
    c, d = pixels[:, :, 1::2, ::2], pixels[:, :, 1::2, 1::2]
    return torch.cat((a + b + c + d, a + b - c - d, a - b + c - d, a - b - c + d), dim=1) / 4
