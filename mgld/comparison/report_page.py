"""The report as one page: readable on a phone, by day and by night, with its pictures inside and nothing to fetch."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from html import escape

from mgld import host
from mgld.comparison.asked import FIELDS, KNOBS
from mgld.comparison.figures import BEST_NOTE, BLUR_NOTE, Figures
from mgld.comparison.layers import INPUT, TRUTH, label_of
from mgld.comparison.report import TITLE, Outcome
from mgld.constants import SCALE
from mgld.events import counted
from mgld.methods import METHODS, decodes_together, is_filtered, is_guided, is_temporal
from mgld.metrics.table import columns, marked
from mgld.settings import LABELS, Settings
from mgld.sharing import settings_read

STYLE = host.ASSETS / "page" / "report.css"
VIEW = '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">'
DONE = "{frames} of “{clip}”, from {start:g} s on, enlarged from {width}×{height} to {out_width}×{out_height} pixels{made}."
MADE = " by the model {model} on {device}, in {seconds:.0f} s"
PART = "Only a part of the frame was worked on: {left:.0%} to {right:.0%} of its width, {top:.0%} to {bottom:.0%} of its height."
DEGRADED = "The clip was clean and was degraded first (seed {seed}); it is its own ground truth."
RUN = "{steps} of {sampler}, {moved}, {cut}, {decoded}; seed {seed}."
MOVED = {  # by whether frames are averaged and latents guided
    (True, True): "averaged, then guided along the motion that {flow} measured, with strength {strength:g}",
    (True, False): "averaged along the motion that {flow} measured, not guided",
    (False, True): "guided along the motion that {flow} measured, with strength {strength:g}",
    (False, False): "not guided",
}
FIGURES, SETTINGS, UNREAD = "What was measured", "Settings", "–"
UNREAD_NOTE = "–: the method does not read the setting."
RECORD = "Everything as JSON: versions, hashes, times, curves"


def report_page(outcome: Outcome, pictures: dict[str, tuple[str, bytes]]) -> str:
    """Return the report as HTML; pictures are {name: (title, PNG)}. Whatever came from outside is escaped."""
    clip = escape(outcome.request.clip.name)
    record = escape(json.dumps(outcome.record, indent=2, ensure_ascii=False))
    parts = [
        f"<h1>{clip}</h1><p class='date'>{TITLE}, {outcome.date:%d %B %Y, %H:%M} UTC</p>",
        *(f"<p>{escape(sentence)}</p>" for sentence in told(outcome)),
        f"<h2>{FIGURES}</h2>{_figures(outcome.figures)}<p class='note'>{escape(f'{BEST_NOTE} {BLUR_NOTE}')}</p>",
        *(_picture(title, png) for title, png in pictures.values()),
        _settings(outcome.made) if outcome.made else "",
        f"<details><summary>{RECORD}</summary><pre>{record}</pre></details>",
    ]
    style = STYLE.read_text(encoding="utf-8")
    head = f"<meta charset='utf-8'>{VIEW}<title>{clip} – {TITLE}</title><style>{style}</style>"
    return f"<!doctype html><html lang='en'><head>{head}</head><body>{''.join(parts)}</body></html>\n"


def told(outcome: Outcome) -> list[str]:
    """Say in sentences what was done with the clip."""
    request, (height, width) = outcome.request, next(iter(outcome.layers.values())).shape[1:3]
    reports = [report for report in outcome.record["runs"].values() if report]
    device, seconds = reports[0]["device"] if reports else "this machine", outcome.record["seconds"]["taken"]
    sentences = [
        DONE.format(
            frames=counted(len(outcome.times_s), "frame"), clip=request.clip.name, start=request.start_s,
            width=width // SCALE, height=height // SCALE, out_width=width, out_height=height,
            made=MADE.format(model=outcome.model, device=device, seconds=seconds) if outcome.made else "",
        )
    ]  # fmt: skip
    if request.crop is not None:
        left, top, right, bottom = request.crop
        sentences.append(PART.format(left=left, top=top, right=right, bottom=bottom))
    if request.degrade_seed is not None:
        sentences.append(DEGRADED.format(seed=request.degrade_seed))
    return sentences


def in_words(wanted: Settings) -> str:
    """Say in a sentence how one method was run."""
    moved = MOVED[is_filtered(wanted), is_guided(wanted)].format(flow=LABELS[wanted.flow], strength=wanted.guidance)
    together = f"in segments of {counted(wanted.segment, 'frame')}"
    if wanted.segments == "overlapped":
        together += f" that share {wanted.overlap}"
    return RUN.format(
        steps=counted(wanted.steps, "step"), sampler=LABELS[wanted.sampler], moved=moved, seed=wanted.seed,
        cut=together if is_temporal(wanted) else "every frame on its own",
        decoded="decoded together" if decodes_together(wanted) else "decoded one by one",
    )  # fmt: skip


def _figures(figures: Figures) -> str:
    """Return the table of figures, the best result in bold as on the page."""
    rows = [
        [escape(label_of(name)), *(f"<b>{escape(text)}</b>" if is_best else escape(text) for text, is_best in cells)]
        for name, cells in marked(figures.rows, (TRUTH,), (INPUT,)).items()
    ]
    return _table(["", *(escape(metric.heading) for metric in columns(figures.rows))], rows)


def _settings(made: dict[str, Settings]) -> str:
    """Return how every run was made: a sentence for each, and the table of settings."""
    runs = (f"<li><b>{escape(label_of(n))}</b>: {escape(in_words(wanted))}</li>" for n, wanted in made.items())
    table = _settings_table(made)
    return f"<h2>{SETTINGS}</h2><ul>{''.join(runs)}</ul>{table}<p class='note'>{UNREAD_NOTE}</p>"


def _settings_table(made: dict[str, Settings]) -> str:
    """Return one row per setting that some run read, one column per run."""
    read = {name: settings_read(wanted) for name, wanted in made.items() if name in METHODS}
    rows = [
        [
            escape(FIELDS[key].metadata["label"]),
            *(escape(_value(made[n], key)) if key in read[n] else UNREAD for n in read),
        ]
        for key in KNOBS
        if any(key in names for names in read.values())
    ]
    return _table(["", *(escape(label_of(name)) for name in read)], rows)


def _value(wanted: Settings, key: str) -> str:
    value = getattr(wanted, key)
    return f"{value:g}" if isinstance(value, float) else KNOBS[key].metadata.get("labels", {}).get(value, str(value))


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table of cells that are HTML already; it rolls in a box of its own where it is wider than the page."""
    heading = "".join(f"<th scope='col'>{cell}</th>" for cell in head)
    body = "".join(
        f"<tr><th scope='row'>{first}</th>{''.join(f'<td>{c}</td>' for c in rest)}</tr>" for first, *rest in rows
    )
    return f"<div class='roll' tabindex='0'><table><thead><tr>{heading}</tr></thead><tbody>{body}</tbody></table></div>"


def _picture(title: str, png: bytes) -> str:
    data = base64.b64encode(png).decode()
    return f"<h2>{escape(title)}</h2><img alt='{escape(title)}' src='data:image/png;base64,{data}'>"
