"""Teaching the reader of spans (``networks.spans``) what MediaPipe's mesh sees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from megafs_video.networks.encoder import Encoder
from megafs_video.networks.frozen import Mesh478, cut_window
from megafs_video.networks.spans import SpanReader
from megafs_video.training.faces import augment, degrade, to_device_pixels
from megafs_video.training.start import taught
from megafs_video.values import UInt8Array

PAIRS = Mesh478.GAZE + Mesh478.SPANS
COPIES = 2  # of every face, turned and mirrored at random, for the mesh to look at
STEPS, BATCH, RATE = 2400, 64, 2e-3  # of AdamW
JITTER = 0.06  # of angle, size and place of a window, each time that it is learnt from
HELD_OUT = 20  # one face in so many measures the fit
# Between them the lids, and the inner lips, open.
LIDS, LIPS = Mesh478.SPANS[:6], Mesh478.SPANS[12:15]
RARE = 0.1  # of all faces


@dataclass(frozen=True, eq=False)
class Looks:
    """Windows of faces and the spans that the mesh sees in the whole crop."""

    windows: Tensor  # uint8 [N, 3, W, W]
    spans: Tensor  # [N, K, 2]


def prepare_spans(
    encoder: Encoder, faces: UInt8Array, mesh: Mesh478, path: Path, say: Callable[[str], None]
) -> None:
    """Teach an encoder's reader of spans, or take up what a stopped run taught (in ``path``)."""
    reader = encoder.spans
    assert reader is not None

    def teach() -> None:
        error = fit_spans(reader, faces, mesh, num_steps=STEPS, say=say)
        say(f"spans are read with {error:.0%} of the error of always saying the mean face's")

    taught(reader, path, teach)
    assert encoder.standardise is not None
    assert encoder.standardise.running_mean is not None
    assert encoder.standardise.running_var is not None
    first = 2 * encoder.dims.num_landmarks
    encoder.standardise.running_mean[first:] = reader.mean.flatten()
    encoder.standardise.running_var[first:] = reader.scale.flatten().square()


def spans_of(mesh: Tensor) -> Tensor:
    """Points [N, 478, 2] -> the offsets of PAIRS, [N, K, 2]."""
    first, second = (list(column) for column in zip(*PAIRS, strict=True))
    return mesh[:, first] - mesh[:, second]


@torch.no_grad()
def rare_expressions(faces: UInt8Array, mesh: Mesh478, device: torch.device) -> Tensor:
    """Numbers of the faces [N, S, S, 3] whose eyes or mouths are farthest from ajar: a tenth."""
    parts = [
        mesh(to_device_pixels(faces[start : start + 32], device)).cpu()
        for start in range(0, len(faces), 32)
    ]
    points = torch.cat(parts)
    apart = []
    for pairs in (LIDS, LIPS):
        first, second = (list(column) for column in zip(*pairs, strict=True))
        open_by = (points[:, first] - points[:, second])[:, :, 1].mean(dim=1)
        apart.append((open_by - open_by.mean()).abs() / open_by.std())
    farthest = torch.stack(apart).amax(dim=0)
    return farthest.topk(max(1, round(RARE * len(faces)))).indices


@torch.no_grad()
def look_at(reader: SpanReader, faces: UInt8Array, mesh: Mesh478, random: torch.Generator) -> Looks:
    """Every face [N, S, S, 3] as the mesh sees it, turned and mirrored at random."""
    windows, spans = [], []
    for start in range(0, len(faces), 32):
        pixels = to_device_pixels(faces[start : start + 32], reader.mean.device)
        turned = augment(pixels, random)
        spans.append(spans_of(mesh(turned)))
        window = cut_window(turned, reader.LEFT, reader.TOP, reader.SIDE)
        windows.append((window * 127.5 + 128).clamp(0, 255).byte())
    return Looks(torch.cat(windows), torch.cat(spans))


def fit_spans(
    reader: SpanReader,
    faces: UInt8Array,
    mesh: Mesh478,
    *,
    num_steps: int,
    say: Callable[[str], None],
    seed: int = 0,
) -> float:
    """Teach the reader on all faces but one in HELD_OUT; its error on those.

    The error is the mean length of what the spans are off by, as a share of what they are off by
    if every face has the mean face's.
    """
    random = torch.Generator().manual_seed(seed)
    held_out = look_at(reader, faces[::HELD_OUT], mesh, random)
    others = torch.arange(len(faces)) % HELD_OUT != 0
    say(f"looking {COPIES} times at {int(others.sum())} faces")
    seen = [look_at(reader, faces[others.numpy()], mesh, random) for _ in range(COPIES)]
    windows = torch.cat([looks.windows for looks in seen])
    spans = torch.cat([looks.spans for looks in seen])
    reader.mean.copy_(spans.mean(dim=0))
    reader.scale.copy_(spans.std(dim=0))
    with torch.enable_grad():
        weights = [weight.requires_grad_() for weight in reader.parameters()]
        reader.look.train()
        optimizer = torch.optim.AdamW(weights, lr=RATE, weight_decay=0.05)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=num_steps)
        for _ in range(num_steps):
            chosen = torch.randint(len(windows), (BATCH,), generator=random)
            window, wanted = jittered(windows[chosen].float() / 127.5 - 1, spans[chosen], random)
            told = reader.of_window(degrade(window, random))
            loss = ((told - wanted) / reader.scale).abs().mean()
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
    with torch.no_grad():
        reader.look.eval()
        told = reader.of_window(held_out.windows.float() / 127.5 - 1)
        off, spread = ((spans - held_out.spans).norm(dim=2).mean() for spans in (told, reader.mean))
    return float(off / spread)


def jittered(window: Tensor, spans: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Windows [N, 3, W, W] turned, scaled, moved and lit a little, and their spans [N, K, 2]."""

    def draw(most: float) -> Tensor:
        return most * (2 * torch.rand(len(window), generator=random) - 1)

    angle, zoom = draw(JITTER), 1 + draw(JITTER)
    cosine, sine = zoom * angle.cos(), zoom * angle.sin()
    turn = torch.stack((torch.stack((cosine, -sine), 1), torch.stack((sine, cosine), 1)), 1)
    move = torch.stack((draw(JITTER), draw(JITTER)), 1)
    rows = torch.cat((turn, move[:, :, None]), 2).to(window.device)  # [N, 2, 3]
    grid = functional.affine_grid(rows, list(window.shape), align_corners=False)
    moved = functional.grid_sample(window, grid, padding_mode="reflection", align_corners=False)
    gain = 1 + draw(0.2).to(window.device)
    # The grid says where each pixel comes from, so points go the other way.
    back = torch.linalg.inv(turn).to(window.device)
    return moved * gain[:, None, None, None], spans @ back.transpose(1, 2)
