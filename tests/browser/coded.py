"""A clip whose grey levels say which frame and which layer is seen, and how they are read off the stage."""

from __future__ import annotations

import cv2
import numpy as np

FRAMES, LAYERS, HEIGHT, WIDTH = 30, 3, 96, 128


def coded() -> dict[str, np.ndarray]:
    """Left half: the frame number as a grey level; right half: the layer's own level."""
    layers = {}
    for layer in range(LAYERS):
        clip = np.zeros((FRAMES, HEIGHT, WIDTH, 3), np.uint8)
        for frame in range(FRAMES):
            clip[frame, :, : WIDTH // 2] = 16 + 7 * frame
            clip[frame, :, WIDTH // 2 :] = 60 + 70 * layer
        layers[f"Layer {layer}"] = clip
    return layers


def level(page, x: float, y: float = 0.2) -> int:
    """Read the stage's grey level at a share of its width and height."""
    script = """([x, y]) => { const c = document.querySelector('canvas.stage');
        return c.getContext('2d').getImageData(Math.floor(c.width * x), Math.floor(c.height * y), 1, 1).data[0]; }"""
    return page.evaluate(script, [x, y])


def go(page, frame: int) -> None:
    page.evaluate(
        "n => { const r = document.querySelector('.scrub'); r.value = n; r.dispatchEvent(new Event('input')); }", frame
    )
    page.wait_for_function(f"document.querySelector('canvas.stage')?.dataset.frame === '{frame}'")


def frame_is(page, frame: int) -> None:
    page.wait_for_function(f"document.querySelector('canvas.stage')?.dataset.frame === '{frame}'")


def saved(page, action: str) -> np.ndarray:
    """Press a button that saves a picture and return it, u8 [H,W,3]."""
    with page.expect_download() as download:
        page.click(f"[data-do={action}]")
    picture = cv2.imread(str(download.value.path()))
    assert download.value.suggested_filename.endswith(".png")
    return picture
