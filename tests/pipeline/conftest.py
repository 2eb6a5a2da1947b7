"""Fixtures of the pipeline's tests."""

from __future__ import annotations

import pytest

from tests.pipeline.fakes import FakeModel


@pytest.fixture
def model() -> FakeModel:
    """A model that needs no weights."""
    return FakeModel()
