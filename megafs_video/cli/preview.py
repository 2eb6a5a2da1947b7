"""``megafs-video preview``: single frames of a swap, before the whole clip is worth the wait."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from megafs_video.cli import media, people
from megafs_video.cli import options as words
from megafs_video.cli.fetching import fetch_missing
from megafs_video.cli.progress import ProgressKind
from megafs_video.cli.times import format_time, parse_time

DEFAULT_NAME = "preview-{time}.png"
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


def preview(
    source: words.SourceArgument,
    at: Annotated[
        list[str],
        typer.Option(
            "--at",
            metavar="TIME",
            help="A time of the clip, seconds or [[HH:]MM:]SS[.mmm]. Give it several times, or "
            "several times with commas between.",
        ),
    ],
    target: words.LastTargetArgument = None,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER|NAME",
            readable=False,
            help="A folder, or a picture's name (.png, .jpg, .webp) in which {time} stands for "
            "the time, such as 00-01-30.000.",
        ),
    ] = Path(DEFAULT_NAME),
    sheet: Annotated[
        bool,
        typer.Option(
            "--sheet",
            help="Show every step in one picture: source, target, aligned crop, swap, mask, "
            "result.",
        ),
    ] = False,
    rate: media.RateOption = None,
    overwrite: words.OverwriteOption = False,
    face: words.FaceOption = "largest",
    reference: words.ReferenceOption = None,
    map_: people.MapOption = None,
    source_face: words.SourceFaceOption = None,
    detector: words.DetectorOption = words.Detector.SCRFD,
    model: words.ModelOption = "mobile",
    swapper: words.SwapperOption = words.Swapper.FTM,
    device: words.DeviceOption = words.Device.AUTO,
    precision: words.PrecisionOption = words.Precision.AUTO,
    engine: words.EngineOption = words.Engine.TORCH,
    threads: words.ThreadsOption = None,
    offline: words.OfflineOption = False,
    quiet: words.QuietOption = False,
) -> None:
    """Swap single frames of TARGET and write one picture for each time.

    With --map, SOURCE is left out.

    A picture equals the frame that `swap --smooth off` makes at that time.
    """
    sources = people.parse_map(map_ or ())
    people.check_alone(sources, reference, source_face)
    *first, target = people.shift_files((source, target), "SOURCE TARGET", sources)
    pictures = [*first, *sources, *sources.values(), *filter(None, [reference])]
    times_seconds = parse_times(at)
    paths = picture_paths(output, times_seconds)

    from megafs_video.errors import OutputError
    from megafs_video.model import check_choices
    from megafs_video.pipeline.options import SwapOptions
    from megafs_video.pipeline.preview import check_times, preview_frames
    from megafs_video.pipeline.sheet import sheet as draw_sheet
    from megafs_video.video.landing import check_landing
    from megafs_video.video.picture import read_picture, write_picture
    from megafs_video.video.probe import probe
    from megafs_video.video.sequence import footage_at

    chosen = SwapOptions(
        detector=detector.value,
        face=face,
        reference=reference,
        source_face=source_face,
        offline=offline,
    )
    # What can be refused at once is refused before a model file is fetched.
    footage = footage_at(target, rate)
    check_times(probe(footage), times_seconds)
    for path in paths:
        check_landing(path, overwrite=overwrite)
        if any(path.resolve() == given.resolve() for given in (*pictures, target)):
            raise OutputError(f"{path} is one of the files to read; choose another name")
    for picture in pictures:
        read_picture(picture)
    kind = ProgressKind.NONE if quiet else ProgressKind.RICH
    check_choices(
        model,
        swapper=swapper.value,
        device=device.value,
        precision=precision.value,
        engine=engine.value,
    )
    fetch_missing(model, chosen.detector, offline=offline, progress=kind)
    previews = preview_frames(
        sources or first[0],
        footage,
        times_seconds,
        model=model,
        options=chosen,
        swapper=swapper.value,
        device=device.value,
        precision=precision.value,
        engine=engine.value,
        threads=threads,
    )
    for path, found in zip(paths, previews, strict=True):
        write_picture(path, draw_sheet(found) if sheet else found.blended, overwrite)
        if not quiet:
            print(path)
            if not found.swaps:
                print(f"note: no face at {found.time_seconds:g} s", file=sys.stderr)


def parse_times(texts: Sequence[str]) -> tuple[float, ...]:
    """Seconds of each time in the texts, once each, in the order given.

    >>> parse_times(["1:30", "2, 90"])
    (90.0, 2.0)
    """
    parts = [part for text in texts for part in text.split(",")]
    return tuple(dict.fromkeys(parse_time(part) for part in parts))


def picture_paths(output: Path, times_seconds: Sequence[float]) -> tuple[Path, ...]:
    """The file of each time; a usage error if two of them would share one.

    >>> picture_paths(Path("stills/{time}.jpg"), [90.0])[0].name
    '00-01-30.000.jpg'
    """
    is_folder = output.is_dir() or not output.suffix
    pattern = output / DEFAULT_NAME if is_folder else output
    if pattern.suffix.lower() not in PICTURE_SUFFIXES:
        raise typer.BadParameter(
            f"{output} is neither a folder nor a picture's name; "
            f"use one of {', '.join(PICTURE_SUFFIXES)}"
        )
    stamps = [format_time(seconds).replace(":", "-") for seconds in times_seconds]
    paths = tuple(pattern.with_name(pattern.name.replace("{time}", stamp)) for stamp in stamps)
    if len(set(paths)) < len(paths):
        raise typer.BadParameter(
            f"{output} names one picture for {len(paths)} times; "
            "put {time} into the name, or give a folder"
        )
    return paths
