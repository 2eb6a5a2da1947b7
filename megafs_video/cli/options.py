"""Arguments and options that several verbs share, with the words that explain them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from megafs_video.cli.progress import ProgressKind
from megafs_video.cli.times import parse_time


class Detector(StrEnum):
    """Choices of ``--detector``."""

    SCRFD = "scrfd"
    YUNET = "yunet"


class Device(StrEnum):
    """Choices of ``--device``."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    MPS = "mps"


class Precision(StrEnum):
    """Choices of ``--precision``."""

    AUTO = "auto"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


class Swapper(StrEnum):
    """Choices of ``--swapper``: what moves the identity."""

    FTM = "ftm"
    INJECTION = "injection"
    LCR = "lcr"


class Engine(StrEnum):
    """Choices of ``--engine``."""

    TORCH = "torch"
    OPENVINO = "openvino"


def parse_face(text: str) -> str:
    """``largest``, ``all`` or a number from 0; anything else is a usage error.

    >>> parse_face("all"), parse_face("2")
    ('all', '2')
    """
    if text in ("largest", "all") or (text.isascii() and text.isdecimal()):
        return text
    raise typer.BadParameter(f"{text!r} is not a choice; use largest, all or a number from 0")


SMOOTHERS = ("savgol", "gaussian", "one-euro", "kalman")
SMOOTH_CHOICES = (
    *("off", "none", "light", "strong"),
    *SMOOTHERS,
    *(f"{name}:{strength}" for name in SMOOTHERS for strength in ("light", "strong")),
)


def parse_smooth(text: str) -> str:
    """A choice of ``--smooth``; anything else is a usage error.

    >>> parse_smooth("kalman:strong")
    'kalman:strong'
    """
    if text in SMOOTH_CHOICES:
        return text
    raise typer.BadParameter(
        f"{text!r} is not a choice; use off, light, strong, or one of {', '.join(SMOOTHERS)}, "
        "with :light or :strong behind it"
    )


# Files come with ``readable=False``: whether one can be read is for the job to say, with its own
# exit code, and not a question of how the command line was written.
SourceArgument = Annotated[
    Path,
    typer.Argument(
        metavar="SOURCE",
        help="Picture of the face to put in: sharp, from the front.",
        readable=False,
    ),
]
# With --map there is no SOURCE, and the other files move up: see ``people.shift_files``.
LastTargetArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="TARGET",
        help="Video to put the face into; it is only read.",
        readable=False,
        show_default=False,
    ),
]
TargetArgument = Annotated[
    Path,
    typer.Argument(
        metavar="TARGET",
        help="Video to put the face into (or a photograph, a folder of numbered pictures, or "
        "their pattern, such as frame-%04d.png); it is only read.",
        readable=False,
    ),
]
LastOutputArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="OUTPUT",
        help="Video to write: .mp4, .m4v, .mov, .mkv or .webm (a picture, for a photograph). It "
        "appears when it is whole. A - is Matroska on standard output, for another program.",
        readable=False,
        show_default=False,
    ),
]

FaceOption = Annotated[
    str,
    typer.Option(
        "--face",
        parser=parse_face,
        metavar="largest|all|N",
        help="Whom to swap: the largest face of the first frame that has one, every face, or "
        "person N in the order in which they come, 0 being the leftmost. The person is known "
        "again behind cuts.",
    ),
]
ReferenceOption = Annotated[
    Path | None,
    typer.Option(
        "--reference",
        metavar="IMAGE",
        readable=False,
        help="Swap only the person in this picture, in every shot; instead of --face.",
    ),
]
SourceFaceOption = Annotated[
    int | None,
    typer.Option(
        "--source-face",
        min=0,
        metavar="N",
        help="Which face of SOURCE to take, if it shows several: 0 is the leftmost.",
    ),
]
DetectorOption = Annotated[
    Detector,
    typer.Option(
        "--detector",
        help="What finds faces: scrfd (InsightFace, non-commercial) or yunet (MIT).",
    ),
]
StartOption = Annotated[
    float | None,
    typer.Option(
        "--start",
        parser=parse_time,
        metavar="TIME",
        help="Begin here: seconds or [[HH:]MM:]SS[.mmm]. Default: the first frame.",
    ),
]
EndOption = Annotated[
    float | None,
    typer.Option(
        "--end",
        parser=parse_time,
        metavar="TIME",
        help="End before this time, written as for --start. Default: the last frame.",
    ),
]
SmoothOption = Annotated[
    str,
    typer.Option(
        "--smooth",
        parser=parse_smooth,
        metavar="off|light|strong|FILTER[:light|strong]",
        help="How much to calm the new face over time. Speech and blinks are kept in all. FILTER "
        "is savgol, gaussian, one-euro (looks at no later frame) or kalman; light and strong "
        "alone mix the best of them.",
    ),
]
OverwriteOption = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Replace what exists under that name.",
    ),
]
ResumeOption = Annotated[
    bool | None,
    typer.Option(
        "--resume/--no-resume",
        help="Keep what is finished beside OUTPUT, so that the same command goes on after a crash, "
        "a power cut or Ctrl-C; or keep nothing, and forget what is there. Default: for clips of "
        "over a minute.",
    ),
]
ReportOption = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="FILE",
        readable=False,
        help="Write what happened as JSON: frames, tracks, seconds per stage, memory, model, "
        "hashes, settings.",
    ),
]
ModelOption = Annotated[
    str,
    typer.Option(
        "--model",
        metavar="NAME|FOLDER",
        help="The model: a name, or a folder with one that you trained or with the paper's "
        "published files.",
    ),
]
SwapperOption = Annotated[
    Swapper,
    typer.Option(
        "--swapper",
        help="What moves the identity: the face transfer module; ID injection, an ablation that "
        "only the paper's model has; or lcr, plain replacement of the high codes.",
    ),
]
EngineOption = Annotated[
    Engine,
    typer.Option(
        "--engine",
        help="What runs the paper's model on a CPU: openvino (an extra to install) is faster.",
    ),
]
DeviceOption = Annotated[
    Device,
    typer.Option(
        "--device",
        help="Where the networks run; auto takes a graphics card if there is one.",
    ),
]
PrecisionOption = Annotated[
    Precision,
    typer.Option(
        "--precision",
        help="Numbers the networks use; auto is right unless you compare. What makes the device "
        "slower is refused.",
    ),
]
BatchSizeOption = Annotated[
    int | None,
    typer.Option(
        "--batch-size",
        min=1,
        metavar="N",
        help="Faces that a network takes at once: more needs more memory. Default: by the device.",
    ),
]
ThreadsOption = Annotated[
    int | None,
    typer.Option(
        "--threads",
        min=1,
        metavar="N",
        help="CPU threads of the networks. Default: every core.",
    ),
]
OfflineOption = Annotated[
    bool,
    typer.Option(
        "--offline",
        help="Never fetch a model file; fail if one is missing.",
    ),
]
QuietOption = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        help="Say nothing but errors, and which files are fetched under which licence.",
    ),
]
ProgressOption = Annotated[
    ProgressKind,
    typer.Option(
        "--progress",
        help="On stderr: a bar, lines of JSON (frames, total, fps, eta_seconds), or nothing.",
    ),
]
