"""HieRFE, the hierarchical region-aware face encoder (paper §3.1, Fig. 3).

Backbone -> feature pyramid -> one mapping network per code. It reads W++ from a 256 px aligned
crop: the constant C [512, 4, 4] and the style codes L [16, 512]. The paper's ResNet-50 becomes
a ResNet-18 that works at half the crop's size; the mapping networks of one map of the pyramid
run as one grouped convolution; codes are offsets from the generator's mean code. Beside the
backbone it hears two frozen networks, one that knows people and one that finds landmarks, and a
small one that sees where eyes look and how mouths are held (``spans.py``); and at last it
corrects what the target keeps in a swap by what that draws (``correct.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from megafs_video.networks.correct import Corrector, pooled_to_four
from megafs_video.networks.dims import Dims
from megafs_video.networks.frozen import ArcFace, Landmarks106
from megafs_video.networks.generator import Generator
from megafs_video.networks.order import SmallMapConv
from megafs_video.networks.spans import SpanReader
from megafs_video.values import Latents


class Residual(nn.Module):
    """Two 3x3 convolutions and a short cut (He et al. 2016)."""

    def __init__(
        self, in_channels: int, out_channels: int, stride: int, conv: type[nn.Conv2d] = nn.Conv2d
    ) -> None:
        super().__init__()
        self.conv1 = conv(in_channels, out_channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = conv(out_channels, out_channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or in_channels != out_channels:
            self.downsample = nn.Sequential(
                conv(in_channels, out_channels, 1, stride, bias=False),
                nn.BatchNorm2d(out_channels),
            )

    def forward(self, x: Tensor) -> Tensor:
        """[N, C_in, H, W] -> [N, C_out, H / stride, W / stride]."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(x)) + shortcut)


class Backbone(nn.Module):
    """ResNet-18's stem and four stages, at half the size of the crop."""

    def __init__(self, widths: tuple[int, ...], depths: tuple[int, ...] = (2, 2, 2, 2)) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, widths[0], 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        before = (widths[0], *widths)
        kinds = (*(nn.Conv2d for _ in widths[1:]), SmallMapConv)  # the last stage's maps: 4 px
        self.stages = nn.ModuleList(
            nn.Sequential(
                Residual(before[stage], width, 1 if stage == 0 else 2, conv),
                *(Residual(width, width, 1, conv) for _ in range(depth - 1)),
            )
            for stage, (width, depth, conv) in enumerate(zip(widths, depths, kinds, strict=True))
        )

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """pixels [N, 3, 256, 256] -> maps of 32, 16, 8 and 4 px."""
        x = functional.avg_pool2d(pixels, 2)
        x = functional.max_pool2d(functional.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


class Cues(NamedTuple):
    """What the frozen networks say of N faces, brought to unit variance; None if not asked."""

    identity: Tensor | None  # [N, 512]
    points: Tensor | None  # [N, 2 · (K + S)]


class MappingNetworks(nn.Module):
    """All the mapping networks that read one map: a grouped convolution, one group a code.

    Each halves the map until one pixel is left (paper, Fig. 3), adds what the frozen networks
    say of the person and of the face's points, and projects to a style code.
    """

    def __init__(self, dims: Dims, num_codes: int, num_steps: int) -> None:
        super().__init__()
        width = num_codes * dims.mapping_width
        self.num_codes = num_codes
        self.style_size = dims.style_size
        layers: list[nn.Module] = []
        for step in range(num_steps):
            channels, groups = (dims.pyramid_width, 1) if step == 0 else (width, num_codes)
            layers += [
                nn.Conv2d(channels, width, 3, 2, 1, groups=groups, bias=False),
                nn.BatchNorm2d(width),
                nn.LeakyReLU(0.01),
            ]
        self.steps = nn.Sequential(*layers)
        self.identity = nn.Linear(dims.identity_size, width) if dims.identity_size else None
        self.points = nn.Linear(2 * dims.num_points, width) if dims.num_points else None
        self.mix = nn.Conv2d(width, width, 1, groups=num_codes)
        self.project = nn.Conv2d(width, num_codes * dims.style_size, 1, groups=num_codes)

    def pool(self, features: Tensor) -> Tensor:
        """What the map says, before the identity: [N, P, S, S] -> [N, num_codes · width]."""
        pooled: Tensor = self.steps(features)
        return pooled.flatten(1)

    def codes(self, pooled: Tensor, cues: Cues) -> Tensor:
        """pooled [N, num_codes · width] -> codes [N, num_codes, style_size]."""
        x = pooled[:, :, None, None]
        for layer, cue in ((self.identity, cues.identity), (self.points, cues.points)):
            if layer is not None and cue is not None:
                x = x + functional.leaky_relu(layer(cue), 0.01)[:, :, None, None]
        codes: Tensor = self.project(functional.leaky_relu(self.mix(x), 0.01))
        return codes.reshape(len(codes), self.num_codes, self.style_size)


class Reading(NamedTuple):
    """What the maps say of N faces, before the frozen networks are heard."""

    constant: Tensor  # [N, 512, 4, 4], a first guess
    pooled: Tensor  # [N, L · width]
    coarse: Tensor  # [N, widths[-1], S, S], the smallest map


class Encoder(nn.Module):
    """HieRFE: pixels -> W++ (paper §3.1)."""

    mappings: Sequence[MappingNetworks]  # a ModuleList, which torch does not type by its members
    constant_mean: Tensor  # [1, 512, 4, 4]
    constant_scale: Tensor  # scalar
    style_mean: Tensor  # [512]
    style_scale: Tensor  # [512]

    def __init__(self, dims: Dims) -> None:
        super().__init__()
        self.dims = dims
        widths = dims.backbone_widths
        self.backbone = Backbone(widths, dims.backbone_depths)
        self.laterals = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width, dims.pyramid_width, 1, bias=False),
                nn.BatchNorm2d(dims.pyramid_width),
                nn.ReLU(),
            )
            for width in widths
        )
        # Coarse to fine: the 8 px map takes 3 halvings, 16 px 4, 32 px 5.
        smallest = dims.crop_size // 32
        mappings = nn.ModuleList(
            MappingNetworks(dims, num_codes, num_steps=(smallest * 2**depth).bit_length() - 1)
            for depth, num_codes in enumerate(dims.codes_per_map)
        )
        self.mappings = cast("Sequence[MappingNetworks]", mappings)
        self.constant = SmallMapConv(widths[-1], dims.constant_channels, 3, padding=1)
        self.corrector = Corrector(dims) if dims.num_corrections else None
        self.spans = SpanReader(dims) if dims.num_spans else None
        # The step of the codes that draws what of the spans would be missing, in their scale.
        num_numbers = dims.num_styles * dims.style_size
        self.lead = nn.Linear(2 * dims.num_spans, num_numbers) if dims.num_spans else None
        if self.lead is not None:
            nn.init.zeros_(self.lead.weight)
            nn.init.zeros_(self.lead.bias)
        # Points as offsets from the mean face, in standard deviations.
        num_points = 2 * dims.num_points
        self.standardise = nn.BatchNorm1d(num_points, affine=False) if num_points else None
        self.register_buffer("constant_mean", torch.zeros(1, dims.constant_channels, 4, 4))
        self.register_buffer("constant_scale", torch.ones(()))
        self.register_buffer("style_mean", torch.zeros(dims.style_size))
        self.register_buffer("style_scale", torch.ones(dims.style_size))

    def forward(
        self,
        pixels: Tensor,
        identity: Tensor | None = None,
        landmarks: Tensor | None = None,
        generator: Generator | None = None,
    ) -> Latents:
        """pixels [N, 3, 256, 256] in [-1, 1] -> W++ of N faces.

        identity: unit vectors [N, 512]. landmarks: [N, K, 2] in [-1, 1]. generator: what draws
        the sketches, for an encoder that corrects itself. ValueError if ``dims`` asks for one
        that is not given.
        """
        dims = self.dims
        for name, is_wanted, found in (
            ("identity", dims.identity_size, identity),
            ("landmarks", dims.num_landmarks, landmarks),
            ("generator", dims.num_corrections, generator),
        ):
            if is_wanted and found is None:
                raise ValueError(f"{name} is None, but the encoder's dims ask for one")
        points = self.points(pixels, landmarks)
        return self.conclude(pixels, self.read(pixels), identity, points, generator)

    @torch.no_grad()
    def points(self, pixels: Tensor, landmarks: Tensor | None) -> Tensor | None:
        """Landmarks [N, K, 2] and, of an encoder that reads them, spans: [N, K + S, 2].

        No gradient: the reader of spans has learnt before.
        """
        if self.spans is None or landmarks is None:
            return landmarks
        return torch.cat((landmarks, self.spans(pixels)), dim=1)

    def conclude(
        self,
        pixels: Tensor,
        reading: Reading,
        identity: Tensor | None,
        points: Tensor | None,
        generator: Generator | None,
    ) -> Latents:
        """W++ of what ``read`` found in the pixels and of what the frozen networks say."""
        cues = self.cues(identity, points)
        styles = self.styles(reading.pooled, cues)
        if generator is None:
            return Latents(reading.constant, styles)
        return self.correct(pixels, reading, styles, cues, generator)[-1]

    def cues(self, identity: Tensor | None, points: Tensor | None) -> Cues:
        """Identity [N, 512] and points [N, K + S, 2] as the layers want them."""
        if identity is not None:
            # A unit vector of 512 numbers holds tiny ones: brought to unit variance, they learn.
            identity = identity * identity.shape[1] ** 0.5
        if points is not None and self.standardise is not None:
            points = self.standardise(points.flatten(1))
        return Cues(identity, points)

    def read(self, pixels: Tensor) -> Reading:
        """All that depends on the pixels alone: pixels [N, 3, 256, 256] -> a first C and more."""
        maps = self.backbone(pixels)
        pyramid = self.laterals[-1](maps[-1])
        pooled = []
        for lateral, features, mapping in zip(
            reversed(self.laterals[:-1]), reversed(maps[:-1]), self.mappings, strict=True
        ):
            pyramid = lateral(features) + functional.interpolate(
                pyramid, scale_factor=2.0, mode="bilinear", align_corners=False
            )
            pooled.append(mapping.pool(pyramid))
        offset = pooled_to_four(self.constant(maps[-1]))  # [N, 512, 4, 4]
        constant = self.constant_mean + self.constant_scale * offset
        return Reading(constant, torch.cat(pooled, dim=1), maps[-1])

    def styles(self, pooled: Tensor, cues: Cues) -> Tensor:
        """pooled [N, L · width] -> L [N, num_styles, 512], coarse to fine."""
        sizes = [mapping.num_codes * self.dims.mapping_width for mapping in self.mappings]
        codes = [
            mapping.codes(part, cues)
            for mapping, part in zip(self.mappings, torch.split(pooled, sizes, dim=1), strict=True)
        ]
        offsets = torch.cat(codes, dim=1)
        if self.lead is not None and cues.points is not None:
            with torch.no_grad():  # fitted before (training.lead), like what it hears
                step = self.lead(cues.points[:, 2 * self.dims.num_landmarks :])
            offsets = offsets + step.view_as(offsets)
        return self.style_mean + self.style_scale * offsets

    def correct(
        self, pixels: Tensor, reading: Reading, styles: Tensor, cues: Cues, generator: Generator
    ) -> list[Latents]:
        """W++ before and after each correction of C and the low codes."""
        found = [Latents(reading.constant, styles)]
        if self.corrector is None:
            return found
        num_low, size = self.dims.num_low, self.corrector.size
        photograph = functional.interpolate(pixels, (size, size), mode="area")
        context = self.corrector.context(reading.coarse, cues.points)
        for _ in range(self.dims.num_corrections):
            constant, styles = found[-1].constant, found[-1].styles
            step, low_step = self.corrector(
                photograph,
                self.corrector.sketch(generator, found[-1]),
                context,
                (constant - self.constant_mean) / self.constant_scale,
            )
            low = styles[:, :num_low] + self.style_scale * low_step
            moved = constant + self.constant_scale * step
            found.append(Latents(moved, torch.cat((low, styles[:, num_low:]), dim=1)))
        return found

    def heads(self) -> list[nn.Module]:
        """The last layers of the high codes' mapping networks: cues and pooled maps -> codes."""
        return [
            layer
            for mapping in self.mappings[1:]
            for layer in (mapping.identity, mapping.points, mapping.mix, mapping.project)
            if layer is not None
        ]


class FaceReader(nn.Module):
    """Our HieRFE with the frozen networks that it hears (paper §3.1)."""

    def __init__(
        self,
        encoder: Encoder,
        arcface: ArcFace | None,
        landmarks: Landmarks106 | None,
        generator: Generator | None,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.arcface = arcface
        self.landmarks = landmarks
        self.generator = generator

    def forward(self, pixels: Tensor) -> Latents:
        """pixels [N, 3, 256, 256] in [-1, 1] -> W++ of N faces."""
        identity = None if self.arcface is None else self.arcface(pixels)
        landmarks = None if self.landmarks is None else self.landmarks(pixels)
        latents: Latents = self.encoder(pixels, identity, landmarks, self.generator)
        return latents
