"""Faces with known codes: what they are made of, and shards that outlive a stopped run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from megafs_video.errors import ConfigError
from megafs_video.networks.dims import TINY
from megafs_video.networks.generator import Generator, StyleMapper
from megafs_video.training import rendered
from megafs_video.training.rendered import (
    RenderedFaces,
    render_faces,
    sample_styles,
    style_statistics,
)
from megafs_video.training.sheets import to_host_pixels
from megafs_video.values import Latents
from tests.tiny import shaken

SHRUNK = replace(TINY, crop_size=16)  # half of what the generator draws


@pytest.fixture(scope="module")
def generator() -> Generator:
    torch.manual_seed(0)
    return shaken(Generator(SHRUNK))


@pytest.fixture(scope="module")
def mapper() -> StyleMapper:
    return shaken(StyleMapper(SHRUNK.style_size))


@pytest.fixture(autouse=True)
def short_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendered, "SHARD_SIZE", 3)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_a_face_is_what_its_codes_draw(
    tmp_path: Path, generator: Generator, mapper: StyleMapper
) -> None:
    faces = render_faces(tmp_path, generator, mapper, count=4, seed=1)
    assert faces.pixels.shape == (4, 16, 16, 3)
    assert faces.styles.shape == (4, 6, 8)
    assert faces.styles.dtype == torch.float16
    constant = generator.constant.expand(4, -1, -1, -1)
    with torch.no_grad():
        drawn = generator(Latents(constant, faces.styles.float()))
    wanted = to_host_pixels(functional.avg_pool2d(drawn, 2))
    # The kept codes are rounded to float16: a level or two of 255.
    assert np.abs(faces.pixels.astype(int) - wanted).max() <= 2
    assert faces.pixels.std() > 1


def test_a_stopped_run_goes_on_with_the_shards_it_has(
    tmp_path: Path, generator: Generator, mapper: StyleMapper
) -> None:
    whole = render_faces(tmp_path, generator, mapper, count=8, seed=1)
    before = contents(tmp_path)
    shards = [tmp_path / f"seed1-mixed0.5-{first:06d}.npz" for first in (0, 3, 6)]
    assert list(before) == [shard.name for shard in shards]
    shards[1].unlink()
    kept = shards[0].stat().st_mtime_ns
    again = render_faces(tmp_path, generator, mapper, count=8, seed=1)
    np.testing.assert_array_equal(again.pixels, whole.pixels)
    assert torch.equal(again.styles, whole.styles)
    assert shards[0].stat().st_mtime_ns == kept


def test_another_seed_draws_other_faces(
    tmp_path: Path, generator: Generator, mapper: StyleMapper
) -> None:
    one, other = (render_faces(tmp_path, generator, mapper, count=3, seed=s) for s in (1, 2))
    assert not torch.equal(one.styles, other.styles)


def test_a_shard_of_a_shorter_run_is_drawn_anew(
    tmp_path: Path, generator: Generator, mapper: StyleMapper
) -> None:
    render_faces(tmp_path, generator, mapper, count=1, seed=1)
    faces = render_faces(tmp_path, generator, mapper, count=3, seed=1)
    assert len(faces.pixels) == 3


def shard(**changed: object) -> dict[str, object]:
    arrays = {
        "pixels": np.zeros((3, 16, 16, 3), np.uint8),
        "styles": np.zeros((3, 6, 8), np.float16),
    }
    return arrays | changed


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04 cut off",
        b"no archive",
        shard(pixels=np.zeros((3, 8, 8, 3), np.uint8)),
        shard(pixels=np.zeros((3, 16, 16, 3))),
        shard(styles=np.zeros((2, 6, 8), np.float16)),
        shard(styles=np.array([print], dtype=object)),  # would need pickle
        {"pixels": np.zeros((3, 16, 16, 3), np.uint8)},
    ],
)
def test_a_damaged_shard_is_refused_by_name(
    tmp_path: Path, generator: Generator, mapper: StyleMapper, content: bytes | dict[str, object]
) -> None:
    path = tmp_path / "seed1-mixed0.5-000000.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.savez(path, **content)  # type: ignore[arg-type]  # arrays, by their names
    with pytest.raises(ConfigError, match=r"seed1-mixed0\.5-000000\.npz is damaged .* delete it"):
        render_faces(tmp_path, generator, mapper, count=3, seed=1)


def test_some_codes_are_of_one_face_and_some_of_two() -> None:
    mapper = shaken(StyleMapper(8))
    mean, _ = style_statistics(mapper, 8)
    styles = sample_styles(mapper, 60, 6, mean, torch.Generator().manual_seed(0))
    assert styles.shape == (60, 6, 8)
    kinds = [len(torch.unique(face, dim=0)) for face in styles]
    assert set(kinds) == {1, 2}
    assert 15 <= kinds.count(2) <= 45  # a fair coin, 60 times: four deviations


@pytest.mark.parametrize(("mixed_share", "num_codes"), [(0.0, 1), (1.0, 2)])
def test_none_or_all_can_be_mixed(
    tmp_path: Path,
    generator: Generator,
    mapper: StyleMapper,
    mixed_share: float,
    num_codes: int,
) -> None:
    settings = {"count": 4, "seed": 1}
    render_faces(tmp_path, generator, mapper, **settings)
    faces = render_faces(tmp_path, generator, mapper, **settings, mixed_share=mixed_share)
    assert {len(torch.unique(face, dim=0)) for face in faces.styles} == {num_codes}


def test_truncation_keeps_codes_nearer_to_the_mean_than_samples_are() -> None:
    mapper = shaken(StyleMapper(8))
    mean, scale = style_statistics(mapper, 8)
    styles = sample_styles(mapper, 500, 2, mean, torch.Generator().manual_seed(0))[:, 0]
    spread = (styles - mean).square().mean().sqrt() / scale.square().mean().sqrt()
    # The root mean square of a factor even between 0.5 and 1.
    assert spread.item() == pytest.approx((7 / 12) ** 0.5, rel=0.1)


def test_pictures_without_their_codes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"RenderedFaces\.styles has shape"):
        RenderedFaces(np.zeros((2, 4, 4, 3), np.uint8), torch.zeros(1, 6, 8))
