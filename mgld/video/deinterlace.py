"""Interlaced frames → whole ones, one for one (bwdif)."""

from __future__ import annotations

from collections.abc import Iterator

import av
from av.filter import Graph

FILTER, OPTIONS = "bwdif", "mode=send_frame:parity=auto:deint=all"


def whole_frames(frames: Iterator[av.VideoFrame], stream: av.video.stream.VideoStream) -> Iterator[av.VideoFrame]:
    """Yield as many frames as come in, at their times, with the lines of the other field interpolated."""
    made = None
    for frame in frames:
        made = made or _graph(frame, stream)
        graph, source = made
        source.push(frame)
        yield from _ready(graph)
    if made is not None:
        source.push(None)
        yield from _ready(graph)


def _graph(frame: av.VideoFrame, stream: av.video.stream.VideoStream) -> tuple[Graph, av.filter.context.FilterContext]:
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base or stream.time_base
    )
    bob, sink = graph.add(FILTER, OPTIONS), graph.add("buffersink")
    source.link_to(bob)
    bob.link_to(sink)
    graph.configure()
    return graph, source


def _ready(graph: Graph) -> Iterator[av.VideoFrame]:
    while True:
        try:
            yield graph.pull()
        except (av.BlockingIOError, av.EOFError):
            return
