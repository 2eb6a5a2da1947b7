"""A pipe gets the video and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from megafs_video.cli.piping import PIPE, opened_output
from megafs_video.errors import OutputError

PROGRAM = """
import os, sys
from megafs_video.cli.piping import PIPE, opened_output
with opened_output(PIPE, resume=None) as stream:
    print("a note")
    os.write(1, b"a library")
    stream.write(b"video")
print("afterwards")
"""


def test_words_go_to_stderr_and_the_video_to_stdout() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True)
    assert done.stdout.split() == [b"videoafterwards"]
    assert sorted(done.stderr.replace(b"library", b"library\n").split()) == sorted(
        b"a note a library".split()
    )


def test_a_file_is_itself() -> None:
    with opened_output(Path("out.mp4"), resume=True) as place:
        assert place == Path("out.mp4")


def test_a_pipe_cannot_be_taken_up() -> None:
    with pytest.raises(OutputError, match="leave --resume out"), opened_output(PIPE, resume=True):
        pass


def test_a_terminal_is_spared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "isatty", lambda fd: True)
    with (
        pytest.raises(OutputError, match="a video is not for a terminal"),
        opened_output(PIPE, resume=None),
    ):
        pass
