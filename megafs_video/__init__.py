"""Give the person in a video another person's face: MegaFS, streamed, tracked, smooth.

The command line is ``megafs-video``; the same jobs from Python are the names below. A name is
imported when it is first used, so that ``import megafs_video`` itself costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from megafs_video.errors import MegafsError as MegafsError
    from megafs_video.model import Model as Model
    from megafs_video.model import load_model as load_model
    from megafs_video.pipeline.options import SwapOptions as SwapOptions
    from megafs_video.pipeline.preview import Preview as Preview
    from megafs_video.pipeline.preview import preview_frames as preview_frames
    from megafs_video.pipeline.report import Progress as Progress
    from megafs_video.pipeline.report import SwapReport as SwapReport
    from megafs_video.pipeline.sheet import sheet as sheet
    from megafs_video.pipeline.swap import swap_video as swap_video
    from megafs_video.values import Latents as Latents

__version__ = "0.1.0"

_HOMES = {
    "Latents": "megafs_video.values",
    "MegafsError": "megafs_video.errors",
    "Model": "megafs_video.model",
    "Preview": "megafs_video.pipeline.preview",
    "Progress": "megafs_video.pipeline.report",
    "SwapOptions": "megafs_video.pipeline.options",
    "SwapReport": "megafs_video.pipeline.report",
    "load_model": "megafs_video.model",
    "preview_frames": "megafs_video.pipeline.preview",
    "sheet": "megafs_video.pipeline.sheet",
    "swap_video": "megafs_video.pipeline.swap",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    """Import a public name from where it lives (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """All public names, imported or not."""
    return sorted([*globals(), *_HOMES])
