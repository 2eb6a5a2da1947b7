"""Teaching the reader of spans, and taking over encoders that had none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch

from megafs_video.errors import ConfigError
from megafs_video.networks.encoder import Encoder
from megafs_video.networks.frozen import Mesh478
from megafs_video.networks.spans import SpanReader
from megafs_video.training import spans
from megafs_video.training.spans import (
    PAIRS,
    fit_spans,
    jittered,
    look_at,
    prepare_spans,
    rare_expressions,
    spans_of,
)
from megafs_video.training.start import grown, hears_spans, taught
from tests.tiny import check_close, random_pixels, shaken, tiny_arcface, tiny_landmarks, tiny_mesh
from tests.training.small import SMALL, small_faces, small_generator


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_spans_are_gaze_and_then_the_others() -> None:
    mesh = torch.randn(2, 478, 2)
    found = spans_of(mesh)
    assert found.shape == (2, len(PAIRS), 2)
    assert len(PAIRS) == SMALL.num_spans
    assert torch.equal(found[:, 0], mesh[:, 468] - mesh[:, 33])
    first, second = Mesh478.SPANS[0]
    assert torch.equal(found[:, len(Mesh478.GAZE)], mesh[:, first] - mesh[:, second])


def test_rare_is_who_shuts_the_eyes_or_opens_the_mouth() -> None:
    mesh = torch.zeros(20, 478, 2)
    mesh[:, [second for _, second in spans.LIDS], 1] = -0.1  # ajar, and a little different
    mesh[:, :, 1] += 0.001 * torch.randn(20, 478, generator=generator())
    mesh[4, [second for _, second in spans.LIDS], 1] = 0.0
    mesh[11, [first for first, _ in spans.LIPS], 1] = 0.2

    def found(pixels: torch.Tensor) -> torch.Tensor:  # the first pixel says which face it is
        return mesh[((pixels[:, 0, 0, 0] + 1) * 127.5).round().long()]

    faces = small_faces(20)
    faces[:, 0, 0, 0] = np.arange(20)
    rare = rare_expressions(faces, cast("Mesh478", found), torch.device("cpu"))
    assert sorted(rare.tolist()) == [4, 11]


def test_faces_are_looked_at_whole_and_kept_as_windows() -> None:
    reader, mesh = SpanReader(SMALL), tiny_mesh()
    found = look_at(reader, small_faces(5), mesh, generator())
    assert found.windows.shape == (5, 3, 32, 32)
    assert found.windows.dtype == torch.uint8
    assert found.spans.shape == (5, 30, 2)
    again = look_at(reader, small_faces(5), mesh, generator(1))
    assert not torch.equal(found.windows, again.windows)  # turned anew


def test_a_window_and_its_spans_are_turned_together() -> None:
    size = 64
    window = torch.full((6, 3, size, size), -1.0)
    points = torch.tensor([[0.25, 0.1], [-0.3, -0.2]])  # a light dot at each, in [-1, 1]
    y, x = torch.meshgrid(*[(torch.arange(size) + 0.5) * 2 / size - 1] * 2, indexing="ij")
    for point in points:
        window += 2 * torch.exp(-((x - point[0]) ** 2 + (y - point[1]) ** 2) / (2 * 0.05**2))
    given = (points[0] - points[1]).expand(6, 1, 2)
    turned, told = jittered(window, given, generator())
    light = (turned[:, 0] - turned[:, 0].amin(dim=(1, 2))[:, None, None]).clamp(min=0)
    assert (told - given).abs().max() > 0.01
    for index in range(6):
        where = []
        for side in (x >= 0, x < 0):  # the right dot, the left dot
            weight = light[index] * side * (light[index] > 0.3 * light[index].max())
            where.append(torch.stack(((weight * x).sum(), (weight * y).sum())) / weight.sum())
        torch.testing.assert_close(where[0] - where[1], told[index, 0], atol=0.01, rtol=0)


def test_the_reader_learns_what_the_mesh_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    light = np.linspace(0, 255, 120)[:, None, None, None]
    faces = np.broadcast_to(light, (120, 64, 64, 3)).astype(np.uint8)  # the tiny mesh sees light
    monkeypatch.setattr(spans, "BATCH", 16)
    reader = SpanReader(SMALL)
    error = fit_spans(reader, faces, tiny_mesh(), num_steps=80, say=lambda line: None)
    assert error < 0.5  # of always saying the mean
    assert not reader.look.training


def test_a_stopped_run_takes_up_what_it_taught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spans, "STEPS", 6)
    lines: list[str] = []
    one, other = Encoder(SMALL), Encoder(SMALL)
    path = tmp_path / "spans.pt"
    prepare_spans(one, small_faces(40), tiny_mesh(), path, lines.append)
    assert len(lines) == 2
    prepare_spans(other, small_faces(40), tiny_mesh(), path, lines.append)
    assert len(lines) == 2
    assert one.spans is not None
    assert other.spans is not None
    for name, tensor in one.spans.state_dict().items():
        assert torch.equal(other.spans.state_dict()[name], tensor)
    for encoder in (one, other):  # spans come to the layers at unit variance
        assert encoder.spans is not None
        points = torch.zeros(1, 106 + 30, 2)
        points[:, 106:] = encoder.spans.mean + encoder.spans.scale
        with torch.no_grad():
            cues = encoder.eval().cues(None, points)
        assert cues.points is not None
        assert encoder.standardise is not None
        variance = encoder.spans.scale.flatten().square()
        wanted = (variance / (variance + encoder.standardise.eps)).sqrt()
        check_close(cues.points[0, 212:], wanted)


def test_what_was_kept_of_a_part_appears_whole_and_is_refused_damaged(tmp_path: Path) -> None:
    reader, path = SpanReader(SMALL), tmp_path / "spans.pt"

    def fail() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        taught(reader, path, fail)
    assert list(tmp_path.iterdir()) == []
    taught(reader, path, lambda: None)
    assert list(tmp_path.iterdir()) == [path]
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ConfigError, match=r"spans\.pt is damaged; delete it"):
        taught(reader, path, fail)


@torch.no_grad()
def test_an_encoder_without_spans_grows_into_one_that_makes_nothing_of_them() -> None:
    before = shaken(Encoder(replace(SMALL, num_spans=0)), amount=0.1)
    after = Encoder(SMALL).eval()
    assert not hears_spans(before.state_dict())
    after.load_state_dict(grown(after, before.state_dict()))
    pixels = random_pixels(2, 64)
    heard = tiny_arcface()(pixels), tiny_landmarks()(pixels), small_generator()
    found, wanted = after(pixels, *heard), before(pixels, *heard)
    check_close(found.styles, wanted.styles)
    check_close(found.constant, wanted.constant)
    again = grown(after, after.state_dict())
    assert again.keys() == after.state_dict().keys()
    assert hears_spans(again)
