"""Figures; drawn without pyplot, which is not safe between threads."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7f8794")  # told apart by every eye
LAYER_COLOURS = dict(
    zip(("bicubic", "per_frame", "mgld", "per_frame+mds", "per_frame+tsd", "truth"), OKABE_ITO, strict=False)
)
DASHES = ("-", (0, (7, 2)), (0, (2, 1.5)), (0, (7, 2, 2, 2)), (0, (4, 1)), (0, (1, 1)))  # and without colour
MARK = "#ffb000"
CHOSEN = {"marker": "*", "markersize": 16, "markeredgecolor": "black", "linestyle": ""}
UNGUIDED = OKABE_ITO[-1]  # grey: no method's colour
# One thread draws for all: matplotlib opens its fonts anew for every thread that does, and keeps them open.
DRAWING = ThreadPoolExecutor(1, "drawing")
HEAT, HIDDEN = "inferno", "#5a6270"  # of one rising lightness, so that it is read without colour; grey is not in it


def colours_of(layers: Sequence[str]) -> list[str]:
    """Return a colour a layer, #rrggbb: each method has its own wherever it stands, other layers have what is left in turn."""
    left = cycle([colour for colour in OKABE_ITO if colour not in map(LAYER_COLOURS.get, layers)])
    return [LAYER_COLOURS.get(name) or next(left) for name in layers]


def training_curves(log: Path, picture: Path) -> None:
    """Draw every figure of a training log over its steps, one panel each, as PNG."""
    with log.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = [n for n in (rows[0] if rows else ()) if n not in ("step", "seconds")]
    figure = Figure(figsize=(4 * max(len(names), 1), 3), layout="constrained")
    for panel, name in zip(figure.subplots(1, max(len(names), 1), squeeze=False)[0], names, strict=False):
        points = [(int(r["step"]), float(r[name])) for r in rows if r[name]]
        panel.plot(*zip(*points, strict=True), linewidth=0.8, marker="." if len(points) == 1 else "")
        panel.set(title=name, xlabel="step")
        panel.grid(alpha=0.3)
    picture.write_bytes(_png(figure, dpi=100))


def temporal_profile(
    layers: dict[str, np.ndarray], place: int, fps: float, borders: Sequence[int] = (), along: str = "x"
) -> bytes:
    """Draw the x–t slice at pixel row `place` of every layer u8 [T,H,W,3] under one another (the paper's Figure 5); PNG.

    along="y" draws the y–t slice at that column. One pixel is as wide everywhere; borders are the frames that start a segment.
    """
    figure = Figure(figsize=(9, 1.7 * len(layers) + 0.6), layout="constrained")
    panels = figure.subplots(len(layers), 1, sharex=True, squeeze=False)[:, 0]
    for panel, (label, frames) in zip(panels, layers.items(), strict=True):
        cut = frames[:, place] if along == "x" else frames[:, :, place]
        extent = (0, cut.shape[1], len(frames) / fps, 0)
        panel.imshow(cut, aspect="auto", interpolation="nearest", extent=extent)
        for border in borders:
            panel.axhline(border / fps, color=MARK, linewidth=0.9, linestyle=(0, (6, 4)))
        panel.set_ylabel("time (s)")
        panel.set_title(label, fontsize=9, loc="left")
    across = "y" if along == "x" else "x"
    panels[-1].set_xlabel(f"{along} (pixels), at {across} = {place}" + ("; dashed: segment borders" if borders else ""))
    return _png(figure)


def frame_curves(
    curves: dict[str, dict[str, list[float | None]]], colours: Sequence[str], borders: Sequence[int] = ()
) -> bytes:
    """Draw one panel per figure over the same frames, one line per layer in its colour, with one legend; None leaves a gap; PNG."""
    figure = Figure(figsize=(9, 2.4 * len(curves) + 0.4), layout="constrained")
    panels = figure.subplots(len(curves), 1, sharex=True, squeeze=False)[:, 0]
    for panel, (name, lines) in zip(panels, curves.items(), strict=True):
        for i, (label, values) in enumerate(lines.items()):
            known = [float("nan") if v is None else v for v in values]
            style = {"color": colours[i], "linestyle": DASHES[i % len(DASHES)], "linewidth": 1.5}
            panel.plot(range(1, len(known) + 1), known, label=label, **style)
        for border in borders:
            panel.axvline(border + 0.5, color="0.5", linewidth=0.8, linestyle=(0, (2, 3)))
        panel.set_title(name, fontsize=9, loc="left")
        panel.grid(alpha=0.3)
    panels[-1].set_xlabel("frame" + ("; dotted: segment borders" if borders else ""))
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)
    return _png(figure)


def heat(residual: np.ndarray, top: float) -> np.ndarray:
    """Colour a map f [...,H,W] of 0…top as u8 [...,H,W,3]: dark is 0, bright is top or more, NaN is HIDDEN."""
    colours = colormaps[HEAT].with_extremes(bad=HIDDEN)(np.ma.masked_invalid(residual / top), bytes=True)
    return colours[..., :3]


def heat_scale(stops: int = 16) -> list[str]:
    """Return the colours of heat(), from 0 to the top, as #rrggbb."""
    return [to_hex(colour) for colour in colormaps[HEAT](np.linspace(0, 1, stops))]


def _png(figure: Figure, dpi: int = 110) -> bytes:
    buffer = io.BytesIO()
    DRAWING.submit(figure.savefig, buffer, format="png", dpi=dpi).result()
    return buffer.getvalue()


def guidance_scope(event, pair: int, frame: int, frame_u8: np.ndarray) -> bytes:
    """Draw what guidance did between frames pair and pair + 1 of a segment (an event Guided) as PNG.

    The first of the two stands beside it: u8 [h,w,3], and its index in the clip.
    """
    figure = Figure(figsize=(11, 5.8), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=[3, 2.6])
    flow_px, panels = event.flow_px[pair], above.subplots(1, 4)
    _show(panels[0], frame_u8, f"Frame {frame + 1}; arrows: its motion")
    _arrows(panels[0], flow_px, frame_u8.shape[:2])
    _show(
        panels[1],
        flow_colours(flow_px),
        f"Motion; the wheel tells directions\nfastest: {np.hypot(*flow_px).max():.2f} latent px",
    )
    _wheel(panels[1])
    hidden = event.hidden[pair]
    _show(panels[2], hidden, f"Yellow: hidden in the next frame\n({hidden.mean():.0%}, left alone)", "cividis", 1)
    moved = event.moved[pair] if event.moved is not None else np.zeros(hidden.shape, np.float32)
    moves = _show(panels[3], moved, "How far guidance moved the latent\n(yellow: farthest)", "viridis", None)
    inset = panels[3].inset_axes([0.05, 0.05, 0.9, 0.05])  # inside, so that the four pictures stay of one size
    bar = above.colorbar(moves, cax=inset, orientation="horizontal")
    bar.ax.tick_params(labelsize=7, colors="white", top=True, labeltop=True, bottom=False, labelbottom=False)
    above.suptitle(" ", fontsize=8)  # room for titles of two lines, which the layout does not see
    _steps(below.subplots(1, 2), event)
    return _png(figure)


def flow_colours(flow_px: np.ndarray, longest: float | None = None) -> np.ndarray:
    """Paint flow_px f32 [2,h,w] as u8 [h,w,3]: hue is direction, paleness is standing still."""
    from matplotlib.colors import hsv_to_rgb

    dx, dy = flow_px
    length = np.hypot(dx, dy)
    strength = np.clip(length / max(longest or float(length.max()), 1e-6), 0, 1)
    hue = (np.arctan2(dy, dx) / (2 * np.pi)) % 1
    return np.rint(255 * hsv_to_rgb(np.stack([hue, strength, np.ones_like(hue)], -1))).astype(np.uint8)


def sweep_multiples(
    strengths: list[float],
    layers: list[np.ndarray],
    figures: dict[str, list[float | None]],
    inputs: dict[str, float | None],
    row: int,
    chosen: float | None = None,
) -> bytes:
    """Draw a sweep of guidance strength: two figures over strength, one against the other, and the x-t profile of each; PNG.

    inputs are the input's own figures; chosen is the strength that is marked, if it is among them.
    """
    count = len(strengths)
    figure = Figure(figsize=(11, 3.0 + 1.05 * count), layout="constrained")
    top, below = figure.subfigures(2, 1, height_ratios=[2.8, 1.05 * count])
    panels = top.subplots(1, len(figures) + 1)
    for panel, (name, values) in zip(panels[:-1], figures.items(), strict=True):
        _over_strength(panel, strengths, name, values, inputs[name], chosen)
    _trade_off(panels[-1], strengths, figures, chosen)
    panels = below.subplots(count, 1, sharex=True, squeeze=False)[:, 0]
    for panel, strength, frames in zip(panels, strengths, layers, strict=True):
        panel.imshow(frames[:, row], aspect="auto", interpolation="nearest")
        panel.set_ylabel(f"{strength:g}", rotation=0, ha="right", va="center")
        panel.set_yticks([])
    panels[-1].set_xlabel(f"x (pixels), at y = {row}; time runs downwards in each strip")
    return _png(figure)


def _over_strength(
    panel, strengths: list[float], name: str, values: list, of_input: float | None, chosen: float | None
) -> None:
    """Draw one figure over strengths that stand evenly apart, since most of them are small, and the input's beside it."""
    places = range(len(strengths))
    panel.plot(places, values, color=LAYER_COLOURS["mgld"], marker="o", label="MGLD")
    if of_input is not None:
        panel.axhline(of_input, color=LAYER_COLOURS["bicubic"], linestyle="--", label="input")
    if chosen in strengths:
        at = strengths.index(chosen)
        panel.plot(at, values[at], color=LAYER_COLOURS["mgld"], **CHOSEN)
    panel.set(title=name, xlabel="guidance strength")
    panel.set_xticks(places, [f"{strength:g}" for strength in strengths])
    panel.set_ylim(0, 1.2 * max([v for v in (*values, of_input) if v is not None], default=1.0))
    panel.legend(fontsize=8, loc="lower left")
    panel.grid(alpha=0.3)


def _trade_off(panel, strengths: list[float], figures: dict[str, list[float | None]], chosen: float | None) -> None:
    """Draw the first figure against the second, each point with its strength."""
    (name_y, ys), (name_x, xs) = figures.items()
    panel.plot(xs, ys, color=LAYER_COLOURS["mgld"], marker="o")
    for i, (strength, x, y) in enumerate(
        zip(strengths, xs, ys, strict=True)
    ):  # by turns: the last ones lie close together
        aside = {"xytext": (8, 4)} if i % 2 else {"xytext": (-8, 4), "ha": "right"}
        panel.annotate(f"{strength:g}", (x, y), textcoords="offset points", fontsize=8, **aside)
        if strength == chosen:
            panel.plot(x, y, color=LAYER_COLOURS["mgld"], label="chosen", **CHOSEN)
            panel.legend(fontsize=8, loc="upper left")
    panel.set(title="What steadiness costs", xlabel=name_x, ylabel=name_y)
    known = [x for x in xs if x is not None] or [1.0]
    panel.set_xlim(0.8 * min(known), 1.1 * max(known))  # wide enough that a small loss looks small
    panel.xaxis.set_major_locator(MaxNLocator(4))
    panel.margins(y=0.2)
    panel.grid(alpha=0.3)


def dial(points: Sequence, fronts: dict[str, list], headings: dict[str, str]) -> bytes:
    """Draw each figure of points (mgld.comparison.dial) over seconds a frame, a line per way to sample, and its front; PNG."""
    figure = Figure(figsize=(5 * len(fronts), 4.6), layout="constrained")
    lines = list(dict.fromkeys(point.line for point in points))
    for panel, (name, best) in zip(figure.subplots(1, len(fronts), squeeze=False)[0], fronts.items(), strict=True):
        for i, line in enumerate(lines):
            own = sorted((p for p in points if p.line == line), key=lambda p: p.steps)
            xs, ys = [p.seconds for p in own], [getattr(p, name) for p in own]
            style = {"color": OKABE_ITO[i % len(OKABE_ITO)], "linestyle": DASHES[i % len(DASHES)]}
            panel.plot(xs, ys, marker=".", linewidth=1, label=line, **style)
        panel.plot(
            [p.seconds for p in best],
            [getattr(p, name) for p in best],
            "o",
            mfc="none",
            mec="black",
            ms=9,
            label="front",
        )
        for p in best:
            text = (p.seconds, getattr(p, name))
            panel.annotate(f"{p.steps}", text, textcoords="offset points", xytext=(5, 5), fontsize=8)
        panel.set(title=headings[name], xlabel="seconds a frame")
        panel.set_xscale("log")
        panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        panel.xaxis.set_major_formatter("{x:g}")
        panel.xaxis.set_minor_formatter(NullFormatter())
        panel.grid(alpha=0.3)
    figure.legend(*panel.get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8)
    return _png(figure)


def _show(panel, picture: np.ndarray, title: str, cmap: str | None = None, top: float | None = None):
    shown = panel.imshow(picture, cmap=cmap, interpolation="nearest", vmin=0, vmax=top)
    panel.set_title(title, fontsize=9)
    panel.set_axis_off()
    return shown


def _steps(panels, event) -> None:
    """Draw the disagreement of neighbouring frames around each guidance step, and the share that the step removed."""
    steps = np.arange(1, len(event.before) + 1)
    panels[0].plot(steps, event.before, color=UNGUIDED, marker=".", linestyle="--", label="before the step's guidance")
    panels[0].plot(steps, event.after, color=LAYER_COLOURS["mgld"], marker=".", label="after it")
    panels[0].set_title("Disagreement along the motion: mean |warped neighbour − x̂0|", fontsize=9)
    panels[0].set_ylim(0, 1.1 * max(*event.before, *event.after, 1e-9))
    panels[0].legend(fontsize=8)
    removed = 100 * (1 - np.array(event.after) / np.maximum(event.before, 1e-9))
    panels[1].bar(steps, removed, width=0.6, color=LAYER_COLOURS["mgld"])
    panels[1].set_title("Share that each step's guidance removed (%)", fontsize=9)
    for panel in panels:
        panel.set_xlabel("denoising step", fontsize=8)
        panel.set_xlim(0.5, len(steps) + 0.5)
        panel.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        panel.grid(alpha=0.3, axis="y")


def _arrows(panel, flow_px: np.ndarray, size_hw: tuple[int, int]) -> None:
    """Draw about 16 arrows a row, on the frame's own scale."""
    height, width = flow_px.shape[1:]
    every = max(round(width / 16), 1)
    y, x = np.mgrid[every // 2 : height : every, every // 2 : width : every]
    scale_y, scale_x = size_hw[0] / height, size_hw[1] / width
    dx, dy = flow_px[0, y, x] * scale_x, flow_px[1, y, x] * scale_y
    if np.hypot(dx, dy).max() < 1e-3:
        return  # a still picture has no arrows, and no longest one to scale them by
    panel.quiver((x + 0.5) * scale_x, (y + 0.5) * scale_y, dx, dy, color="white", angles="xy", width=0.006, headwidth=4)


def _wheel(panel) -> None:
    """Lay the colour wheel, which tells a colour's direction, into the corner."""
    inset = panel.inset_axes([0.78, 0.02, 0.2, 0.2])
    y, x = np.mgrid[-1:1:65j, -1:1:65j]
    wheel = flow_colours(np.stack([x, y]).astype(np.float32), 1.0)
    alpha = np.where(np.hypot(x, y) <= 1, 255, 0).astype(np.uint8)
    inset.imshow(np.dstack([wheel, alpha]), extent=(-1, 1, 1, -1))
    inset.set_axis_off()
