"""Pairs of photographs, whom they show, and what a judge's cosine means among them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from megafs_video.errors import PictureError, SourceFaceError
from megafs_video.evaluation.identity import is_retrieved
from megafs_video.evaluation.portrait import (
    Change,
    Portrait,
    change_between,
    mean_change,
)
from megafs_video.evaluation.report import JudgeScale, Likeness
from megafs_video.faces.framing import shrink
from megafs_video.values import FloatArray, UInt8Array
from megafs_video.video.picture import read_picture

Pair = tuple[Path, Path]
"""Source and target."""
Examine = Callable[[UInt8Array], Portrait | None]
"""Looks at the face of a picture; None where there is none."""


def choose_pairs(paths: Sequence[Path], num_pairs: int, seed: int) -> tuple[Pair, ...]:
    """Sources and targets by the seed and the file names alone, on every machine the same.

    No picture is twice a source or twice a target, and none meets itself; where there are
    2 N pictures or more, no source is a target of another pair either. ValueError unless
    1 <= num_pairs < len(paths).
    """
    if not 1 <= num_pairs < len(paths):
        raise ValueError(f"num_pairs is {num_pairs}, wanted 1 to {len(paths) - 1}")

    def place(path: Path) -> bytes:
        return hashlib.sha256(f"{seed} {path.name}".encode()).digest()

    shuffled = sorted(paths, key=place)
    targets = shuffled[num_pairs:] + shuffled[:num_pairs]
    return tuple(zip(shuffled[:num_pairs], targets, strict=False))


def read_photo(path: Path, size: int) -> UInt8Array:
    """A square photograph averaged down to [size, size, 3]; PictureError for any other."""
    pixels = read_picture(path)
    height, width = pixels.shape[:2]
    if height != width or width < size:
        raise PictureError(
            f"{path} is {width}x{height} pixels, wanted a square of {size} or more; "
            "give FFHQ-aligned faces"
        )
    return shrink(pixels, size)[0]


def other_view(pixels: UInt8Array) -> UInt8Array:
    """The same photograph, mirrored and at half its size: as near as one picture has a second."""
    return shrink(np.ascontiguousarray(pixels[:, ::-1]), max(pixels.shape[:2]) // 2)[0]


@dataclass(frozen=True, eq=False)
class Gallery:
    """The photographs of all pairs in which both faces were found, and the scales they set."""

    pairs: tuple[Pair, ...]
    portraits: Mapping[Path, Portrait]
    sources: Mapping[str, FloatArray]  # [N, D] identities in the order of pairs, by judge
    judges: tuple[JudgeScale, ...]
    random_change: Change  # mean over the pairs
    num_photos_without_face: int

    def likenesses(
        self, index: int, portrait: Portrait, *, shows_source: bool
    ) -> tuple[Likeness, ...]:
        """Whose face a picture of pair ``index`` shows, by every judge.

        ``shows_source``: whether it should show the source's face, or else the target's.
        """
        source, target = (self.portraits[path].identities for path in self.pairs[index])
        found = []
        for scale in self.judges:
            judge, identity = scale.judge, portrait.identities[scale.judge]
            to_source = float(identity @ source[judge])
            to_target = float(identity @ target[judge])
            found.append(
                Likeness(
                    judge=judge,
                    to_source=to_source,
                    to_target=to_target,
                    is_retrieved=is_retrieved(identity, index, self.sources[judge], target[judge]),
                    is_below_random=(to_source if shows_source else to_target) < scale.random,
                )
            )
        return tuple(found)


def hang_gallery(
    pairs: Sequence[Pair], size: int, examine: Examine, progress: Callable[[int], None]
) -> Gallery:
    """Look at every photograph once, at ``size`` pixels; ``progress`` is told how many so far.

    PictureError as ``read_photo``; SourceFaceError if no pair has a face in both photographs.
    """
    portraits: dict[Path, Portrait] = {}
    views: list[tuple[Portrait, Portrait]] = []
    sources = {source for source, _ in pairs}
    paths = list(dict.fromkeys(path for pair in pairs for path in pair))
    for index, path in enumerate(paths):
        pixels = read_photo(path, size)
        portrait = examine(pixels)
        if portrait is not None:
            portraits[path] = portrait
            view = examine(other_view(pixels)) if path in sources else None
            if view is not None:
                views.append((portrait, view))
        progress(index + 1)
    usable = tuple(pair for pair in pairs if all(path in portraits for path in pair))
    if not usable:
        raise SourceFaceError(
            f"no pair of {paths[0].parent} has a face in both pictures; give FFHQ-aligned faces"
        )
    strangers = [(portraits[source], portraits[target]) for source, target in usable]
    random_change = mean_change([change_between(*pair) for pair in strangers])
    assert random_change is not None
    names = list(strangers[0][0].identities)
    return Gallery(
        pairs=usable,
        portraits=portraits,
        sources={
            name: np.stack([source.identities[name] for source, _ in strangers]) for name in names
        },
        judges=tuple(
            JudgeScale(
                judge=name,
                genuine=_mean_cosine(views, name) if views else None,
                random=_mean_cosine(strangers, name),
            )
            for name in names
        ),
        random_change=random_change,
        num_photos_without_face=len(paths) - len(portraits),
    )


def _mean_cosine(pairs: Sequence[tuple[Portrait, Portrait]], judge: str) -> float:
    """Mean cosine of the two identities of each pair by one judge."""
    cosines = [first.identities[judge] @ second.identities[judge] for first, second in pairs]
    return float(np.mean(cosines))
