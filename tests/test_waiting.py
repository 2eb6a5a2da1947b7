"""How threads of a network wait, and that the user has the last word."""

from __future__ import annotations

import pytest

from megafs_video.waiting import SPINS, spin_briefly


@pytest.mark.parametrize(
    ("said", "policy", "spins"),
    [
        ({}, "PASSIVE", str(SPINS)),
        ({"GOMP_SPINCOUNT": "7"}, "PASSIVE", "7"),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE", None),
    ],
)
def test_threads_spin_briefly_unless_the_user_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, said: dict[str, str], policy: str, spins: str | None
) -> None:
    environment = dict(said)
    monkeypatch.setattr("megafs_video.waiting.os.environ", environment)
    spin_briefly()
    assert environment.get("OMP_WAIT_POLICY") == policy
    assert environment.get("GOMP_SPINCOUNT") == spins
