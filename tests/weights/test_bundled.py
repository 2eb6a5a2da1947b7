"""The models we ship are found and checked."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from megafs_video.errors import WeightsError
from megafs_video.weights.bundled import bundled_path, read_sums

CONTENT = b"weights"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def models(tmp_path: Path) -> Path:
    (tmp_path / "mobile").mkdir()
    (tmp_path / "mobile" / "encoder.safetensors").write_bytes(CONTENT)
    (tmp_path / "SHA256SUMS").write_text(f"{SHA256}  mobile/encoder.safetensors\n")
    return tmp_path


def test_a_whole_file_is_found(models: Path) -> None:
    path = bundled_path("mobile/encoder.safetensors", folder=models)
    assert path.read_bytes() == CONTENT


def test_a_file_that_is_not_listed_is_refused(models: Path) -> None:
    with pytest.raises(WeightsError, match=r"does not list '\.\./secret'"):
        bundled_path("../secret", folder=models)


def test_a_missing_or_damaged_file_is_refused(models: Path) -> None:
    path = models / "mobile" / "encoder.safetensors"
    path.write_bytes(b"other")
    with pytest.raises(WeightsError, match=r"is damaged .*install megafs-video again"):
        bundled_path("mobile/encoder.safetensors", folder=models)
    path.unlink()
    with pytest.raises(WeightsError, match="is missing; install megafs-video again"):
        bundled_path("mobile/encoder.safetensors", folder=models)


def test_sums_are_read_as_sha256sum_writes_them(tmp_path: Path) -> None:
    sums = tmp_path / "SHA256SUMS"
    sums.write_text(f"{SHA256}  text name\n\n{SHA256} *binary\n")
    assert read_sums(sums) == {"text name": SHA256, "binary": SHA256}
    sums.write_text("")
    assert read_sums(sums) == {}
    sums.write_text("abc  file\n")
    with pytest.raises(WeightsError, match="a line that is no sha256 and name: 'abc  file'"):
        read_sums(sums)
    with pytest.raises(WeightsError, match="cannot be read"):
        read_sums(tmp_path / "gone")
