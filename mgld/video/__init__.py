"""Video in and out; the only place that knows a video library."""

from mgld.video.reader import Frame, Probe, probe, read_frames
from mgld.video.tools import encoders
from mgld.video.writer import VideoWriter

__all__ = ["Frame", "Probe", "VideoWriter", "encoders", "probe", "read_frames"]
