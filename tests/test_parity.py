"""At full size, with seeded weights in the published layout, the values of the authors' code.

``../shared/parity`` writes the files and holds the values; without it there is nothing to compare.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import Tensor

from megafs_video.model import load_model
from megafs_video.networks.dims import PAPER
from tests.models import REPOSITORY
from tests.official import ftm_shapes, hierfe_shapes, injection_shapes, stylegan2_shapes

PARITY = REPOSITORY.parent / "shared" / "parity"

needs_parity = pytest.mark.skipif(
    not (PARITY / "golden.npz").is_file(),
    reason="../shared/parity is not here: the values of the authors' code are kept there",
)
needs_room = pytest.mark.skipif(
    shutil.disk_usage(REPOSITORY).free < 4 * 2**30, reason="less than 4 GiB of disk are free"
)


@needs_parity
def test_the_layout_that_tests_shrink_is_the_published_one() -> None:
    layout = json.loads((PARITY / "layout.json").read_text())
    for name, shapes in (
        ("hierfe", hierfe_shapes(PAPER)),
        ("ftm", ftm_shapes(PAPER)),
        ("injection", injection_shapes(PAPER)),
        ("stylegan2", stylegan2_shapes(PAPER)),
    ):
        assert shapes == {key: tuple(shape) for key, shape in layout[name].items()}


@pytest.fixture(scope="module")
def official() -> ModuleType:
    """The shared script that makes seeded weights."""
    spec = importlib.util.spec_from_file_location("parity", PARITY / "official_checkpoint.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def published(official: ModuleType, tmp_path: Path) -> Iterator[Path]:
    """The two files under their published names: 1.4 GB, gone after the test."""
    for kind, name in (("ftm", "ftm_final.pth"), ("stylegan2", "stylegan2-ffhq-config-f.pth")):
        parts = official.checkpoint(kind)
        for part in parts.values():
            for key, tensor in part.items():  # numpy 2 made some of them float64
                part[key] = tensor.float() if tensor.is_floating_point() else tensor
        torch.save(parts, tmp_path / name)
    yield tmp_path
    shutil.rmtree(tmp_path)


def distance(found: Tensor, wanted: Tensor) -> float:
    """‖difference‖ / ‖reference‖."""
    return float((found - wanted).norm() / wanted.norm())


@pytest.mark.e2e
@needs_parity
@needs_room
def test_the_published_model_computes_what_the_authors_code_computes(
    official: ModuleType, published: Path
) -> None:
    golden = {key: torch.from_numpy(v) for key, v in np.load(PARITY / "golden.npz").items()}
    model = load_model(published, device="cpu", precision="float32")
    assert model.dims == PAPER
    pixels: Tensor = official.parity_inputs()
    latents = model.encode(pixels)  # target, source
    assert distance(latents.styles, golden["latents"]) < 1e-4
    assert distance(latents.constant, golden["constant"]) < 1e-4
    swapped = model.transfer(latents[1:], latents[:1])
    assert distance(swapped.styles, golden["swapped"]) < 1e-4
    picture = model.generate(swapped)[0]  # [3, 1024, 1024]
    assert distance(picture[:, ::16, ::16], golden["image_grid"]) < 1e-3
    assert distance(picture[:, 448:576, 448:576], golden["image_patch"]) < 1e-3
    assert distance(picture.mean((1, 2)), golden["image_mean"]) < 1e-3
    assert distance(picture.std((1, 2)), golden["image_std"]) < 1e-3
