"""``megafs-video evaluate video``: does a swapped clip flicker, beside the clip it came from."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from megafs_video.cli import options as words
from megafs_video.cli.fetching import fetch_files, needed
from megafs_video.cli.progress import ProgressKind, show_progress
from megafs_video.cli.swap import write_report

if TYPE_CHECKING:
    from megafs_video.evaluation.video import Encode, VideoMeasurement
    from megafs_video.pipeline.contract import FaceModel
    from megafs_video.values import Face, FloatArray, UInt8Array

PLOT_SUFFIXES = (".png", ".svg", ".pdf")


def video(
    source: words.SourceArgument,
    target: words.TargetArgument,
    swapped: Annotated[
        Path,
        typer.Argument(
            metavar="SWAPPED", help="The copy of TARGET that swap wrote.", readable=False
        ),
    ],
    json: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", readable=False, help="Write the figures as JSON."),
    ] = None,
    csv: Annotated[
        Path | None,
        typer.Option("--csv", metavar="FILE", readable=False, help="Write a line for each frame."),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            metavar="FILE",
            readable=False,
            help="Draw both clips over time: .png, .svg or .pdf.",
        ),
    ] = None,
    latents: Annotated[
        bool,
        typer.Option("--latents", help="Measure how the codes of --model change, too."),
    ] = False,
    detector: words.DetectorOption = words.Detector.SCRFD,
    start: words.StartOption = None,
    end: words.EndOption = None,
    overwrite: words.OverwriteOption = False,
    model: words.ModelOption = "mobile",
    offline: words.OfflineOption = False,
    progress: words.ProgressOption = ProgressKind.RICH,
) -> None:
    """Measure how steady a swapped face is, beside the face of the clip it was made from.

    Every frame of the largest face of TARGET is compared with the face at its place in SWAPPED.
    """
    from megafs_video.evaluation.identity import build_sface
    from megafs_video.evaluation.timelines import to_csv, to_json
    from megafs_video.evaluation.video import measure_video
    from megafs_video.faces.mesh import build_mesh
    from megafs_video.faces.scrfd import build_scrfd
    from megafs_video.faces.yunet import build_yunet
    from megafs_video.model import load_model
    from megafs_video.video.landing import check_landing
    from megafs_video.video.probe import probe
    from megafs_video.weights.fetch import ensure

    if plot is not None and plot.suffix.lower() not in PLOT_SUFFIXES:
        raise typer.BadParameter(f"--plot {plot} should end in {', '.join(PLOT_SUFFIXES)}")
    for path in filter(None, (json, csv, plot)):
        check_landing(path, overwrite=overwrite)
    num_frames = probe(target).num_frames
    probe(swapped)
    names = [detector.value, "face-mesh", "sface"]
    fetch_files(
        [*names, *(needed(model, detector.value) if latents else ())],
        offline=offline,
        progress=progress,
    )
    files = ensure(names, offline=offline)
    build_detector = build_scrfd if detector is words.Detector.SCRFD else build_yunet
    encode = codes_by(load_model(model, device="auto", offline=offline)) if latents else None
    with (
        closing(build_mesh(files["face-mesh"], with_expression=True)) as landmarker,
        show_progress(progress, title="Measuring") as show,
    ):
        found = measure_video(
            source,
            target,
            swapped,
            build_detector(files[detector.value]),
            landmarker,
            build_sface(files["sface"]),
            encode=encode,
            start_seconds=start,
            end_seconds=end,
            progress=lambda frames: show(frames, num_frames),
        )
    print_figures(found)
    if json is not None:
        write_report(json, to_json(found), overwrite=overwrite)
    if csv is not None:
        write_report(csv, to_csv(found).rstrip(), overwrite=overwrite)
    if plot is not None:
        write_plot(plot, found, overwrite=overwrite)


def codes_by(model: FaceModel) -> Encode:
    """The style codes [L, D] of a face by a model's encoder."""
    import numpy as np

    from megafs_video.geometry.templates import mesh_square
    from megafs_video.geometry.warps import warp
    from megafs_video.pixels import to_device

    def encode(pixels: UInt8Array, face: Face) -> FloatArray:
        size = model.dims.crop_size
        crop = warp(pixels, mesh_square(face.landmarks_xy).frame_to_crop(size), size)
        styles = model.encode(to_device([crop], model.device)).styles[0]
        return np.asarray(styles.float().cpu().numpy())

    return encode


def print_figures(found: VideoMeasurement) -> None:
    """A table with a row per figure: the input's own value, the copy's, and their ratio."""
    from rich.console import Console
    from rich.table import Table

    unseen = found.num_target_unfound + found.num_swapped_unfound
    table = Table(caption=f"{len(found.seconds)} frames, {unseen} without a face in one of the two")
    table.add_column("figure")
    table.add_column("unit")
    for name in ("target", "swapped", "ratio"):
        table.add_column(name, justify="right")
    for figure in found.figures:
        numbers = (f"{value:.4g}" for value in (figure.target, figure.swapped, figure.ratio))
        table.add_row(figure.name, figure.unit, *numbers)
    Console().print(table)


def write_plot(path: Path, found: VideoMeasurement, *, overwrite: bool) -> None:
    """Draw the plot whole or not at all; OutputError if it cannot be written."""
    from megafs_video.evaluation.timelines import draw_plot
    from megafs_video.video.landing import Landing, output_error

    landing = Landing(path, overwrite=overwrite)
    try:
        draw_plot(found, landing.hidden_path)
        landing.commit()
    except OSError as error:
        raise output_error(path, error) from error
    finally:
        landing.discard()
