"""Preview: single frames of a clip through the very same stages, without smoothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain as chain_iterables
from pathlib import Path
from typing import Any

from megafs_video.allocator import keep_freed_memory
from megafs_video.errors import TimeRangeError
from megafs_video.pipeline.align import Align
from megafs_video.pipeline.blend import Blend
from megafs_video.pipeline.build import build_stages
from megafs_video.pipeline.contract import FaceModel
from megafs_video.pipeline.generate import Generate
from megafs_video.pipeline.options import SwapOptions
from megafs_video.pipeline.prefetch import close
from megafs_video.pipeline.prepare import Finders, Source, SourceMap, prepared
from megafs_video.pipeline.stage import Stage
from megafs_video.values import AlignedCrop, Frame, FrameFaces, SwappedCrop, UInt8Array
from megafs_video.video.planes import shown_pixels
from megafs_video.video.probe import VideoInfo, probe
from megafs_video.video.sample import frames_at
from megafs_video.video.sequence import Footage, as_footage

_DEFAULTS = SwapOptions()


@dataclass(frozen=True, eq=False)
class Preview:
    """One frame and every step on its way; ``crops`` and ``swaps`` are empty without a face."""

    time_seconds: float  # that was asked for
    sources: tuple[UInt8Array, ...]  # [S, S, 3] each, aligned; a crop says which it is given
    target: Frame  # as it is on screen at that time
    crops: tuple[AlignedCrop, ...]  # what the encoder saw of each face
    swaps: tuple[SwappedCrop, ...]  # what the generator drew, and the mask
    blended: UInt8Array  # [H, W, 3], the frame that ``swap_video`` would write

    @property
    def source(self) -> UInt8Array:
        """The first source, which is the only one unless several people have one each."""
        return self.sources[0]

    @property
    def seconds(self) -> float:
        """When the frame is shown, seconds; it may have begun before the time asked for."""
        return self.target.seconds


def preview_frames(
    source: Source | SourceMap,
    target: Footage | str,
    times_seconds: Sequence[float],
    *,
    model: FaceModel | str | Path = "mobile",
    options: SwapOptions = _DEFAULTS,
    finders: Finders | None = None,
    swapper: str = "ftm",
    device: str = "auto",
    precision: str = "auto",
    engine: str = "torch",
    threads: int | None = None,
) -> Iterator[Preview]:
    """The frames on screen at some times, in the order given, each swapped on its own.

    Only what is needed is read. A blended frame equals the one that ``swap_video`` writes at
    that time with smoothing off, as long as the same face is chosen: here each frame is the
    first of its shot. Arguments and errors are those of ``swap_video``; a frame without a face
    is no error.
    """
    keep_freed_memory()  # before decoders have threads
    options = replace(options, smooth="off")
    footage = as_footage(target)
    check_times(probe(footage), times_seconds)
    frames = frames_at(footage, times_seconds)
    try:
        # A time outside the clip, or a file that is none, is said before a model is loaded.
        first = next(frames, None)
        if first is None:
            return
        with prepared(
            source,
            options,
            model=model,
            finders=finders,
            swapper=swapper,
            device=device,
            precision=precision,
            engine=engine,
            threads=threads,
        ) as cast:
            stages = build_stages(cast, options)
            sources = tuple(crop.pixels for crop in cast.sources)
            all_frames = chain_iterables([first], frames)
            for time_seconds, frame in zip(times_seconds, all_frames, strict=True):
                yield _preview(time_seconds, frame, sources, trace(stages, frame))
    finally:
        close(frames)


def check_times(info: VideoInfo, times_seconds: Sequence[float]) -> None:
    """Raise TimeRangeError for a time that, by the clip's own claim, lies outside it."""
    if info.duration_seconds is None:
        return
    end_seconds = info.start_seconds + info.duration_seconds
    for time_seconds in times_seconds:
        if not 0 <= time_seconds <= end_seconds:
            raise TimeRangeError(
                f"{time_seconds:g} s lies outside {info.path}, which ends at {end_seconds:.3f} s"
            )


def _preview(
    time_seconds: float,
    frame: Frame,
    sources: tuple[UInt8Array, ...],
    passed: dict[type, Any],
) -> Preview:
    crops: FrameFaces[AlignedCrop] = passed[Align]
    swaps: FrameFaces[SwappedCrop] = passed[Generate]
    blended: FrameFaces[SwappedCrop] = passed[Blend]
    return Preview(
        time_seconds=time_seconds,
        sources=sources,
        target=frame,
        crops=crops.faces,
        swaps=swaps.faces,
        blended=shown_pixels(blended.frame),
    )


def trace(stages: Sequence[Stage[Any, Any]], item: Any) -> dict[type, Any]:
    """Send one item through stages and keep what came out of each, by the stage's class."""
    passed: dict[type, Any] = {}
    for stage in stages:
        (item,) = stage(iter([item]))
        passed[type(stage)] = item
    return passed
