"""Everything that can go wrong for a user, one class and one exit code each.

A ``MegafsError`` is shown to the user as one line that says what to do; anything else that
escapes is a bug. Exit code 1 is left to bugs and 2 to the command line's own usage errors.
"""

from __future__ import annotations


class MegafsError(Exception):
    """Base of every error a user can act on; its message says what failed and what to do."""

    exit_code = 1  # every error that is raised is of a class below, with a code of its own


class InputNotFoundError(MegafsError):
    """A file that was named does not exist or cannot be opened."""

    exit_code = 10


class PictureError(MegafsError):
    """A file that should be a picture is not one, or is damaged."""

    exit_code = 11


class VideoError(MegafsError):
    """A file that should be a video is not one, or is of a kind that cannot be used."""

    exit_code = 12


class NoVideoStreamError(VideoError):
    """The target has no video stream."""

    exit_code = 16


class DamagedVideoError(VideoError):
    """The target is a video, but cut off or damaged until nothing of it can be decoded."""

    exit_code = 17


class LostVideoError(VideoError):
    """The target could not be read on: it vanished, or its disk fails."""

    exit_code = 19


class SourceFaceError(MegafsError):
    """The source picture (or the reference) has no face."""

    exit_code = 13


class SeveralFacesError(SourceFaceError):
    """The source picture (or the reference) has several faces, and none of them was chosen."""

    exit_code = 18


class TargetFaceError(MegafsError):
    """No frame of the target has a face (or the face that was asked for)."""

    exit_code = 14


class TimeRangeError(MegafsError):
    """A time or a range of times lies outside the clip."""

    exit_code = 15


class OutputError(MegafsError):
    """The output has a name that cannot be used, or could not be written."""

    exit_code = 20


class OutputExistsError(OutputError):
    """The output exists already and ``--overwrite`` was not given."""

    exit_code = 22


class OutputFolderError(OutputError):
    """The output's folder is missing or not writable."""

    exit_code = 23


class DiskFullError(OutputError):
    """The disk is full; nothing is left on it but what a later run takes up."""

    exit_code = 24


class ResumeError(OutputError):
    """What an earlier run left for this output belongs to another run, or is damaged or in use."""

    exit_code = 25


class CodecError(MegafsError):
    """The codec, preset or quality is unknown or does not fit the container."""

    exit_code = 21


class WeightsError(MegafsError):
    """A model file is missing, damaged, tampered with or of another shape."""

    exit_code = 30


class OfflineError(WeightsError):
    """A model file would have to be fetched and ``--offline`` forbids it."""

    exit_code = 31


class DeviceError(MegafsError):
    """The device or precision that was asked for is not on this machine."""

    exit_code = 40


class SystemLibraryError(MegafsError):
    """A shared library of the operating system is missing."""

    exit_code = 41


class NotReadyError(MegafsError):
    """``doctor`` found something besides system libraries without which no swap can run."""

    exit_code = 42


class ConfigError(MegafsError):
    """A training configuration, log or checkpoint does not fit."""

    exit_code = 50


class InterruptedRunError(MegafsError):
    """The user stopped the run (Ctrl-C); no output was written."""

    exit_code = 130
