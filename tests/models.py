"""The real default model in tests: skipped only where the repository does not have it yet."""

from __future__ import annotations

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
EXAMPLES = REPOSITORY / "examples"
SOURCE, TARGET = EXAMPLES / "source.jpg", EXAMPLES / "target.mp4"

needs_model = pytest.mark.skipif(
    not (REPOSITORY / "models" / "SHA256SUMS").is_file(),
    reason="models/SHA256SUMS is not here: this checkout ships no trained weights",
)
"""Once the weights are listed, whatever is wrong with them fails the test."""
