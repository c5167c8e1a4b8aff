"""Video in and out; the only place that knows a video library."""

from mgld.video.clip import Frame, Probe
from mgld.video.reader import probe, read_frames
from mgld.video.tools import encoders
from mgld.video.writer import VideoWriter

__all__ = ["Frame", "Probe", "VideoWriter", "encoders", "probe", "read_frames"]
