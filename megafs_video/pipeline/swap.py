"""Swap: a whole clip, from file to file."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter
from typing import BinaryIO

import torch

from megafs_video.allocator import (
    HeapTrimmer,
    keep_freed_memory,
    old_objects_left_alone,
)
from megafs_video.errors import TargetFaceError, TimeRangeError
from megafs_video.pipeline.build import build_stages
from megafs_video.pipeline.contract import FaceModel
from megafs_video.pipeline.identity import identity_of
from megafs_video.pipeline.options import SwapOptions
from megafs_video.pipeline.prepare import Cast, Finders, Source, SourceMap, prepared
from megafs_video.pipeline.report import Progress, SwapReport, peak_memory_bytes
from megafs_video.pipeline.stage import StageClock, chain
from megafs_video.pipeline.work import Work, forget, opened_work
from megafs_video.values import FrameFaces, SwappedCrop
from megafs_video.video.probe import VideoInfo, probe
from megafs_video.video.read import ReadLog, read_frames
from megafs_video.video.sequence import Footage, as_footage
from megafs_video.video.still import StillWriter, is_still
from megafs_video.video.write import VideoWriter, Written, check_output

_DEFAULTS = SwapOptions()


@dataclass
class _Count:
    """What went by."""

    frames: int = 0
    frames_without_face: int = 0
    track_ids: set[int] = field(default_factory=set)
    source_indices: set[int] = field(default_factory=set)

    def add(self, item: FrameFaces[SwappedCrop]) -> None:
        self.frames += 1
        self.frames_without_face += not item.faces
        self.track_ids.update(face.track_id for face in item.faces)
        self.source_indices.update(face.source_index for face in item.faces)


def swap_video(
    source: Source | SourceMap,
    target: Footage | str,
    output: Path | str | BinaryIO,
    *,
    model: FaceModel | str | Path = "mobile",
    options: SwapOptions = _DEFAULTS,
    finders: Finders | None = None,
    swapper: str = "ftm",
    device: str = "auto",
    precision: str = "auto",
    engine: str = "torch",
    threads: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> SwapReport:
    """Give a face of the video ``target`` the identity of ``source``, and write ``output``.

    Frames, timestamps and sound are the target's. The output appears whole or not at all; a
    stream, such as a pipe, gets Matroska as it comes, and cannot be taken up later.
    ``source`` is a picture, or a mapping that gives several people of the target a source each:
    ``{"anna.jpg": "x.jpg", "ben.jpg": "y.jpg"}``, pictures of Anna and Ben being the keys.
    ``target`` may be a folder of numbered pictures, or a ``PictureSequence`` with a rate.
    ``model`` is a name or folder for ``load_model``, which gets ``swapper``, ``device``,
    ``precision``, ``engine`` and ``threads``, or a model that is loaded already. ``finders`` are
    loaded as the options say unless given. ``progress`` is called after every frame, in the
    caller's thread.

    If ``options.resume`` says so, or by default for more than a minute, finished pieces are kept
    in a folder beside the output, and a run that was stopped in any way, killed included, goes on
    when it is called again with the same arguments: the output is what it would have been.

    Every ``MegafsError`` is possible; whatever can be known before the first frame is swapped
    is said before it. An error that leaves something to go on with has a note that says so.
    """
    keep_freed_memory()  # before decoders have threads
    target = as_footage(target)
    output = Path(output) if isinstance(output, str) else output
    started = perf_counter()
    info = probe(target)
    check_range(info, options)
    check_output(
        output,
        like=target,
        codec=options.codec,
        quality=options.quality,
        preset=options.preset,
        overwrite=options.overwrite,
    )
    with ExitStack() as opened:
        cast = opened.enter_context(
            prepared(
                source,
                options,
                model=model,
                finders=finders,
                swapper=swapper,
                device=device,
                precision=precision,
                engine=engine,
                threads=threads,
            )
        )
        work = None
        if isinstance(output, Path) and can_be_taken_up(info, output, options):
            identity = identity_of(cast, source, target, options, swapper=swapper)
            work = opened.enter_context(opened_work(output, identity))
        elif isinstance(output, Path) and options.resume is False:
            forget(output)
        preparation_seconds = perf_counter() - started
        opened.enter_context(old_objects_left_alone())
        return _swap(cast, info, output, options, work, preparation_seconds, progress)


def _swap(
    cast: Cast,
    info: VideoInfo,
    output: Path | BinaryIO,
    options: SwapOptions,
    work: Work | None,
    preparation_seconds: float,
    progress: Callable[[Progress], None] | None,
) -> SwapReport:
    started = perf_counter()
    clock, log, trim = StageClock(), ReadLog(), HeapTrimmer()
    checkpoint = None if work is None else work.found
    count = _Count() if checkpoint is None else checkpoint.memory("count", _Count)
    earlier_frames = count.frames
    span = {"start_seconds": options.start_seconds, "end_seconds": options.end_seconds}
    total_frames = _total_frames(info, options)
    read = read_frames(info.path, **span, log=log, place=None if work is None else work.place)
    frames = read if work is None else work.marked(read, log)
    stream = chain(build_stages(cast, options), frames, clock)
    writing_seconds = 0.0
    with _writer(output, info, options, work) as writer, closing(stream):
        for item in stream:
            before_write = perf_counter()
            checkpoint = item.frame.checkpoint
            if work is not None and checkpoint is not None and not checkpoint.is_found:
                assert isinstance(writer, VideoWriter)
                checkpoint.carried("write", writer.finish_segment(item.frame))
                checkpoint.carried("count", count)
                work.save(checkpoint)
            writer.write(item.frame)
            writing_seconds += perf_counter() - before_write
            count.add(item)
            trim()
            if progress is not None:
                progress(Progress(count.frames, total_frames))
        if not count.track_ids:
            if work is not None:
                work.clear()  # another time it would be the same
            raise TargetFaceError(_no_face(info, options, cast, count.frames))
        before_finish = perf_counter()
    clock.add("write", writing_seconds + perf_counter() - before_finish)
    return SwapReport(
        frames=count.frames,
        frames_without_face=count.frames_without_face,
        tracks=len(count.track_ids),
        seconds=perf_counter() - started,
        preparation_seconds=preparation_seconds,
        seconds_per_stage=clock.seconds(),
        peak_memory_bytes=peak_memory_bytes(),
        model=cast.model.name,
        device=str(cast.model.device),
        hashes={**cast.model.hashes, **cast.finders.hashes},
        settings=asdict(options)
        | {
            "batch_size": options.faces_per_batch(cast.model.device.type),
            "precision": str(cast.model.dtype).removeprefix("torch."),
            "engine": cast.model.engine,
            "threads": torch.get_num_threads(),
        },
        notes=(
            *_earlier(earlier_frames),
            *_damage(log),
            *_unseen(cast, count.source_indices),
            *writer.notes,
        ),
        earlier_frames=earlier_frames,
    )


def can_be_taken_up(info: VideoInfo, output: Path, options: SwapOptions) -> bool:
    """Whether finished pieces are kept, so that a run that is stopped can go on."""
    if is_still(output):
        return False
    if options.resume is not None or info.duration_seconds is None:
        return options.resume is not False
    start_seconds, end_seconds = _range(info.start_seconds, info.duration_seconds, options)
    return end_seconds - start_seconds > 60.0


def _writer(
    output: Path | BinaryIO, info: VideoInfo, options: SwapOptions, work: Work | None
) -> VideoWriter | StillWriter:
    if isinstance(output, Path) and is_still(output):
        return StillWriter(output, like=info.path, overwrite=options.overwrite)
    return VideoWriter(
        output,
        like=info.path,
        codec=options.codec,
        quality=options.quality,
        preset=options.preset,
        start_seconds=options.start_seconds,
        end_seconds=options.end_seconds,
        overwrite=options.overwrite,
        work_folder=None if work is None else work.folder,
        written=work.found.memory("write", Written) if work and work.found else None,
    )


def check_range(info: VideoInfo, options: SwapOptions) -> None:
    """Raise TimeRangeError if the clip, by its own claim, ends before the range begins."""
    if options.start_seconds is None or info.duration_seconds is None:
        return
    end_seconds = info.start_seconds + info.duration_seconds
    if options.start_seconds >= end_seconds:
        raise TimeRangeError(
            f"the range starts at {options.start_seconds} s, but {info.path} ends at "
            f"{end_seconds:.3f} s; start before that"
        )


def _total_frames(info: VideoInfo, options: SwapOptions) -> int | None:
    """How many frames the range has, by the container's claims."""
    if info.num_frames is None or not info.duration_seconds:
        return info.num_frames
    start_seconds, end_seconds = _range(info.start_seconds, info.duration_seconds, options)
    share = (end_seconds - start_seconds) / info.duration_seconds
    return max(1, round(info.num_frames * min(max(share, 0.0), 1.0)))


def _range(
    start_seconds: float, duration_seconds: float, options: SwapOptions
) -> tuple[float, float]:
    """What of a clip that starts then and lasts so long is swapped."""
    clip_end = start_seconds + duration_seconds
    end = clip_end if options.end_seconds is None else min(options.end_seconds, clip_end)
    return max(options.start_seconds or 0.0, start_seconds), end


def _no_face(info: VideoInfo, options: SwapOptions, cast: Cast, num_frames: int) -> str:
    wanted, advice = "a face", "try --detector yunet, or a clip where the face is larger"
    if cast.names:
        wanted = f"the person of {' or of '.join(cast.names)}"
        advice = "use clearer pictures for --reference or --map, or --face all"
    elif options.face.isdigit():
        wanted, advice = f"face {options.face}", "count from 0 at the left, or use --face all"
    return f"none of the {num_frames} frames of {info.path} shows {wanted}; {advice}"


def _earlier(num_frames: int) -> tuple[str, ...]:
    return (f"{num_frames} frames were finished by an earlier run",) if num_frames else ()


def _unseen(cast: Cast, source_indices: set[int]) -> tuple[str, ...]:
    """Which of the people who were named never came, one sentence each."""
    missing = [name for i, name in enumerate(cast.names) if i not in source_indices]
    return tuple(f"no frame shows the person of {name}" for name in missing)


def _damage(log: ReadLog) -> tuple[str, ...]:
    """What had to be mended in the target, one sentence each."""
    where = f", the first after {log.damaged_from_seconds or 0.0:.3f} s of the clip"
    counts = {
        f"damaged packets were skipped{where}": log.num_damaged_packets,
        "frames were damaged in part": log.num_concealed_frames,
        "frames had no usable time of their own": log.num_repaired_times,
        "frames were interlaced; they were made progressive": log.num_deinterlaced_frames,
    }
    return tuple(f"{number} {what}" for what, number in counts.items() if number)
