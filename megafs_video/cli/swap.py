"""``megafs-video swap``: a whole clip, from file to file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import typer

from megafs_video.cli import media, people
from megafs_video.cli import options as words
from megafs_video.cli.fetching import announce_json, announce_line, fetch_missing
from megafs_video.cli.piping import opened_output
from megafs_video.cli.progress import ProgressKind, show_progress

if TYPE_CHECKING:
    from megafs_video.pipeline.options import SwapOptions
    from megafs_video.pipeline.report import SwapReport
    from megafs_video.video.sequence import Footage


def swap(
    source: words.SourceArgument,
    target: words.TargetArgument,
    output: words.LastOutputArgument = None,
    face: words.FaceOption = "largest",
    reference: words.ReferenceOption = None,
    map_: people.MapOption = None,
    source_face: words.SourceFaceOption = None,
    detector: words.DetectorOption = words.Detector.SCRFD,
    start: words.StartOption = None,
    end: words.EndOption = None,
    rate: media.RateOption = None,
    max_gap: people.MaxGapOption = "0.3",
    smooth: words.SmoothOption = "light",
    codec: media.CodecOption = "auto",
    quality: media.QualityOption = None,
    lossless: media.LosslessOption = False,
    preset: media.PresetOption = None,
    overwrite: words.OverwriteOption = False,
    resume: words.ResumeOption = None,
    report: words.ReportOption = None,
    model: words.ModelOption = "mobile",
    swapper: words.SwapperOption = words.Swapper.FTM,
    device: words.DeviceOption = words.Device.AUTO,
    precision: words.PrecisionOption = words.Precision.AUTO,
    engine: words.EngineOption = words.Engine.TORCH,
    batch_size: words.BatchSizeOption = None,
    threads: words.ThreadsOption = None,
    offline: words.OfflineOption = False,
    quiet: words.QuietOption = False,
    progress: words.ProgressOption = ProgressKind.RICH,
) -> None:
    """Put the face of SOURCE into the video TARGET.

    OUTPUT keeps the sound, the timing and everything around the face. Use pictures of people who
    agreed, or of people who do not exist. With --map, SOURCE is left out.
    """
    from megafs_video.model import check_choices

    sources = people.parse_map(map_ or ())
    people.check_alone(sources, reference, source_face)
    *first, target, output = people.shift_files(
        (source, target, output), "SOURCE TARGET OUTPUT", sources
    )
    max_gap_seconds = people.parse_gap(max_gap)

    from megafs_video.pipeline.options import SwapOptions
    from megafs_video.pipeline.swap import swap_video
    from megafs_video.video.sequence import footage_at

    if lossless and quality is not None:
        raise typer.BadParameter("--lossless and --quality exclude each other; leave one out")
    chosen = SwapOptions(
        detector=detector.value,
        face=face,
        reference=reference,
        source_face=source_face,
        smooth=smooth,
        start_seconds=start,
        end_seconds=end,
        codec=codec,
        quality="lossless" if lossless else quality,
        preset=preset,
        batch_size=batch_size,
        overwrite=overwrite,
        resume=resume,
        offline=offline,
        max_gap_seconds=max_gap_seconds,
    )
    pictures = [*first, *sources, *sources.values(), *filter(None, [reference])]
    kind = ProgressKind.NONE if quiet else progress
    footage = footage_at(target, rate)
    with opened_output(output, resume=resume) as place:
        check_files(pictures, footage, place, report, chosen)
        check_choices(
            model,
            swapper=swapper.value,
            device=device.value,
            precision=precision.value,
            engine=engine.value,
        )
        fetch_missing(model, chosen.detector, offline=offline, progress=kind)
        with show_progress(kind, title="Swapping") as show:
            found = swap_video(
                sources or first[0],
                footage,
                place,
                model=model,
                options=chosen,
                swapper=swapper.value,
                device=device.value,
                precision=precision.value,
                engine=engine.value,
                threads=threads,
                progress=lambda now: show(now.frames, now.total_frames),
            )
        if report is not None:
            write_report(report, found.to_json(), overwrite=overwrite)
        if not quiet:
            say = announce_json if kind is ProgressKind.JSON else announce_line
            for note in found.notes:
                say(f"note: {note}")
            print(summary(output, found))


def check_files(
    pictures: Sequence[Path],
    target: Footage,
    output: Path | BinaryIO,
    report: Path | None,
    chosen: SwapOptions,
) -> None:
    """Refuse what can be refused before a model file is fetched: ``swap_video`` would come later.

    Errors are those of ``swap_video``; OutputError also for the report.
    """
    from megafs_video.pipeline.swap import check_range
    from megafs_video.video.landing import check_landing
    from megafs_video.video.picture import read_picture
    from megafs_video.video.probe import probe
    from megafs_video.video.sequence import file_of
    from megafs_video.video.write import check_output

    check_range(probe(target), chosen)

    check_output(
        output,
        like=target,
        codec=chosen.codec,
        quality=chosen.quality,
        preset=chosen.preset,
        overwrite=chosen.overwrite,
    )
    for picture in pictures:
        read_picture(picture)
    if report is not None:
        files = (*pictures, file_of(target), output)
        taken = {path.resolve() for path in files if isinstance(path, Path)}
        if report.resolve() in taken:
            raise typer.BadParameter(f"--report {report} is one of the other files; name another")
        check_landing(report, overwrite=chosen.overwrite)


def write_report(path: Path, text: str, *, overwrite: bool) -> None:
    """Write the report whole or not at all; OutputError if it cannot be written."""
    from megafs_video.video.landing import Landing, output_error

    landing = Landing(path, overwrite=overwrite)
    try:
        landing.hidden_path.write_text(text + "\n", encoding="utf-8")
        landing.commit()
    except OSError as error:
        raise output_error(path, error) from error
    finally:
        landing.discard()


def summary(output: Path, found: SwapReport) -> str:
    """One line on what was done."""
    faceless = found.frames_without_face
    without = f", {faceless} of them without a face" if faceless else ""
    return (
        f"{output}: {found.frames} frames{without}, "
        f"{found.seconds:.1f} s, {found.frames_per_second:.2f} frames per second"
    )
