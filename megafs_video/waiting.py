"""How long a network's threads spin before they sleep."""

from __future__ import annotations

import os

# About a tenth of a millisecond; left alone, GNU OpenMP spins for three.
SPINS = 10_000


def spin_briefly() -> None:
    """Let threads that wait for a network's next step spin a moment, and then sleep.

    Asleep at once, they would be woken four hundred times a face, and take twice as long to read
    it; spinning on, they would take the cores from a pipeline's other threads. Heard when torch
    is imported: by GNU's OpenMP, which torch brings on Linux (others let threads sleep at once).
    What the user says of it in the environment stays.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
        os.environ.setdefault("GOMP_SPINCOUNT", str(SPINS))
