"""Faces of consecutive frames go through a network together; frames stay in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from megafs_video.values import FrameFaces

A = TypeVar("A")
B = TypeVar("B")


def map_faces(
    items: Iterator[FrameFaces[A]],
    batch_size: int,
    convert: Callable[[Sequence[A]], Sequence[B]],
) -> Iterator[FrameFaces[B]]:
    """Convert the faces of every frame, ``batch_size`` (at least 1) at a time.

    At most ``batch_size`` frames are held, and none at a checkpoint: a network may round by its
    batch. ``convert`` gets 1 to ``batch_size`` faces and returns as many; it is not called for
    frames without a face.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}, wanted at least 1")
    held: list[FrameFaces[A]] = []
    for item in items:
        if item.frame.checkpoint is not None:
            yield from _converted(held, batch_size, convert)
            held = []
        held.append(item)
        num_faces = sum(len(each.faces) for each in held)
        if num_faces == 0 or max(num_faces, len(held)) >= batch_size:
            yield from _converted(held, batch_size, convert)
            held = []
    yield from _converted(held, batch_size, convert)


def _converted(
    held: Sequence[FrameFaces[A]],
    batch_size: int,
    convert: Callable[[Sequence[A]], Sequence[B]],
) -> Iterator[FrameFaces[B]]:
    faces = [face for item in held for face in item.faces]
    converted: list[B] = []
    for start in range(0, len(faces), batch_size):
        converted.extend(convert(faces[start : start + batch_size]))
    assert len(converted) == len(faces)
    rest = iter(converted)
    for item in held:
        yield FrameFaces(item.frame, tuple(next(rest) for _ in item.faces))
