"""At full size, with seeded weights in the published layout, the values of the authors' code.

``../shared/parity`` writes the files and holds the values of one seed and of FTM; other seeds and
the other swappers are compared with the plain computation (``benchmarks/straightforward.py``),
which gives those values, too. Without the folder there is nothing to compare.
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

from benchmarks import straightforward
from megafs_video.model import load_model
from megafs_video.networks.dims import PAPER
from megafs_video.networks.frozen import freeze
from megafs_video.networks.injection import IdInjection
from megafs_video.networks.official import hierfe_state, injection_state
from megafs_video.networks.order import to_channels_last
from megafs_video.networks.rosinality import stylegan2_state
from megafs_video.parts import build_paper
from megafs_video.values import Latents
from tests.models import REPOSITORY
from tests.official import ftm_shapes, hierfe_shapes, injection_shapes, stylegan2_shapes
from tests.tiny import random_latents

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


def in_float32(part: dict[str, Tensor]) -> dict[str, Tensor]:
    """A part of a published file; numpy 2 made some of its tensors float64."""
    return {
        key: tensor.float() if tensor.is_floating_point() else tensor
        for key, tensor in part.items()
    }


@pytest.fixture
def published(official: ModuleType, tmp_path: Path) -> Iterator[Path]:
    """The two files under their published names: 1.4 GB, gone after the test."""
    for kind, name in (("ftm", "ftm_final.pth"), ("stylegan2", "stylegan2-ffhq-config-f.pth")):
        parts = official.checkpoint(kind)
        torch.save({letter: in_float32(part) for letter, part in parts.items()}, tmp_path / name)
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
    plain = straightforward.generate(
        in_float32(official.state_dict("g_ema", "stylegan2")), swapped.constant, swapped.styles
    )[0]
    assert distance(plain[:, ::16, ::16], golden["image_grid"]) < 1e-3
    assert distance(picture, plain) < 1e-3


@needs_parity
@pytest.mark.parametrize("seed", [0, 1])
@torch.inference_mode()
def test_id_injection_at_full_size_is_the_plain_computation(
    official: ModuleType, seed: int
) -> None:
    state = in_float32(official.state_dict("s", "injection", seed))
    injection = IdInjection(PAPER)
    injection.load_state_dict(injection_state(state, PAPER))
    source, target = random_latents(1, PAPER), random_latents(2, PAPER, seed=1)
    found: Latents = freeze(injection)(source, target)
    high = slice(PAPER.num_low, None)
    wanted = straightforward.inject(
        state, source.styles[:, high].expand(2, -1, -1), target.styles[:, high]
    )
    assert distance(found.styles[:, high], wanted) < 1e-4


@pytest.mark.e2e
@needs_parity
@torch.inference_mode()
def test_another_seed_computes_what_the_plain_computation_does(official: ModuleType) -> None:
    encoder, generator = (
        in_float32(official.state_dict(part, layout, seed=1))
        for part, layout in (("e", "hierfe"), ("g_ema", "stylegan2"))
    )
    pixels: Tensor = official.parity_inputs(seed=1)
    constant, styles = straightforward.encode(encoder, pixels[:1])
    assert constant is not None
    nowhere = Path("seed 1")
    hierfe = build_paper("encoder", hierfe_state(encoder, PAPER), PAPER, nowhere)
    found: Latents = to_channels_last(hierfe)(pixels[:1])
    assert distance(found.styles, styles) < 1e-4
    assert distance(found.constant, constant) < 1e-4
    picture = straightforward.generate(generator, constant, styles)
    stylegan2 = build_paper("generator", stylegan2_state(generator, PAPER), PAPER, nowhere)
    assert distance(to_channels_last(stylegan2)(found), picture) < 1e-3
