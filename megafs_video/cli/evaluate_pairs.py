"""``megafs-video evaluate pairs``: how well a model swaps photographs that it never saw."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from megafs_video.cli import options as words
from megafs_video.cli.fetching import fetch_files
from megafs_video.cli.progress import ProgressKind, show_progress
from megafs_video.cli.swap import write_report

if TYPE_CHECKING:
    from rich.table import Table

    from megafs_video.evaluation.pairs import Measurement
    from megafs_video.evaluation.portrait import Change
    from megafs_video.evaluation.report import PairsReport

OUTPUT_NAMES = ("report.json", "table.csv", "pairs.csv", "sheet.png")


def pairs(
    photos: Annotated[
        Path,
        typer.Option(
            "--photos",
            metavar="DIR",
            help="Folder of FFHQ-aligned square photographs of at least 256 px.",
        ),
    ],
    num_pairs: Annotated[
        int, typer.Option("--pairs", min=1, metavar="N", help="Pairs of source and target.")
    ] = 500,
    seed: Annotated[
        int, typer.Option("--seed", metavar="S", help="Another seed draws other pairs.")
    ] = 0,
    every_photo: Annotated[
        bool,
        typer.Option(
            "--every-photo",
            help="Take every photograph, of a folder that training never saw; otherwise only "
            "every sixth number, which training leaves out.",
        ),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            metavar="FOLDER",
            readable=False,
            help="Write report.json, table.csv, pairs.csv (a line for each picture) and "
            "sheet.png (the first pairs) into this folder.",
        ),
    ] = None,
    overwrite: words.OverwriteOption = False,
    model: words.ModelOption = "mobile",
    device: words.DeviceOption = words.Device.AUTO,
    precision: words.PrecisionOption = words.Precision.AUTO,
    engine: words.EngineOption = words.Engine.TORCH,
    threads: words.ThreadsOption = None,
    offline: words.OfflineOption = False,
    progress: words.ProgressOption = ProgressKind.RICH,
) -> None:
    """Swap pairs of photographs and measure identity, pose, expression and picture.

    Beside the swap (FTM) stand the untouched target, its reconstruction, and plain code
    replacement (LCR). Judges are networks that no training saw. A face that is not found counts
    as a failure.
    """
    from megafs_video.evaluation.pairs import evaluate_pairs
    from megafs_video.evaluation.portrait import EXAMINER_FILES, open_examiner
    from megafs_video.model import check_choices, load_model
    from megafs_video.parts import build_lpips
    from megafs_video.training.faces import list_faces
    from megafs_video.weights.fetch import ensure
    from megafs_video.weights.table import GENERATORS

    paths = list_faces(photos, validation=None if every_photo else True)
    if num_pairs >= len(paths):
        raise typer.BadParameter(
            f"--pairs {num_pairs} needs {num_pairs + 1} photographs and {photos} has {len(paths)} "
            "to use; ask for fewer pairs, or for --every-photo if training never saw them"
        )
    if output is not None:
        check_folder(output, overwrite=overwrite)
    check_choices(model, device=device.value, precision=precision.value, engine=engine.value)
    heard = ("arcface-mbf", "landmarks-106")
    needed = [*GENERATORS["mobile"], *heard, "lpips-alex", *EXAMINER_FILES]
    fetch_files(needed, offline=offline, progress=progress)
    loaded = load_model(
        model,
        device=device.value,
        precision=precision.value,
        threads=threads,
        engine=engine.value,
        offline=offline,
    )
    lpips = build_lpips(ensure(["lpips-alex"], offline=offline)["lpips-alex"]).to(loaded.device)
    with (
        open_examiner(offline=offline) as examine,
        show_progress(progress, title="Measuring") as show,
    ):
        found = evaluate_pairs(
            paths, loaded, lpips, examine, num_pairs=num_pairs, seed=seed, progress=show
        )
    print_report(found.report)
    if output is not None:
        write_measurement(output, found, overwrite=overwrite)
        print(f"wrote {', '.join(OUTPUT_NAMES)} into {output}", file=sys.stderr)


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Make the folder and refuse what could not be written in the end; OutputError."""
    from megafs_video.video.landing import check_landing, output_error

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(folder, error) from error
    for name in OUTPUT_NAMES:
        check_landing(folder / name, overwrite=overwrite)


def write_measurement(folder: Path, found: Measurement, *, overwrite: bool) -> None:
    """Write OUTPUT_NAMES; OutputError if one cannot be written."""
    from megafs_video.evaluation.report import figures_csv
    from megafs_video.video.picture import write_picture

    report, table, each, sheet = (folder / name for name in OUTPUT_NAMES)
    write_report(report, found.report.to_json(), overwrite=overwrite)
    write_report(table, found.report.to_csv(), overwrite=overwrite)
    write_report(each, figures_csv(found.figures), overwrite=overwrite)
    write_picture(sheet, found.sheet, overwrite)


def print_report(report: PairsReport) -> None:
    """Print three tables (identity, what was kept, the picture) and what they rest on."""
    from rich.console import Console

    # A pipe has no width of its own, and rich would assume a narrow one.
    console = Console(width=None if sys.stdout.isatty() else 110, highlight=False)
    for table in (identity_table(report), kept_table(report), picture_table(report)):
        console.print(table)
    console.print(
        f"{report.num_pairs} pairs (seed {report.seed}) of {report.num_photos} photographs; "
        f"{report.num_photos_without_face} photographs without a face, so "
        f"{report.num_unusable_pairs} pairs not measured. Model {report.model} in "
        f"{report.precision} on {report.device}.",
        markup=False,
    )


def identity_table(report: PairsReport) -> Table:
    """Whose face it is, a picture and a judge in each row."""
    num_faces = report.num_pairs - report.num_unusable_pairs + 1  # every source, and the target
    table = new_table(
        "Identity: mean cosine",
        ("picture", "judge", "to source", "to target", f"top-1 of {num_faces}", "failed"),
    )
    for picture in report.pictures:
        for like in picture.likenesses:
            table.add_row(
                picture.picture,
                like.judge,
                number(like.to_source),
                number(like.to_target),
                f"{like.retrieved_share:.1%}",
                f"{like.failed_share:.1%}",
            )
    scales = "; ".join(
        f"{scale.judge}: strangers {number(scale.random)}, same photograph mirrored at half its "
        f"size {number(scale.genuine)}"
        for scale in report.judges
    )
    table.caption = (
        f"{scales}. Top-1: nearest to its source, of all sources and its target. Failed: no face "
        "found, or no nearer than strangers to whom the picture should show (the source in LCR "
        "and FTM, else the target)."
    )
    return table


def kept_table(report: PairsReport) -> Table:
    """How far pose and expression moved from the target."""
    table = new_table(
        "Moved from the target: mean, and share of two strangers",
        ("picture", "turn °", "yaw °", "pitch °", "roll °", "3DMM", "blendshapes"),
    )
    for picture in report.pictures:
        table.add_row(picture.picture, *change_cells(picture.change, picture.share_of_random))
    whole = report.random_change.share_of(report.random_change)
    table.add_row("two strangers", *change_cells(report.random_change, whole))
    table.caption = (
        "turn: of the whole head (MediaPipe); 3DMM: distance of 3DDFA_V2's 10 expression "
        "coefficients, in standard deviations of its training set; blendshapes: distance of "
        "MediaPipe's 52."
    )
    return table


def picture_table(report: PairsReport) -> Table:
    """How near the picture is to the target's, and to photographs."""
    table = new_table(
        f"Picture, at {report.size} px",
        ("picture", "MSE to target", "LPIPS to target", "KID x 1000", "no face found"),
    )
    for picture in report.pictures:
        distance = picture.kernel_distance
        table.add_row(
            picture.picture,
            f"{picture.mse:.4f}",
            f"{picture.lpips:.4f}",
            "-" if distance is None else f"{1000 * distance:.2f}",
            f"{picture.num_without_face} of {picture.num_pictures}",
        )
    table.caption = (
        "MSE on [-1, 1]; LPIPS on AlexNet; KID to the sources' photographs over "
        f"{report.kernel_features}: not Inception's, so only to be compared with itself."
    )
    return table


def new_table(title: str, columns: tuple[str, ...]) -> Table:
    """An empty table, words to the left and numbers to the right."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title=title, title_justify="left", caption_justify="left", box=SIMPLE_HEAD)
    for column in columns:
        justify = "left" if column in ("picture", "judge") else "right"
        table.add_column(column, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    return table


def change_cells(change: Change | None, share: Change | None) -> list[str]:
    """Every figure with its share of strangers', or a dash where no face was found."""
    from dataclasses import astuple

    if change is None or share is None:
        return ["-"] * 6
    pairs = zip(astuple(change), astuple(share), strict=True)
    return [f"{figure:.2f} {part:4.0%}" for figure, part in pairs]


def number(value: float | None) -> str:
    """A cosine with three digits, or a dash."""
    return "-" if value is None else f"{value:.3f}"
