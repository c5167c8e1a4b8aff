"""The networks, on diffusers' spatial backbones (DESIGN §2)."""

from mgld.nets.cleaner import Cleaner
from mgld.nets.structure import StructureEncoder
from mgld.nets.unet import VideoUNet
from mgld.nets.vae import VideoVAE

__all__ = ["Cleaner", "StructureEncoder", "VideoUNet", "VideoVAE"]
