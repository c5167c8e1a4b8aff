"""Every word of the page, in one place."""

from __future__ import annotations

from mgld.settings import METHODS

TITLE = "MGLD Studio"
INTRO = (
    "# MGLD Studio\n"
    "Diffusion makes a low-quality clip sharp, but frame by frame it flickers. Motion guidance pulls neighbouring frames together "
    "along their measured motion. Drag the divider, step the frames, and read the flicker in the profile."
)
CLIP = "Low-quality clip"
TRUTH = "Ground truth (optional, four times the size)"
METHODS_LABEL = "Methods"
PRESETS = "Preset"
ADVANCED = "Advanced"
PREVIEW = "While it works"
RUN = "Upscale and compare"
CANCEL = "Cancel"
ABLATE = "Run all four (Table 3)"
FRAMES = "Clip length (frames)"
FRAMES_HELP = "How many frames are processed."
START = "Start (s)"
START_HELP = "Where in the clip to begin."
START_ALLOWED = "0 or more"
EXAMPLES = "Example clips"
READY = "A finished example is shown. Choose a clip, then press “Upscale and compare”."
EMPTY = "Choose a clip, then press “Upscale and compare”."
LOADING = "Loading the model …"
MEASURING = "Measuring flicker and sharpness, writing the files …"
CANCELLED = "Cancelled."
FAILED = "That did not work; the message says why."
NO_CLIP = "Choose a clip first."
NO_METHOD = "Choose at least one method."
DONE = "{frames} frames in {seconds:.0f} s on {device}."
WORKING = "{method}: frame {done:.1f} of {total:.0f}, about {left:.0f} s left"
PLAN = "{frames} frames, {width}×{height} → {out_width}×{out_height}, {segments} per method. {estimate}"
PLAN_SEGMENTS = ("1 segment", "{} segments")
PLAN_ESTIMATE = "About {seconds:.0f} s and {gigabytes:.1f} GB."
PLAN_UNKNOWN = "This machine's speed is still being measured."
PLAN_NONE = ""
FILES = "Take away"
TABLE = "### Flicker and sharpness\n"
TABLE_NOTE = (
    "\n\nWarping error: how far each frame is from its neighbour moved along the motion, 0–255, lower is steadier. Blur lowers "
    "it too, so read it beside sharpness. Bold: the best of the results; input and ground truth do not compete. "
    "Motion: measured once for all, on “{clip}”, by {flow}, not by the network that guided."
)
PROFILE_TITLE = "Temporal profile"
CURVES_TITLE = "Flicker and sharpness, frame by frame"
SETTINGS_TITLE = "Settings, versions, timings"
WARPING_ERROR = "warping error ↓"
SHARPNESS = "sharpness ↑"
BORDER_RATIO = "error at borders ÷ inside ↓"
PSNR = "PSNR (dB) ↑"
SSIM = "SSIM ↑"
SECONDS = "seconds"
LAYERS = {**METHODS, "bicubic": "Input (bicubic)", "per_frame": "Per-frame (StableSR)", "mgld": "MGLD"}
LAYERS |= {"per_frame+mds": "+ guided sampling", "per_frame+tsd": "+ temporal decoder", "truth": "Ground truth"}


def best(figure: str) -> str:
    """Mark the best number of a column."""
    return f"**{figure}**"


def figure(value: float | None) -> str:
    """Write a number of a table, or a dash."""
    return "–" if value is None else f"{value:.4g}"
