"""Which steps of the codes draw the spans that an encoder misses (``Encoder.lead``), in one go.

What a code does to a gaze or a brow differs from face to face, so that gradients of a few faces
agree too little for a training to find it in an hour. Their mean over many faces does not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from megafs_video.networks.encoder import Encoder
from megafs_video.training.faces import to_device_pixels
from megafs_video.training.head import PictureHead
from megafs_video.training.spans import spans_of
from megafs_video.training.start import taught
from megafs_video.training.teachers import Teachers
from megafs_video.values import Latents, UInt8Array

NUM_READ, NUM_MOVED, BATCH = 960, 64, 8  # faces that are read, and those whose codes are moved
NUM_KINDS = 16  # of expression: principal components of the spans, 97 % of their variance
RIDGE = 0.1  # of what a face's spans say of what is missing in it, in their variance
MOST = 3.0  # standard deviations of what spans miss: beyond, the mesh has lost a pupil
DAMPING = 0.3  # of kinds that codes hardly draw, in the mean strength of all


@dataclass(frozen=True, eq=False)
class Missed:
    """Spans of N faces in standard deviations: as HieRFE hears, should draw, and draws them."""

    heard: Tensor  # [N, 2 · K]
    wanted: Tensor  # [N, 2 · K]
    drawn: Tensor  # [N, 2 · K]
    latents: Latents


def prepare_lead(
    encoder: Encoder,
    head: PictureHead,
    faces: UInt8Array,
    teachers: Teachers,
    path: Path,
    say: Callable[[str], None],
) -> None:
    """Set an encoder's lead, or take up what a stopped run set (in ``path``)."""
    assert encoder.lead is not None

    def teach() -> None:
        share = fit_lead(encoder, head, faces, teachers)
        say(f"spans say {share:.0%} of what is missed of them in pictures; codes are led by that")

    taught(encoder.lead, path, teach)


@torch.no_grad()
def fit_lead(encoder: Encoder, head: PictureHead, faces: UInt8Array, teachers: Teachers) -> float:
    """Add to ``encoder.lead`` what is missed with it; the share of that which it knows of."""
    assert encoder.lead is not None
    every = max(1, len(faces) // NUM_READ)
    found = read_spans(encoder.eval(), head, faces[::every][:NUM_READ], teachers)
    kinds = kinds_of(found.wanted, NUM_KINDS)  # [2 · K, P]
    missed = clipped(found.wanted - found.drawn) @ kinds  # [N, P]
    mean_heard, mean_missed = found.heard.mean(dim=0), missed.mean(dim=0)
    told = ridge(found.heard - mean_heard, missed - mean_missed)  # [2 · K, P]
    drawing = mean_gradients(encoder, head, found.latents[:NUM_MOVED], kinds, teachers)  # [P, D]
    steps = steps_of(drawing)  # [P, D]
    encoder.lead.weight.add_((told @ steps).T)
    encoder.lead.bias.add_((mean_missed - mean_heard @ told) @ steps)
    left = missed - mean_missed - (found.heard - mean_heard) @ told
    return float(1 - left.square().sum() / (missed - mean_missed).square().sum())


@torch.no_grad()
def read_spans(
    encoder: Encoder, head: PictureHead, faces: UInt8Array, teachers: Teachers
) -> Missed:
    """What HieRFE, as it is, makes of the spans of faces [N, S, S, 3]."""
    parts = []
    first = 2 * encoder.dims.num_landmarks
    for start in range(0, len(faces), BATCH):
        pixels = to_device_pixels(faces[start : start + BATCH], encoder.style_mean.device)
        points = encoder.points(pixels, teachers.landmarks(pixels))
        cues = encoder.cues(teachers.arcface(pixels), points)
        reading = encoder.read(pixels)
        styles = encoder.styles(reading.pooled, cues)
        latents = encoder.correct(pixels, reading, styles, cues, teachers.generator)[-1]
        assert cues.points is not None
        wanted = standard_spans(encoder, head.resized(pixels), teachers)
        drawn = standard_spans(encoder, head(latents), teachers)
        parts.append(Missed(cues.points[:, first:], wanted, drawn, latents))
    return Missed(
        torch.cat([part.heard for part in parts]),
        torch.cat([part.wanted for part in parts]),
        torch.cat([part.drawn for part in parts]),
        Latents.concat([part.latents for part in parts]),
    )


def standard_spans(encoder: Encoder, pixels: Tensor, teachers: Teachers) -> Tensor:
    """Spans of pictures [N, 3, S, S] in standard deviations from the mean face's: [N, 2 · K]."""
    assert encoder.spans is not None
    apart = spans_of(teachers.mesh(pixels)) - encoder.spans.mean
    return (apart / encoder.spans.scale).flatten(1)


def mean_gradients(
    encoder: Encoder, head: PictureHead, latents: Latents, kinds: Tensor, teachers: Teachers
) -> Tensor:
    """How far each kind of spans [2 · K, P] moves with each number of the codes: [P, L · 512].

    The mean over faces, for codes in the encoder's scale.
    """
    found = torch.zeros(kinds.shape[1], latents.styles[0].numel(), device=kinds.device)
    for start in range(0, len(latents), BATCH):
        part = latents[start : start + BATCH]
        with torch.enable_grad():
            offsets = ((part.styles - encoder.style_mean) / encoder.style_scale).requires_grad_()
            styles = encoder.style_mean + encoder.style_scale * offsets
            drawn = standard_spans(encoder, head(Latents(part.constant, styles)), teachers)
            totals = (drawn @ kinds).sum(dim=0)  # [P]
            for index, total in enumerate(totals):
                (gradient,) = torch.autograd.grad(total, offsets, retain_graph=True)
                found[index] += gradient.flatten(1).sum(dim=0)
    return found / len(latents)


def kinds_of(spans: Tensor, count: int) -> Tensor:
    """The first principal components of spans [N, 2 · K]: [2 · K, count]."""
    directions: Tensor = torch.linalg.eigh(torch.cov(spans.T)).eigenvectors
    return directions[:, -count:]


def steps_of(drawing: Tensor) -> Tensor:
    """The least steps of the codes that draw one of each kind: gradients [P, D] -> [P, D]."""
    gram = drawing @ drawing.T
    damped = gram + DAMPING * gram.diagonal().mean() * torch.eye(len(gram), device=gram.device)
    found: Tensor = torch.linalg.solve(damped, drawing)
    return found


def clipped(missed: Tensor) -> Tensor:
    """Spans [N, 2 · K] with none farther from its mean than MOST."""
    mean, most = missed.mean(dim=0), MOST * missed.std(dim=0)
    return missed.clamp(mean - most, mean + most)


def ridge(heard: Tensor, missed: Tensor) -> Tensor:
    """The matrix [H, P] that tells missed [N, P] from heard [N, H]; it knows no offset."""
    gram = heard.T @ heard
    held = RIDGE * len(heard) * torch.eye(len(gram), device=gram.device)
    found: Tensor = torch.linalg.solve(gram + held, heard.T @ missed)
    return found
