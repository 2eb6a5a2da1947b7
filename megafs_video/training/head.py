"""A picture from the generator's early features, at a fraction of the cost.

One linear layer, fitted by least squares, maps the features that enter a block to the Haar bands
of the picture at that block's size. The generator's later blocks and their codes do not act on
that picture; windows of the true one teach them, and keep the layer true to it while the codes
move away from those of the faces it was fitted on.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from megafs_video.errors import ConfigError
from megafs_video.networks.generator import Corner, Generator, inverse_haar
from megafs_video.networks.perceptual import Lpips
from megafs_video.training.config import PictureConfig
from megafs_video.training.faces import to_device_pixels
from megafs_video.training.losses import perceptual_loss, reconstruction_loss
from megafs_video.training.rendered import RenderedFaces
from megafs_video.values import Latents

NUM_BLOCKS = 4  # 4 px -> 64 px
NUM_FITTED = 300  # faces that the head is fitted on
NUM_HELD_OUT = 20  # faces that measure the fit
WINDOW, MARGIN = 20, 2  # of the features: what is drawn, and what of it a window's edge spoils
SPOTS = ((0.43, 0.37), (0.43, 0.63), (0.71, 0.5))  # eyes and mouth of an aligned face, (y, x)
SPOT_SHARE = 0.5  # of the windows, that lie about one of them; the others lie anywhere
MEMORY = 0.99  # of what the head was fitted on, what is left after one more window


class PictureHead(nn.Module):
    """Draws pictures from W++ through the first blocks of the generator.

    Its weights are statistics of what it has seen, and no optimiser moves them.
    """

    gram: Tensor  # [C + 1, C + 1]
    cross: Tensor  # [C + 1, 12]
    weight: Tensor  # [12, C + 1]

    def __init__(self, generator: Generator, num_blocks: int, gram: Tensor, cross: Tensor) -> None:
        super().__init__()
        self.generator = (generator,)  # not a part: its weights are no state of ours
        self.num_blocks = num_blocks
        self.size = 8 * 2**num_blocks
        self.register_buffer("gram", gram)
        self.register_buffer("cross", cross)
        self.register_buffer("weight", solve(gram, cross))

    def forward(self, latents: Latents) -> Tensor:
        """constant, styles -> pixels [N, 3, size, size], about [-1, 1]; differentiable."""
        return self.draw(self.features(latents), latents)

    def features(self, latents: Latents) -> Tensor:
        """What the next block would read, before its style: [N, C, size / 2, size / 2]."""
        return self.generator[0].features(latents, self.num_blocks)

    def draw(self, features: Tensor, latents: Latents) -> Tensor:
        """The picture of what ``features`` gave."""
        scaled = scaled_features(self.generator[0], features, latents, self.num_blocks)
        bands = functional.conv2d(scaled, self.weight[:, :-1, None, None], self.weight[:, -1])
        return inverse_haar(bands)

    def resized(self, pixels: Tensor) -> Tensor:
        """Pictures at the size that the head draws: [N, 3, S, S] -> [N, 3, size, size]."""
        return functional.interpolate(pixels, (self.size, self.size), mode="area")

    def window(self, features: Tensor, latents: Latents, corner: Corner) -> Tensor:
        """A window of the generator's own picture, less its spoilt edge.

        features: what ``features`` gave; corner: of the window, in pixels of those. The picture
        has ``scale`` pixels for each: [N, 3, (WINDOW - 2 · MARGIN) · scale, the same].
        """
        cut = cut_window(features, corner, WINDOW)
        drawn = self.generator[0].finish(cut, latents.styles, self.num_blocks, corner)
        edge = MARGIN * self.scale
        return drawn[:, :, edge:-edge, edge:-edge]

    @property
    def scale(self) -> int:
        """Pixels of the picture for each of the features'."""
        return 1 << (len(self.generator[0].blocks) - self.num_blocks + 1)

    @torch.no_grad()
    def follow(self, features: Tensor, latents: Latents, corner: Corner, drawn: Tensor) -> None:
        """Fit the layer to a window of the true picture, ``drawn``, which ``window`` gave."""
        side = WINDOW - 2 * MARGIN
        inner = (corner[0] + MARGIN, corner[1] + MARGIN)
        cut = cut_window(features, inner, side)
        scaled = scaled_features(self.generator[0], cut, latents, self.num_blocks)
        wanted = functional.interpolate(drawn, (2 * side, 2 * side), mode="area")
        gram, cross = statistics(scaled, wanted)
        size = self.gram[-1, -1] / gram[-1, -1]  # a count of pixels, which stays as it is
        self.gram.lerp_(size * gram, 1 - MEMORY)
        self.cross.lerp_(size * cross, 1 - MEMORY)
        # Not in place: a picture drawn before may still wait for its gradients.
        self.weight = solve(self.gram, self.cross)


def window_distance(
    head: PictureHead,
    features: Tensor,
    latents: Latents,
    photographs: Tensor,
    lpips: Lpips,
    random: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Eq. 4 and 5 in a random window that the whole generator draws; the head follows it."""
    side = features.shape[-1]
    corner = window_corner(side, random)
    drawn = head.window(features, latents, corner)
    head.follow(features, latents, corner, drawn)
    scale = photographs.shape[-1] // side  # pixels of a photograph for each of the features'
    inner = (scale * (corner[0] + MARGIN), scale * (corner[1] + MARGIN))
    wanted = cut_window(photographs, inner, scale * (WINDOW - 2 * MARGIN))
    small = functional.interpolate(drawn, wanted.shape[-2:], mode="area")
    return reconstruction_loss(small, wanted), perceptual_loss(lpips(small, wanted))


def window_loss(
    head: PictureHead,
    features: Tensor,
    latents: Latents,
    photographs: Tensor,
    lpips: Lpips,
    random: torch.Generator,
    config: PictureConfig,
) -> Tensor:
    """``window_distance`` of the first ``window_batch`` faces, weighted as whole pictures are."""
    some = slice(0, config.window_batch)
    squares, perceptual = window_distance(
        head, features[some], latents[some], photographs[some], lpips, random
    )
    return config.weight_window * (
        config.weight_reconstruction * squares + config.weight_perceptual * perceptual
    )


def window_corner(side: int, random: torch.Generator) -> Corner:
    """Where a window of ``side`` x ``side`` features begins: gaze and teeth are small."""
    last = side - WINDOW
    corner = torch.randint(last + 1, (2,), generator=random)
    if torch.rand((), generator=random) < SPOT_SHARE:
        spot = torch.tensor(SPOTS[int(torch.randint(len(SPOTS), (), generator=random))])
        stray = WINDOW / 4 * (2 * torch.rand(2, generator=random) - 1)
        corner = (spot * side - WINDOW / 2 + stray).round().long().clamp(0, last)
    top, left = corner.tolist()
    return top, left


def solve(gram: Tensor, cross: Tensor) -> Tensor:
    """Least squares with a touch of ridge: [C + 1, C + 1] and [C + 1, 12] -> [12, C + 1]."""
    ridge = 1e-6 * gram.diagonal().mean() * torch.eye(len(gram), device=gram.device)
    weight: Tensor = torch.linalg.solve(gram + ridge, cross)
    return weight.T.contiguous()


def cut_window(pixels: Tensor, corner: Corner, side: int) -> Tensor:
    """[N, C, H, W] -> [N, C, side, side], from ``corner``."""
    top, left = corner
    return pixels[:, :, top : top + side, left : left + side]


def scaled_features(
    generator: Generator, features: Tensor, latents: Latents, num_blocks: int
) -> Tensor:
    """What the next block would read: [N, C, S, S], scaled by its style."""
    scale: Tensor = generator.blocks[num_blocks].up(latents.styles[:, 2 * num_blocks + 1])
    return features * scale[:, :, None, None]


def statistics(features: Tensor, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """What ``solve`` needs of features [N, C, H, W] and their pictures [N, 3, 2H, 2W].

    The Gram matrix [C + 1, C + 1] of the features and a one, the number of pixels in its corner;
    and their products with the pictures' Haar bands, [C + 1, 12].
    """
    rows = features.permute(0, 2, 3, 1).flatten(0, 2)
    rows = torch.cat((rows, rows.new_ones(len(rows), 1)), dim=1)
    return rows.T @ rows, rows.T @ haar(pixels).permute(0, 2, 3, 1).reshape(-1, 12)


def check_num_rendered(num_rendered: int, count: int = NUM_FITTED) -> None:
    """Raise ConfigError if there would be too few rendered faces to fit the head on."""
    if num_rendered < count + NUM_HELD_OUT:
        raise ConfigError(
            f"num_rendered is {num_rendered}, but the picture head is fitted on {count} and "
            f"measured on {NUM_HELD_OUT} more; set num_rendered to {count + NUM_HELD_OUT} or more"
        )


@torch.no_grad()
def fit_picture_head(
    generator: Generator,
    faces: RenderedFaces,
    num_blocks: int = NUM_BLOCKS,
    count: int = NUM_FITTED,
) -> tuple[PictureHead, float]:
    """The head fitted on ``count`` rendered faces, and its mean squared error on the next 20."""
    check_num_rendered(len(faces.pixels), count)
    channels = generator.blocks[num_blocks].up.out_features + 1
    device = generator.constant.device
    gram = torch.zeros(channels, channels, device=device)
    cross = torch.zeros(channels, 12, device=device)
    size = 8 * 2**num_blocks
    for index in range(count):
        latents = _latents(generator, faces, index)
        features = scaled_features(
            generator, generator.features(latents, num_blocks), latents, num_blocks
        )
        pixels = to_device_pixels(faces.pixels[index : index + 1], device)
        wanted = functional.interpolate(pixels, (size, size), mode="area")
        more_gram, more_cross = statistics(features, wanted)
        gram += more_gram
        cross += more_cross
    head = PictureHead(generator, num_blocks, gram, cross)
    error = 0.0
    for index in range(count, count + NUM_HELD_OUT):
        latents = _latents(generator, faces, index)
        wanted = head.resized(to_device_pixels(faces.pixels[index : index + 1], device))
        error += float((head(latents) - wanted).square().mean()) / NUM_HELD_OUT
    return head, error


def _latents(generator: Generator, faces: RenderedFaces, index: int) -> Latents:
    styles = faces.styles[index : index + 1].to(generator.constant.device).float()
    return Latents(generator.constant, styles)


def haar(pixels: Tensor) -> Tensor:
    """The bands that ``inverse_haar`` turns back into ``pixels``.

    pixels [N, C, H, W] with even H and W -> bands [N, 4C, H / 2, W / 2].

    >>> bands = haar(torch.arange(16.0).view(1, 1, 4, 4))
    >>> torch.equal(inverse_haar(bands), torch.arange(16.0).view(1, 1, 4, 4))
    True
    """
    a, b = pixels[:, :, ::2, ::2], pixels[:, :, ::2, 1::2]
    c, d = pixels[:, :, 1::2, ::2], pixels[:, :, 1::2, 1::2]
    return torch.cat((a + b + c + d, a + b - c - d, a - b + c - d, a - b - c + d), dim=1) / 4
