"""The method on one screen: the stages through which a frame walks."""

from __future__ import annotations

from typing import Any

from megafs_video.geometry.masks import outline_mask
from megafs_video.pipeline.align import Align
from megafs_video.pipeline.blend import Blend
from megafs_video.pipeline.bridge import Bridge
from megafs_video.pipeline.detect import Detect
from megafs_video.pipeline.encode import Encode
from megafs_video.pipeline.fade import Fade
from megafs_video.pipeline.generate import Generate
from megafs_video.pipeline.options import SwapOptions
from megafs_video.pipeline.prefetch import Prefetch
from megafs_video.pipeline.prepare import Cast
from megafs_video.pipeline.profile import PROFILES
from megafs_video.pipeline.select import Select
from megafs_video.pipeline.smooth import Smooth
from megafs_video.pipeline.stage import Stage
from megafs_video.pipeline.steady import Steady
from megafs_video.pipeline.track import Track
from megafs_video.pipeline.transfer import Transfer
from megafs_video.values import AlignedCrop, FloatArray

# Frames between two threads. With two, a clip at 1080p goes through a fortieth faster beside
# pass-through networks, and its peak memory depends more on chance.
QUEUE_FRAMES = 1
# The edge of the mask fades over this part of the crop's side.
FEATHER = 0.06


def build_stages(cast: Cast, options: SwapOptions) -> list[Stage[Any, Any]]:
    """Every stage from decoded frames to frames with swapped faces.

    Each ``Prefetch`` runs what stands above it in a thread of its own, so decoding, finding
    faces, the networks, blending, and writing overlap.
    """
    model = cast.model
    batch_size = options.faces_per_batch(model.device.type)
    profile = PROFILES[options.smooth]
    return [
        Prefetch(QUEUE_FRAMES, "decode"),
        Detect(cast.finders.detector, cast.finders.landmarker),
        Track(options.max_gap_seconds, cast.finders.recognizer),
        Select(cast.choice, options.max_gap_seconds),
        Bridge(options.max_gap_seconds, cast.finders.recognizer),
        Fade(),
        Align(model.dims.crop_size, profile),
        Prefetch(QUEUE_FRAMES, "faces"),
        Encode(model, batch_size),
        Transfer(model, cast.source_latents, batch_size),
        Smooth(profile),
        Generate(model, face_mask, batch_size),
        Prefetch(QUEUE_FRAMES, "swap"),
        Steady(profile),
        Blend(profile),
        Prefetch(QUEUE_FRAMES, "drawn"),
    ]


def face_mask(crop: AlignedCrop) -> FloatArray:
    """Where the swapped face may be seen: inside the outline of the face, fading to its edge."""
    size = crop.pixels.shape[0]
    return outline_mask(crop.outline_xy, size, FEATHER * size)
