"""Interlaced pictures become progressive ones: a face is drawn into one moment, not into two.

The rule: a frame that its decoder marks as interlaced is deinterlaced by FFmpeg's ``bwdif``, one
frame out per frame in, at the same time; a frame that is not marked is left alone, bit by bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import cast

import av
from av.filter import Graph


def progressive(natives: Iterator[av.VideoFrame], time_base: Fraction) -> Iterator[av.VideoFrame]:
    """As many frames as come in; a filter is set up at the first interlaced one."""
    graph: Graph | None = None
    for native in natives:
        if native.interlaced_frame and graph is None:
            graph = _deinterlacer(native, time_base)
        if graph is None:
            yield native
        else:
            graph.push(native)
            yield from _ready(graph, time_base)
    if graph is not None:
        graph.push(None)
        yield from _ready(graph, time_base)


def _deinterlacer(first: av.VideoFrame, time_base: Fraction) -> Graph:
    graph = Graph()
    source = graph.add_buffer(
        width=first.width, height=first.height, format=first.format, time_base=time_base
    )
    graph.link_nodes(
        source, graph.add("bwdif", "mode=send_frame:deint=interlaced"), graph.add("buffersink")
    ).configure()
    return graph


def _ready(graph: Graph, time_base: Fraction) -> Iterator[av.VideoFrame]:
    """Frames that the filter lets go of, back on the stream's clock: it counts halves."""
    while True:
        try:
            native = graph.vpull()
        except (av.BlockingIOError, av.EOFError):
            return
        ticks_per_count = cast(Fraction, native.time_base) / time_base
        if native.pts is not None:
            native.pts = round(native.pts * ticks_per_count)
        native.duration = round(native.duration * ticks_per_count)
        native.time_base = time_base
        yield native
