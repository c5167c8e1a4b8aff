"""Every word of the page, in one place."""

from __future__ import annotations

import html
import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from mgld.comparison.asked import KNOBS
from mgld.comparison.layers import CURVES_TITLE, PROFILE_TITLE, label_of
from mgld.constants import LAYERS_AT_MOST
from mgld.host import ASSETS
from mgld.methods import is_filtered
from mgld.settings import LABELS, Settings
from mgld.video.refusals import plain

TEMPORAL_FILTER = KNOBS["temporal_filter"].metadata["label"]
EXAMPLE = "Example clip {name}"
INTRO = (
    "# MGLD Studio\n"
    "Motion-guided latent diffusion (MGLD) makes videos four times as large, with less flicker than frame-by-frame diffusion."
)
TABS = {
    "compare": "Compare",
    "scope": "Guidance scope",
    "sweep": "Strength sweep",
    "ablation": "Ablation",
    "study": "Blind A/B",
    "files": "Take away",
}

# input
EXAMPLES = "Example clips"
CLIP_KINDS = "A video, a GIF, an animated WebP or PNG, or a zip of frames."
PICTURES = "Frames as pictures …"
POSTER = "Frame of the chosen clip"
POSTER_TOLD = "{width}×{height} pixels, {seconds:.1f} s, {fps:g} frames per second"
CROP_BOX = (
    "Frame of the clip. Drag to choose the part to work on; arrow keys move it, Shift and arrows change its size, Escape "
    "takes the whole frame."
)
CROP_CAPTION = (
    "{width}×{height} of {full_width}×{full_height} pixels · {seconds:.1f} s, {fps:g} frames per second{notes}"
)
LAB_SHOW = "Show what the model will get"
LAB_PICTURE = "Clean and degraded, middle frame"

# controls
PRESETS = "Preset"
PRESETS_HELP = "Sets steps and segment length."
ABSENT = "{} (not here)"
ABSENT_TOLD = "“Not here”: this machine lacks the weights."
ADVANCED = "Advanced"
GROUPS = {
    "clip": "Clip", "model": "Methods and model", "sampling": "Sampling",
    "published": "Details as published", "truth": "Truth and other results", "link": "Link",
}  # fmt: skip
RUN = "Upscale and compare"
CANCEL = "Cancel"
PREVIEW = "While it works"
COPY_LINK = "Copy link to these settings"
LINK = "Link"
LINK_REFUSED = "The link’s value of {names} cannot be used; the default stands."

# progress
READY = f"A finished example of the small embedded model is shown. Choose a clip, then press “{RUN}”."
LOADING = "Reading the clip and loading the model …"
MEASURING = "Measuring flicker and sharpness …"
WRITING = "The comparison is ready; writing the files …"
CLIP_NOTE = "About the clip: {note}."
RUN_NOTE = "{layer}: {note}."
FILTERED = (
    "{layers}: frames were averaged along the motion before anything else, which by itself takes noise and flicker away. Set "
    f"“{TEMPORAL_FILTER}” to “{LABELS['none']}” to see what guidance and the temporal decoder do alone."
)
SMALL_MODEL = (
    "The embedded model is small: it shows on any machine what motion guidance does. It is no match for large ones, and where "
    "bicubic leads, the table says so."
)
AHEAD = ("One run is ahead of you", "{} runs are ahead of you")
WAITING = "{ahead}; yours starts in {range}."
WAITING_UNKNOWN = "{ahead}."
CANCELLED_UNBEGUN = "Cancelled before the work began."
CANCELLED = "Cancelled before the first segment was finished."
CANCELLED_KEPT = "Cancelled. What was finished is shown ({frames}); run again to go on from there."
FAILED = "That did not work, and the fault is on this side. Its reference is {reference}; the server’s log says more under it."
STAGES = {
    "condition": "encoding the input", "motion": "measuring motion", "sample": "denoising", "decode": "decoding",
}  # fmt: skip
WORKING = "{method} ({number}/{count}), {stage}: frame {done} of {total}, {left} left"
DONE = "{frames} in {taken}, made by the model “{model}” on {device}."
RESUMED = " {method}: {there}."
RESUMED_NOW = "; {there}"
PREDICTED = " Predicted: {range}."
FRAMES = ("1 frame", "{} frames")
PLAN = "{frames} ({duration:.1f} s), {width}×{height} → {out_width}×{out_height}, {segments} per method. {estimate}"
PLAN_SEGMENTS = ("1 segment", "{} segments")
PLAN_ESTIMATE = "{range}{memory}."
PLAN_MEMORY = ", {gigabytes:.1f} GB of memory"
PLAN_UNKNOWN = "This machine’s speed is still being measured."
PLAN_NONE = "Choose a clip: what will be done, and how long it takes, is said here."

UPLOADS_FULL = "Clips of runs that wait take up all the room for uploads here; try again in some minutes."
REQUEST_TOO_LARGE = "That is more than this page takes at once."

# results
FILES_NONE = "The files appear here after a run."
FILES_HELP = (
    "Every result as a video with the source’s sound, the labelled comparison, its pictures, and a report with every setting, "
    "version, hash and time."
)
FILES_COUNTED = ("1 file", "{} files")
FILES_ALL = "Download all ({count}, ZIP, {size})"
FILES_TOO_LARGE = "{count}. Together they are larger than {most}: take them one by one."
FILE_TOLD = "{kind}, {size}"
FILES_WRITING = "The example’s files are being written …"
LINE_REPORT = "Write the report at the line that the stage shows"
LOSSLESS = "Write lossless videos too (FFV1)"
LOSSLESS_LATER = (
    "Lossless videos can be written after a comparison of your own: those of the example are compressed already."
)
NOTHING_YET = "Run a comparison first."

# comparison stage: [[name]] of its page, WORDS.name of its script, and its keys; what stands between `` is a key
STAGE = {
    "viewer": "Frame-locked comparison. Press question mark for the keys.",
    "divider": "Divider between layer A and layer B", "line": "Line of the temporal profile",
    "region": "Region of the strip. Arrow keys move it, Shift with arrow keys resizes it.",
    "unjudged": "not judged", "playback": "Playback", "back": "Previous frame", "next": "Next frame", "frame": "Frame",
    "play": "Play", "play_help": "Play or pause (Space)", "loop": "Loop", "loop_from": "Loop from frame",
    "loop_from_help": "Loop from", "loop_to": "Loop to frame", "loop_to_help": "Loop to",
    "speed": "Speed", "speed_help": "Speed (< and >)", "view": "View", "views": "View and tools",
    "wipe": "Wipe", "side": "Side by side",
    "grid": "Grid", "flip": "Flip", "flip_help": "F; hold the picture, or X, to flip", "diff": "Difference",
    "layer_a": "Layer A", "layer_a_help": f"Shift and 1 to {LAYERS_AT_MOST}", "layer_b": "Layer B",
    "layer_b_help": f"1 to {LAYERS_AT_MOST}",
    "gain": "Gain", "gain_help": "Difference gain", "show": "Show",
    "picture": "Picture", "heat_map": "Flicker", "both": "Both", "zoom": "Zoom", "zoom_out": "Zoom out",
    "numbers": "What the two layers differ by",
    "zoom_in": "Zoom in", "fit": "Zoom; press to see the whole picture", "fit_help": "Whole picture", "tools": "Tools",
    "loupe": "Loupe", "loupe_help": "Every layer, enlarged, at the pointer", "crop_strip": "Crop strip",
    "strip_help": "A region in several frames of every layer", "save": "Save view", "save_help": "Save what is seen as PNG",
    "full_screen": "Full screen", "keys": "Keys and gestures", "strip_frames": "Frames", "save_strip": "Save strip",
    "strip_frames_help": "Frames of the strip", "enlarge": "Enlarge", "enlarge_help": "Enlargement of the strip",
    "to_fit": "to fit", "profile": PROFILE_TITLE, "turn": "Turn the profile line", "turn_help": "Turn the line",
    "strip_note": "Drag a rectangle on the picture. The strip begins at the frame that is shown.",
    "profile_note": "The orange line of the picture over time, downwards; drag it. Smooth streaks are steady, ragged ones "
    "flicker (mean change: from frame to frame, in grey levels). Point at a slice to go to its frame.",
    "save_profile": "Save profile", "curves_title": CURVES_TITLE,
    "save_curves": "Save curves", "curves_table": "Figures of every layer",
}  # fmt: skip
CLAIMS = {  # of per-frame diffusion on the left and MGLD on the right
    "steady": "Left flickers. Right is held steady along the motion{softer}.",
    "less": "Right, held along the motion, flickers less{softer}.",
    "alike": "Right flickers as much as left here{softer}.", "more": "Right flickers more than left here{softer}.",
}  # fmt: skip
CLAIM_SOFTER = " and is softer"
CLAIM_STILL = "One frame cannot flicker: choose more to see what guidance does."
STAGE_TOLD = {
    "empty": "The comparison appears here after a run.",
    "broken": "The comparison video could not be loaded. Reload the page to try again.",
    "layer": "Layer", "now": "this frame", "mean": "mean", "frames": "frame", "across": "{axis} (pixels)", "at": "at {place}",
    "borders": "ticks: segment borders", "scaled": "shown at {percent} % of the width to spare memory",
    "reading": "reading frames {frame} / {frames}", "frame": "frame {frame} of {frames}",
    "slices": "Slices at {place} of {layers} over {frames} frames. {told}", "change": "mean change {change}",
    "changeTold": "{layer} changes by {change} grey levels a frame along this line", "meanTold": "{layer}: mean {mean}",
    "difference": "|{b} − {a}| ×{gain}", "heatScale": "{top} grey levels",
    "heatFirst": "{layer}: no earlier frame to compare with",
    "span": "{frames} frames at {fps} frames a second, time downwards", "profileTitle": f"{PROFILE_TITLE} at {{place}}",
    "claimAlone": "{layer}. What is made of it appears here.",
    "claim_wipe": "Left: {a}. Right: {b}.", "claim_side": "Left: {a}. Right: {b}.",
    "claim_grid": "Every layer, at the same frame.", "claim_flip": "Hold the picture to see {a} in place of {b}.",
    "claim_diff": "Where {b} differs from {a}.", "figure_we": "Flicker", "figure_sharpness": "Sharpness", "figures": "Figures",
    "strip": "frames {first}–{last}, {width} × {height} pixels, each ×{scale}",
}  # fmt: skip
STAGE_KEYS = {
    "`Space`": "play, pause", "`←` `→`": "frame", "`Home` `End`": "start, end of the loop",
    "`[` `]` `R`": "loop from here, to here, all", "`O`": "loop on, off", "`<` `>`": "slower, faster",
    "`W` `S` `G` `F` `D`": "wipe, side by side, grid, flip, difference", "hold `X`": "flip to layer A",
    "`,` `.`": "divider", f"`1`–`{LAYERS_AT_MOST}`": "layer B; with `Shift`, layer A", "`H`": "picture, flicker map, both",
    "`+` `−` `0`": "zoom; wheel or pinch too", "`Shift` + arrows": "pan; drag too",
    "`↑` `↓`": "profile line; `Page` keys by 10", "`P`": "turn the line", "`L` `C`": "loupe, crop strip",
    "`E` `Z`": "save view, full screen", "`?`": "these keys",
}  # fmt: skip

# guidance scope
SCOPE_INTRO = (
    "What motion guidance saw and did in the last run: measured motion, what is hidden, and where it moved the latent."
)
SCOPE_CHOICE = "Pair of frames"
SCOPE_PAIR = "Segment {segment}: frames {first} → {second}"
SCOPE_FIGURE = "Guidance scope"
SCOPE_EMPTY = "Nothing to see yet: run MGLD with a guidance strength above 0 on at least two frames."
SCOPE_SUMMARY = (
    "Mean motion {speed:.2f} latent pixels; {hidden:.0%} of the frame is hidden in the next one and left alone. The mean "
    "disagreement of neighbouring frames fell from {first:.3g} at the first step to {last:.3g} after the last one, whose "
    "guidance removed {removed:.0%}."
)

# sweep
SWEEP_INTRO = (
    "MGLD at several guidance strengths from the same noise: the steadiness that strength buys, the sharpness it costs. What the "
    "temporal filter takes away is not there to be bought."
)
SWEEP_RUN = "Sweep"
SWEEP_FIGURE = "Warping error, sharpness and profile over guidance strength"
SWEEP_DONE = f"Swept; the strengths are also the layers under “{TABS['compare']}”."

OF_EXAMPLE = "Of the finished example, until this is run on your clip:"

# ablation
ABLATION_INTRO = (
    "Motion-guided sampling and temporal decoder, on and off, from the same noise: the paper’s Table 3 on your clip. What is "
    f"sampled with guidance sees frames averaged along the motion, unless “{TEMPORAL_FILTER}” says otherwise."
)
ABLATION_RUN = "Run all four"
ABLATION_EMPTY = (
    f"Choose a clip, then press “{ABLATION_RUN}”. The four results are also the layers under “{TABS['compare']}”."
)

# blind comparison
STUDY_INTRO = (
    "Which side looks better? Sides are random and unlabelled; every question shows another part of the frame. "
    "Keys: ← left, → right, ↓ no difference. Your votes stay in this page."
)
STUDY_START = "Start a blind comparison"
STUDY_PAIR = "Two layers to compare"
STUDY_CLIP = "Left and right"
STUDY_VOTES = {"left": "← Left is better", "tie": "↓ No difference", "right": "Right is better →"}
STUDY_EMPTY = "There is nothing to compare: run a comparison with two methods first, then start again."
STUDY_TWO = "Choose exactly two layers."
STUDY_EXPORT = "Votes as CSV"


def filtered(runs: Mapping[str, Settings]) -> list[str]:
    """Say which of the runs, by layer, saw frames that were averaged along the motion; nothing if none did."""
    layers = [label_of(layer) for layer, wanted in runs.items() if is_filtered(wanted)]
    return [FILTERED.format(layers=", ".join(layers))] if layers else []


def counted(forms: tuple[str, str], count: int) -> str:
    """Return the singular or the plural form."""
    return forms[0] if count == 1 else forms[1].format(count)


def seconds(value_s: float) -> str:
    """Say seconds as a person would: "12 s", "3 min", "2.5 h"."""
    if value_s < 90:
        return f"{max(value_s, 1):.0f} s"
    return f"{value_s / 60:.0f} min" if value_s < 5400 else f"{value_s / 3600:.1f} h"


def span(low_s: float, high_s: float) -> str:
    """Say a range of seconds as a person would: "about 10–20 s", "about 1–2 min"; one number where both round alike."""
    unit, name = next(((u, n) for u, n in ((3600, "h"), (60, "min")) if high_s >= 1.5 * u), (1, "s"))
    low, high = (_round(value / unit) for value in (low_s, high_s))
    return f"about {low:g}–{high:g} {name}" if low < high else f"about {high:g} {name}"


def _round(value: float) -> float:
    """Round to one digit that matters, or to five of them between 10 and 100, and never to nothing."""
    step = next(s for limit, s in ((10, 1), (100, 5), (1e9, 10 ** max(len(str(int(value))) - 2, 1))) if value < limit)
    return max(round(value / step) * step, 1)


def device(name: str) -> str:
    """Say where it was computed: "the processor", "the GPU"."""
    return "the GPU" if name.startswith("cuda") else "the processor"


def size(count: float) -> str:
    """Say bytes as a person would: "310 KB", "1.2 MB", "12 MB"."""
    for unit, name in ((1e9, "GB"), (1e6, "MB")):
        if count >= unit:
            return f"{count / unit:.{1 if count < 10 * unit else 0}f} {name}"
    return f"{max(count / 1e3, 1):.0f} KB"


def placed(template: str, words: dict[str, str]) -> str:
    """Return a page's template with each [[name]] replaced by the word of that name, escaped; KeyError without one."""
    return re.sub(r"\[\[(\w+)\]\]", lambda found: html.escape(words[found[1]]), template)


def for_visitors(text: str, files: Iterable[str | None] = ()) -> str:
    """Return a sentence in which a visitor's files go by their names: where they and this program lie is nobody's business."""
    for path in filter(None, files):
        text = text.replace(str(path), f"“{plain(Path(path).name)}”")
    temporary = re.escape(tempfile.gettempdir() + os.sep)  # this program's own work lies there
    text = re.sub(rf"{temporary}\S*[/\\](?=\S)", "", text)
    return text.replace(f"{ASSETS.parent}{os.sep}", "")
