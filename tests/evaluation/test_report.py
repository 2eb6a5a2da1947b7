"""Means over pictures: what has no face counts as a failure and never as a figure."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest

from megafs_video.evaluation.portrait import Change
from megafs_video.evaluation.report import (
    JudgeScale,
    Likeness,
    PairsReport,
    PictureFigures,
    figures_csv,
    summarise,
)

HALF, WHOLE = Change(1, 1, 1, 1, 1, 1), Change(2, 2, 2, 2, 2, 2)
SEEN = PictureFigures(
    pair=0,
    source="00000.webp",
    target="00006.webp",
    picture="FTM",
    mse=0.2,
    lpips=0.4,
    likenesses=(Likeness("SFace", 0.5, 0.1, is_retrieved=True, is_below_random=False),),
    change=HALF,
)
FAILED = replace(
    SEEN,
    pair=1,
    likenesses=(Likeness("SFace", 0.1, 0.3, is_retrieved=False, is_below_random=True),),
)
UNSEEN = replace(SEEN, pair=2, mse=0.5, likenesses=(), change=None)


def test_means_are_over_faces_and_shares_over_all_pictures() -> None:
    found = summarise([SEEN, FAILED, UNSEEN], 0.01, WHOLE, ["SFace"])
    assert (found.num_pictures, found.num_without_face) == (3, 1)
    assert found.mse == pytest.approx(0.3)
    [like] = found.likenesses
    assert (like.to_source, like.to_target) == (pytest.approx(0.3), pytest.approx(0.2))
    assert like.retrieved_share == pytest.approx(1 / 3)
    assert like.failed_share == pytest.approx(2 / 3)
    assert found.change == HALF
    assert found.share_of_random == Change(0.5, 0.5, 0.5, 0.5, 0.5, 0.5)


def test_where_no_face_is_found_all_fails_and_nothing_is_claimed() -> None:
    found = summarise([UNSEEN], None, WHOLE, ["SFace"])
    [like] = found.likenesses
    assert (like.to_source, like.to_target, found.change) == (None, None, None)
    assert (like.retrieved_share, like.failed_share) == (0, 1)


def test_a_judge_answers_for_itself_alone() -> None:
    other = Likeness("EdgeFace", -0.2, 0.9, is_retrieved=False, is_below_random=True)
    both = replace(SEEN, likenesses=(*SEEN.likenesses, other))
    first, second = summarise([both], None, WHOLE, ["SFace", "EdgeFace"]).likenesses
    assert (first.to_source, second.to_source) == (0.5, -0.2)
    assert (first.failed_share, second.failed_share) == (0, 1)


def test_a_line_of_csv_is_a_picture_and_lacks_what_was_not_found() -> None:
    rows = list(csv.DictReader(io.StringIO(figures_csv([UNSEEN, SEEN]))))
    assert [row["pair"] for row in rows] == ["2", "0"]
    assert rows[1]["SFace_to_source"] == "0.5"
    assert rows[1]["change_yaw_degrees"] == "1"
    assert rows[0]["SFace_to_source"] == rows[0]["change_yaw_degrees"] == ""
    assert figures_csv([]) == ""


def test_json_and_csv_hold_the_same_figures() -> None:
    report = PairsReport(
        model="mobile",
        hashes={"encoder": "0" * 64},
        device="cpu",
        precision="float32",
        photos="photos",
        seed=0,
        size=256,
        num_pairs=2,
        num_photos=4,
        num_photos_without_face=0,
        num_unusable_pairs=0,
        kernel_features="none",
        judges=(JudgeScale("SFace", 0.9, 0.1),),
        random_change=WHOLE,
        pictures=(summarise([SEEN, FAILED], 0.01, WHOLE, ["SFace"]),),
    )
    [picture] = json.loads(report.to_json())["pictures"]
    [row] = csv.DictReader(io.StringIO(report.to_csv()))
    assert row["picture"] == picture["picture"] == "FTM"
    assert float(row["kernel_distance"]) == picture["kernel_distance"] == 0.01
    [like] = picture["likenesses"]
    assert float(row["SFace_failed_share"]) == like["failed_share"] == 0.5
    assert float(row["share_of_random_yaw_degrees"]) == picture["share_of_random"]["yaw_degrees"]
