"""Still pictures in other colours than sRGB → sRGB: print (CMYK), LAB, and RGB with a profile of its own."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageCms, ImageOps

from mgld.video import refusals

PLAIN = {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "I", "F"}  # read as they are
SRGB = ImageCms.createProfile("sRGB")
# Pillow converts these itself where no profile says how.
BY_FORMULA = {"CMYK", "YCbCr", "HSV"}


def to_srgb(image: Image.Image, path: object) -> np.ndarray | None:
    """Return u8 [H,W,3 or 4], upright; None if the picture is plain already; raise UserError if it cannot be converted."""
    profile = _profile(image)
    if profile is None and (image.mode in PLAIN or image.mode.startswith("I;")):
        return None
    if profile is None and image.mode not in BY_FORMULA:
        raise refusals.picture_colours(path, image.mode)
    image = ImageOps.exif_transpose(image)
    if profile is None:
        return np.asarray(image.convert("RGB"))
    alpha = np.asarray(image.getchannel("A"))[..., None] if image.mode == "RGBA" else None
    try:
        image = image.convert("RGB") if image.mode == "RGBA" else image
        rgb = np.asarray(ImageCms.profileToProfile(image, profile, SRGB, outputMode="RGB"))
    except ImageCms.PyCMSError as error:
        if image.mode == "RGB":  # a profile that is broken is worth less than none
            return None
        raise refusals.picture_colours(path, image.mode) from error
    return rgb if alpha is None else np.concatenate([rgb, alpha], axis=-1)


def _profile(image: Image.Image) -> ImageCms.ImageCmsProfile | None:
    """Return the profile that tells how to convert the picture, if it is needed and there is one."""
    if image.mode == "LAB":
        return ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    stated = image.info.get("icc_profile")
    if not stated or image.mode not in ("RGB", "RGBA", "CMYK"):
        return None
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(stated))
        name = ImageCms.getProfileDescription(profile)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
    return None if "srgb" in name.lower() else profile
