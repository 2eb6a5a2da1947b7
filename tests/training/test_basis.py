"""The basis of C: equal steps along it change the features equally."""

from __future__ import annotations

import torch

from megafs_video.training.basis import constant_basis
from tests.tiny import check_close
from tests.training.small import SMALL, small_generator


def test_the_basis_is_symmetric_and_of_the_size_of_an_identity() -> None:
    basis = constant_basis(small_generator(), torch.randn(20, SMALL.num_styles, 8))
    check_close(basis, basis.T)
    check_close(basis.norm(), torch.tensor(8**0.5))


def test_a_channel_that_acts_strongly_is_moved_less() -> None:
    generator = small_generator()
    styles = torch.randn(20, SMALL.num_styles, 8)
    weight = generator.first.convolution.weight
    before = weight.clone()
    try:
        weight[:, 3] *= 20
        basis = constant_basis(generator, styles)
    finally:
        weight.copy_(before)
    strength = basis.diagonal()
    assert strength.argmin() == 3
    assert strength[3] < 0.5 * strength.median()
