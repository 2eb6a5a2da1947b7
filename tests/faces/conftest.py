"""Files that tests of the real networks need, if this machine has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from megafs_video.weights.cache import is_cached, path_of

PHOTOS = Path(__file__).parents[2] / ".." / "shared" / "faces" / "photo"


def cached(name: str) -> Path:
    """The path of a model file; skips the test where it was not fetched."""
    if not is_cached(name):
        pytest.skip(f"{name} is not in the cache; run: megafs-video models fetch {name}")
    return path_of(name)


@pytest.fixture(scope="session")
def photos() -> list[Path]:
    """A few FFHQ photographs, aligned, 256 pixels; skips where the shared folder is missing."""
    found = sorted(PHOTOS.glob("*.webp"))[:400:16]
    if not found:
        pytest.skip("../shared/faces/photo is not here")
    return found
