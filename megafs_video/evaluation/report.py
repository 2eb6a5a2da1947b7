"""What was measured on pairs of faces: each picture of each pair, and the means of them all."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from megafs_video.evaluation.portrait import Change, mean_change


@dataclass(frozen=True)
class Likeness:
    """Whose face a picture shows, by one judge."""

    judge: str
    to_source: float  # cosine
    to_target: float  # cosine
    is_retrieved: bool  # the source is nearest among all sources and the target
    is_below_random: bool  # no nearer to whom it should show than strangers are on average


@dataclass(frozen=True)
class PictureFigures:
    """One picture of one pair; without a face it has neither likenesses nor a change."""

    pair: int  # from 0, among those that can be measured
    source: str  # file names
    target: str
    picture: str  # "untouched target", "reconstruction", "LCR" or "FTM"
    mse: float  # to the target, on [-1, 1], at the size of the encoder's crop
    lpips: float  # to the target, AlexNet
    likenesses: tuple[Likeness, ...]
    change: Change | None  # from the target

    @property
    def has_face(self) -> bool:
        """Whether a face was found in it."""
        return self.change is not None


@dataclass(frozen=True)
class JudgeScale:
    """What a cosine of one judge means."""

    judge: str
    genuine: float | None  # mean over sources and the same photograph mirrored, at half its size
    random: float  # mean over the source and the target of every pair: strangers


@dataclass(frozen=True)
class LikenessSummary:
    """Means over pairs by one judge. A picture without a face counts in the shares."""

    judge: str
    to_source: float | None  # None: no face was found in any picture
    to_target: float | None
    retrieved_share: float
    failed_share: float  # no face found, or below random


@dataclass(frozen=True)
class PictureSummary:
    """One row of the table."""

    picture: str
    num_pictures: int
    num_without_face: int
    mse: float
    lpips: float
    kernel_distance: float | None  # to the sources' photographs; None of a single pair
    likenesses: tuple[LikenessSummary, ...]
    change: Change | None  # mean over pictures with a face
    share_of_random: Change | None  # the same, each figure divided by that of strangers


@dataclass(frozen=True)
class PairsReport:
    """The yardstick's answer, with all that is needed to measure it again."""

    model: str
    hashes: Mapping[str, str]  # sha256 of the model's files
    device: str  # "cpu", "cuda", …
    precision: str  # "float32", …
    photos: str  # the folder
    seed: int
    size: int  # side of the pictures that were judged, pixels
    num_pairs: int
    num_photos: int  # different photographs in the pairs
    num_photos_without_face: int
    num_unusable_pairs: int  # with such a photograph: not in any figure
    kernel_features: str  # whose features the kernel distance compares
    judges: tuple[JudgeScale, ...]
    random_change: Change  # mean over the source and the target of every pair: strangers
    pictures: tuple[PictureSummary, ...]

    def to_json(self) -> str:
        """All of it, indented."""
        return json.dumps(asdict(self), indent=2, allow_nan=False)

    def to_csv(self) -> str:
        """The table, one picture a line."""
        return _to_csv(flat(asdict(picture)) for picture in self.pictures)


def summarise(
    figures: Sequence[PictureFigures],
    kernel_distance: float | None,
    random_change: Change,
    judges: Sequence[str],
) -> PictureSummary:
    """Means over one picture of every pair; at least one."""
    change = mean_change([one.change for one in figures if one.change is not None])
    return PictureSummary(
        picture=figures[0].picture,
        num_pictures=len(figures),
        num_without_face=sum(not one.has_face for one in figures),
        mse=float(np.mean([one.mse for one in figures])),
        lpips=float(np.mean([one.lpips for one in figures])),
        kernel_distance=kernel_distance,
        likenesses=tuple(_summarise_judge(figures, judge) for judge in judges),
        change=change,
        share_of_random=None if change is None else change.share_of(random_change),
    )


def figures_csv(figures: Iterable[PictureFigures]) -> str:
    """Every picture of every pair, one a line; what a picture without a face lacks is empty."""
    return _to_csv(flat(asdict(one)) for one in figures)


def flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, object]:
    """Nested figures as one level; what belongs to a judge carries its name.

    >>> flat({"mse": 0.5, "likenesses": [{"judge": "SFace", "to_source": 0.3}]})
    {'mse': 0.5, 'SFace_to_source': 0.3}
    """
    found: dict[str, object] = {}
    for name, part in value.items():
        if name == "likenesses":
            for likeness in part:
                judged = {key: one for key, one in likeness.items() if key != "judge"}
                found |= flat(judged, f"{prefix}{likeness['judge']}_")
        elif isinstance(part, Mapping):
            found |= flat(part, f"{prefix}{name}_")
        else:
            found[prefix + name] = part
    return found


def _summarise_judge(figures: Sequence[PictureFigures], judge: str) -> LikenessSummary:
    found = [like for one in figures for like in one.likenesses if like.judge == judge]
    num_good = sum(not like.is_below_random for like in found)
    return LikenessSummary(
        judge,
        float(np.mean([like.to_source for like in found])) if found else None,
        float(np.mean([like.to_target for like in found])) if found else None,
        sum(like.is_retrieved for like in found) / len(figures),
        1 - num_good / len(figures),
    )


def _to_csv(rows: Iterable[Mapping[str, object]]) -> str:
    """Lines under one heading, the last unended: columns of the fullest row, None an empty cell."""
    rows = list(rows)
    text = io.StringIO()
    columns = max(rows, key=len).keys() if rows else ()
    writer = csv.DictWriter(text, columns, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().rstrip("\n")
