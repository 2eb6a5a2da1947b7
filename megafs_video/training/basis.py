"""Directions of C in which equal steps change the picture equally.

The picture answers to a few of C's 512 channels a thousand times more than to the rest. Adam scales
each number of a step by itself, so it cannot mend what lies askew to them; a basis that whitens the
generator's mean squared Jacobian does, and C learns from the first step on.
"""

from __future__ import annotations

import torch
from torch import Tensor

from megafs_video.networks.generator import Generator
from megafs_video.values import Latents

NUM_PROBES = 24  # batches of random pictures
BATCH = 16
FLOOR = 0.03  # of the mean eigenvalue: directions that hardly act are not stretched further


def constant_basis(
    generator: Generator, styles: Tensor, *, num_blocks: int = 3, seed: int = 0
) -> Tensor:
    """A symmetric basis [512, 512] of C's channels, of the size of an identity.

    styles [N, L, 512]: codes of faces, around which the Jacobian is taken, as far as the features
    after ``num_blocks`` blocks. Each probe is the gradient of a random projection of those, and
    the mean of their outer products is Jᵀ J.
    """
    random = torch.Generator().manual_seed(seed)
    channels = generator.constant.shape[1]
    device = generator.constant.device
    gram = torch.zeros(channels, channels, device=device)
    for _ in range(NUM_PROBES):
        chosen = torch.randint(len(styles), (BATCH,), generator=random)
        constant = generator.constant.detach().repeat(BATCH, 1, 1, 1).requires_grad_()
        codes = styles[chosen].to(device).float()
        features = generator.features(Latents(constant, codes), num_blocks)
        probe = torch.randn(features.shape, generator=random).to(device)
        (gradient,) = torch.autograd.grad((features * probe).sum(), constant)
        rows = gradient.permute(0, 2, 3, 1).reshape(-1, channels)
        gram += rows.T @ rows
    values, vectors = torch.linalg.eigh(gram)
    scales = (values + FLOOR * values.mean()).rsqrt()
    basis = (vectors * scales) @ vectors.T
    whitened: Tensor = basis * (channels**0.5 / basis.norm())
    return whitened
