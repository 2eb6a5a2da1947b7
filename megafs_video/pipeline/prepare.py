"""Everything a swap needs before its first frame: model, finders, and the source's codes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from megafs_video.faces.contract import Detector, Landmarker, Recognizer
from megafs_video.faces.mesh import build_mesh
from megafs_video.faces.recognize import build_arcface
from megafs_video.faces.scrfd import build_scrfd
from megafs_video.faces.yunet import build_yunet
from megafs_video.pipeline.contract import FaceModel
from megafs_video.pipeline.options import SwapOptions
from megafs_video.pipeline.select import FaceChoice
from megafs_video.pipeline.source import align_source, choose_source
from megafs_video.pixels import to_device
from megafs_video.values import AlignedCrop, FloatArray, Latents, UInt8Array, check_pixels
from megafs_video.video.picture import read_picture
from megafs_video.weights.fetch import ensure
from megafs_video.weights.table import find

Source = Path | str | UInt8Array
"""A picture: a file, or pixels uint8 [H, W, 3] RGB."""

SourceMap = Mapping[str, Source] | Mapping[Path, Source]
"""Several people, each with a source: pictures of people of the target, and what each is given."""


@dataclass(frozen=True)
class Finders:
    """What finds faces in pictures."""

    detector: Detector
    landmarker: Landmarker
    recognizer: Recognizer
    hashes: Mapping[str, str] = field(default_factory=dict)  # sha256 of each weight file, by name


@dataclass(frozen=True)
class Cast:
    """Who takes part in a swap, ready to go."""

    model: FaceModel
    finders: Finders
    choice: FaceChoice  # of the target's faces
    sources: tuple[AlignedCrop, ...]  # one, or one for each person that was named
    source_latents: tuple[Latents, ...]  # N = 1 each, encoded once
    names: tuple[str, ...] = ()  # of the pictures of the people who were named


@contextmanager
def prepared(
    source: Source | SourceMap,
    options: SwapOptions,
    *,
    model: FaceModel | str | Path = "mobile",
    finders: Finders | None = None,
    swapper: str = "ftm",
    device: str = "auto",
    precision: str = "auto",
    engine: str = "torch",
    threads: int | None = None,
) -> Iterator[Cast]:
    """The cast of a swap; finders that were built here are closed at the end.

    ``swapper``, ``device``, ``precision``, ``engine`` and ``threads`` are for a model that is
    loaded by name. What is cheap to refuse is refused first: pictures are read before any model
    is loaded.
    """
    people, sources = _people(source, options)
    people_pixels, source_pixels = [*map(_pixels, people)], [*map(_pixels, sources)]
    if isinstance(model, (str, Path)):
        # Not for those who bring their own.
        from megafs_video.model import load_model

        loaded: FaceModel = load_model(
            model,
            swapper=swapper,
            device=device,
            precision=precision,
            threads=threads,
            engine=engine,
            offline=options.offline,
        )
    else:
        loaded = model
    with _finders(options) if finders is None else _kept(finders) as found:
        crops = tuple(
            align_source(
                pixels,
                found.detector,
                found.landmarker,
                source_face=options.source_face,
                crop_size=loaded.dims.crop_size,
                name=_name(each),
                may_choose=len(sources) == 1,
            )
            for each, pixels in zip(sources, source_pixels, strict=True)
        )
        identities = tuple(
            _identity(pixels, f"the picture {path} of a person to swap", found)
            for path, pixels in zip(people, people_pixels, strict=True)
        )
        choice = (
            FaceChoice("people", people=identities) if people else FaceChoice.parse(options.face)
        )
        latents = tuple(loaded.encode(to_device([crop.pixels], loaded.device)) for crop in crops)
        yield Cast(loaded, found, choice, crops, latents, tuple(map(str, people)))


def _people(source: Source | SourceMap, options: SwapOptions) -> tuple[list[Path], list[Source]]:
    """Pictures of the people to swap, none for whomever ``face`` says, and a source for each."""
    if not isinstance(source, Mapping):
        return [options.reference] if options.reference is not None else [], [source]
    if not source or options.reference is not None or options.source_face is not None:
        raise ValueError(
            "a mapping of people to sources wants at least one, and neither reference nor "
            "source_face: it says who is swapped, and each source shows one face"
        )
    return [Path(person) for person in source], list(source.values())


def _pixels(source: Source) -> UInt8Array:
    if isinstance(source, (str, Path)):
        return read_picture(Path(source))
    check_pixels("source", source)
    return source


def _name(source: Source) -> str:
    return str(source) if isinstance(source, (str, Path)) else "the source picture"


@contextmanager
def _finders(options: SwapOptions) -> Iterator[Finders]:
    """Finders as the options want them, from the cache or fetched into it."""
    paths = ensure([options.detector, "face-mesh", "arcface-mbf"], offline=options.offline)
    builders: dict[str, Callable[[Path], Detector]] = {"scrfd": build_scrfd, "yunet": build_yunet}
    landmarker = build_mesh(paths["face-mesh"])
    try:
        yield Finders(
            builders[options.detector](paths[options.detector]),
            landmarker,
            build_arcface(paths["arcface-mbf"]),
            hashes={name: find(name).sha256 for name in paths},  # ``ensure`` has compared them
        )
    finally:
        landmarker.close()


@contextmanager
def _kept(finders: Finders) -> Iterator[Finders]:
    """Finders that belong to the caller: they stay open."""
    yield finders


def _identity(pixels: UInt8Array, name: str, finders: Finders) -> FloatArray:
    """Who the one face of a picture is, [D]; SourceFaceError if there is not just one."""
    face = choose_source(
        pixels, finders.detector, finders.landmarker, source_face=None, name=name, may_choose=False
    )
    return finders.recognizer.embed(pixels, face)
