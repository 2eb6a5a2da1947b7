"""The sizes of a model: what follows from them, and what cannot be one."""

from __future__ import annotations

import json

import pytest

from megafs_video.networks.dims import PAPER, TINY, Dims


def test_the_default_model_draws_1024_pixels_from_16_codes() -> None:
    dims = Dims()
    assert (dims.resolution, dims.num_styles, dims.num_low, dims.num_high) == (1024, 16, 4, 12)


def test_a_block_more_doubles_the_picture_and_takes_two_codes() -> None:
    assert (TINY.resolution, TINY.num_styles) == (32, 6)


def test_the_papers_model_draws_1024_pixels_from_18_codes() -> None:
    assert (PAPER.resolution, PAPER.num_styles, PAPER.num_low, PAPER.num_high) == (1024, 18, 4, 14)


def test_a_checkpoint_of_before_there_was_a_family_is_the_default_models() -> None:
    older = json.loads(Dims().to_json())
    for name in ("family", "space", "backbone_depths"):
        del older[name]
    assert Dims.from_json(json.dumps(older)) == Dims()


@pytest.mark.parametrize("dims", [Dims(), TINY, PAPER])
def test_sizes_come_back_from_json(dims: Dims) -> None:
    assert Dims.from_json(dims.to_json()) == dims


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"num_low": 16}, "num_low is 16, wanted 0 to 15"),
        ({"codes_per_map": [4, 6, 5]}, "codes_per_map adds up to 15"),
        ({"crop_size": "256"}, "crop_size is '256', wanted whole numbers"),
        ({"pyramid_width": -1}, "pyramid_width is -1, wanted whole numbers"),
        ({"backbone_widths": [64, 1.5, 256, 256]}, "backbone_widths"),
        ({"colour": 3}, "not the sizes of a model"),
        ({"family": "large"}, "family is 'large', wanted one of mobile, paper"),
        ({"space": 1}, r"space is 1, wanted one of W\+\+, W\+"),
        ({"backbone_depths": [2, 2, 2]}, "wanted a number from 1 for each of the 4 stages"),
        ({"backbone_depths": [2, 2, 0, 2]}, "wanted a number from 1 for each of the 4 stages"),
    ],
)
def test_nonsense_is_refused(changed: dict[str, object], said: str) -> None:
    text = json.dumps(json.loads(Dims().to_json()) | changed)
    with pytest.raises(ValueError, match=said):
        Dims.from_json(text)


def test_json_that_is_no_table_is_refused() -> None:
    with pytest.raises(ValueError, match="not the sizes of a model"):
        Dims.from_json("[1]")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"crop_size": 128}, "crop_size is 128, the paper has 256"),
        ({"num_low": 3}, "num_low is 3, the paper has 4"),
        ({"identity_size": 512}, "identity_size is 512, the paper has 0"),
        ({"codes_per_map": [4, 14]}, r"2 and 5 sizes, the paper's W\+\+ 3 and 5"),
        ({"space": "W+"}, r"3 and 5 sizes, the paper's W\+ 3 and 4"),
    ],
)
def test_sizes_that_the_published_networks_cannot_have_are_refused(
    changed: dict[str, object], said: str
) -> None:
    text = json.dumps(json.loads(PAPER.to_json()) | changed)
    with pytest.raises(ValueError, match=said):
        Dims.from_json(text)
