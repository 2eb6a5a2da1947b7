"""The table is consistent with itself."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from megafs_video.weights.table import DETECTORS, GENERATORS, TABLE, find, required_for


def test_names_and_places_in_the_cache_are_distinct() -> None:
    assert len({file.name for file in TABLE}) == len(TABLE)
    assert len({file.cache_path for file in TABLE}) == len(TABLE)
    assert len({file.sha256 for file in TABLE}) == len(TABLE)


def test_files_of_one_package_agree_on_their_archive() -> None:
    by_requirement: dict[str, set[tuple[str, int]]] = {}
    for file in TABLE:
        by_requirement.setdefault(file.requirement, set()).add((file.archive, file.download_bytes))
    assert all(len(said) == 1 for said in by_requirement.values())


def test_members_are_plain_relative_paths() -> None:
    for file in TABLE:
        parts = PurePosixPath(file.member).parts
        assert parts[0] != "/"
        assert ".." not in parts


@pytest.mark.parametrize("model_name", GENERATORS)
@pytest.mark.parametrize("detector", DETECTORS)
def test_what_a_swap_needs_is_in_the_table(model_name: str, detector: str) -> None:
    names = required_for(model_name, detector)
    assert [find(name).name for name in names] == list(names)
    assert detector in names


def test_an_unknown_model_or_detector_is_named() -> None:
    with pytest.raises(ValueError, match="model is 'huge', wanted one of mobile"):
        required_for("huge")
    with pytest.raises(ValueError, match="detector is 'eyes', wanted one of scrfd, yunet"):
        required_for(detector="eyes")
