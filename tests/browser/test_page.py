"""The page in a real browser: upload, run, watch, cancel, take away; dark, links, two at once."""

from __future__ import annotations

import time
import zipfile

import pytest
from PIL import Image

from mgld.ui import running, words
from mgld.ui.first_sight import finished_example
from tests import media

pytestmark = pytest.mark.browser


def upload(page, clip, frames: int = 2, steps: int = 1) -> None:
    page.set_input_files("#clip input[type=file]", str(clip))
    page.wait_for_selector("#poster img")
    page.locator("#frames input[type=number]").fill(str(frames))
    page.locator("#knob-steps input[type=number]").fill(str(steps))
    page.wait_for_function(  # "12 frames" is not "2 frames"
        f"/(^|\\D){frames} frames? \\(/.test(document.querySelector('#plan').innerText)", timeout=30_000
    )


def finish(page, frames: int = 2) -> None:
    page.wait_for_selector(f"#progress :text('{words.counted(words.FRAMES, frames)} in')", timeout=120_000)
    page.wait_for_function(
        f"document.querySelector('.count').textContent.trim().endsWith('/ {frames}')", timeout=30_000
    )


def test_a_clip_goes_in_and_comparison_scope_votes_and_files_come_out(opened, browser, clip):
    page = opened()
    upload(page, clip)
    assert "32×32 → 128×128, 1 segment per method" in page.inner_text("#plan")
    page.wait_for_selector("#plan :text('About')", timeout=90_000)  # without a touch, once the speed is measured
    page.click("#advanced > button")
    page.get_by_role("radio", name="tiny").check()  # the shipped model
    page.click("#run")
    finish(page)
    layers = page.eval_on_selector_all("select.a option", "options => options.map(o => o.textContent)")
    assert layers == ["Input (bicubic)", "Per-frame (no guidance)", "MGLD"]
    page.wait_for_function("document.querySelector('.slices').dataset.ms", timeout=20_000)
    assert "MGLD" in page.inner_text(".legend") and words.SMALL_MODEL in page.inner_text(".told")
    page.get_by_role("tab", name=words.TABS["scope"]).click()
    page.wait_for_selector("#scope img", timeout=20_000)
    assert "latent pixels" in page.inner_text("#scope-summary")
    page.get_by_role("tab", name=words.TABS["study"]).click()
    page.click("#study-start")
    page.wait_for_selector("#study-clip video")
    page.wait_for_selector("#vote-left:not([disabled])")
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector("#tally :text('of 1 decided')", timeout=20_000)
    page.get_by_role("tab", name=words.TABS["files"]).click()
    names = page.inner_text("#files ul")
    assert all(
        name in names
        for name in ("Comparison, all layers labelled", "MGLD alone", "Temporal profile at row 64", "MP4, ")
    )
    assert page.locator("#files li img").count() == 6
    with page.expect_download() as download:
        page.click("#files a.all")
    with zipfile.ZipFile(download.value.path()) as archive:
        assert (
            download.value.suggested_filename == "mgld-clip.zip"
            and len(archive.namelist()) == page.locator("#files li").count()
        )
        report = archive.read("mgld-clip/report.html")
    assert page.get_attribute("#stage .viewer", "data-line") == "x 0.5"
    page.click("#line-report")
    page.click("#lossless")
    page.wait_for_selector("#files :text('MGLD alone, without loss')", timeout=60_000)
    check_report(browser, report.decode())


def test_the_examples_files_are_there_and_what_they_cannot_be_is_said(opened):
    page = opened()
    page.get_by_role("tab", name=words.TABS["files"]).click()
    page.wait_for_selector("#files li", timeout=60_000)
    assert page.is_disabled("#lossless") and page.is_visible(f"text={words.LOSSLESS_LATER}")
    page.get_by_role("tab", name=words.TABS["compare"]).click()
    page.focus(".viewer")
    page.keyboard.press("p")
    page.get_by_role("tab", name=words.TABS["files"]).click()
    page.wait_for_selector("#files li")
    page.click("#line-report")
    page.wait_for_selector(
        f"#files :text('Temporal profile at column {finished_example().value.stage.width // 2}')", timeout=60_000
    )


def check_report(browser, text: str) -> None:
    """The report asks nobody for anything, fits a phone, and is dark by night."""
    page, asked = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme="dark"), []
    page.on("request", lambda request: asked.append(request.url))
    page.set_content(text)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.click("summary")
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(15, 23, 42)"
    assert [url for url in asked if not url.startswith("data:")] == []
    page.close()


def test_gifs_zips_and_pictures_are_clips_and_other_files_are_named(opened, tmp_path):
    frames = [Image.fromarray(rgb) for rgb in media.coded_frames(3)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=100, loop=0)
    for number, frame in enumerate(frames):
        frame.save(tmp_path / f"{number}.png")
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        for number in range(2):
            archive.write(tmp_path / f"{number}.png", f"{number}.png")
    (tmp_path / "c.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    page = opened()
    for name, said in (
        ("a.gif", "3 frames (0.3 s)"),
        ("b.zip", "2 frames (0.1 s)"),
        ("c.heic", "“c.heic” is a HEIC still picture"),
    ):
        page.set_input_files("#clip input[type=file]", str(tmp_path / name))
        page.wait_for_selector(f"#plan :text('{said}')", timeout=30_000)
        page.wait_for_selector("#poster img", state="hidden" if name == "c.heic" else "visible", timeout=30_000)
        page.click("#clip button[aria-label=Clear]")
        page.wait_for_selector("#clip input[type=file]", state="attached")
    page.set_input_files("#ways input[type=file]", [str(tmp_path / f"{number}.png") for number in range(3)])
    page.wait_for_selector("#plan :text('3 frames (0.1 s)')", timeout=30_000)
    assert "0 and 2 more.zip" in page.inner_text("#clip").replace("\n", "")


def test_cancel_frees_the_device_within_a_step_and_keeps_what_is_finished(opened, clip, machine, unhurried):
    page = opened()
    upload(page, clip, frames=12, steps=6)
    page.click("#run")
    page.wait_for_function(
        "document.querySelector('.count').textContent.trim().endsWith('/ 5')", timeout=180_000
    )  # one segment
    page.click("#cancel")
    page.wait_for_selector("#progress :text('What was finished is shown')", timeout=60_000)
    page.wait_for_timeout(1000)
    assert "What was finished is shown" in page.inner_text("#progress") and not machine.busy.is_set()
    unhurried.event_s = 0
    page.locator("#knob-steps input[type=number]").fill("1")  # the device is free for the next one
    page.locator("#frames input[type=number]").fill("1")
    page.wait_for_selector("#plan :text('1 frame (')")
    page.click("#run")
    finish(page, 1)


def test_a_visitor_has_one_run_at_a_time(opened, clip, unhurried):
    page, others = opened(), {"ablation": "#ablate", "sweep": "#sweep-run"}
    upload(page, clip, steps=6)
    page.click("#run")
    page.wait_for_selector("#progress :text('denoising')", timeout=60_000)
    assert all(is_off(page, tab, button) for tab, button in others.items()) and page.is_disabled("#run")
    unhurried.event_s = 0
    finish(page)
    page.wait_for_selector("#cancel[disabled]")
    assert not any(is_off(page, tab, button) for tab, button in others.items()) and page.is_enabled("#run")


def is_off(page, tab: str, button: str) -> bool:
    page.get_by_role("tab", name=words.TABS[tab]).click()
    page.wait_for_selector(button)
    return page.is_disabled(button)


def test_closing_the_tab_stops_the_run(opened, clip, machine, unhurried):
    page = opened()
    upload(page, clip, frames=12, steps=50)  # a minute's work
    page.click("#run")
    page.wait_for_selector("#progress :text('denoising')", timeout=60_000)
    assert machine.busy.is_set()
    page.close()
    deadline = time.monotonic() + 20
    while machine.busy.is_set() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not machine.busy.is_set()


def test_two_visitors_wait_for_each_other_and_see_what_they_asked_for_with_their_click(
    opened, clip, tmp_path, unhurried
):
    one, two = opened(), opened()
    other = media.make_video(tmp_path / "other.mp4", [media.flat((90, 140, 60), 24, 40)] * 4, fps=10)
    upload(one, clip, frames=3, steps=6)
    upload(two, other, frames=2)
    one.click("#run")
    one.wait_for_selector("#progress :text('denoising')", timeout=60_000)
    two.click("#run")
    two.wait_for_selector("#progress :text('queue')", timeout=20_000)  # its place in the queue
    for control, value in (("#knob-steps", "9"), ("#knob-guidance", "1"), ("#frames", "1")):  # too late for this run
        one.locator(f"{control} input[type=number]").fill(value)
    unhurried.event_s = 0
    finish(one, 3)
    finish(two, 2)
    with running.SESSIONS._lock:
        first, second = [job.request for job in running.SESSIONS._jobs.values()][-2:]
    assert (first.knobs.steps, first.frames, second.frames) == (6, 3, 2) and first.knobs.guidance != 1
    assert "32×32" in one.inner_text("#plan") and "40×24" in two.inner_text("#plan")


def test_a_link_restores_settings_and_names_what_it_could_not(opened):
    page = opened(query="/?clip=reef&steps=7&guidance=0.5&frames=99&crop=0,0,50,50")
    page.wait_for_selector("#poster img", timeout=20_000)
    page.wait_for_selector("#plan :text('72×72 → 288×288')", timeout=30_000)
    assert page.input_value("#knob-steps input[type=number]") == "7"
    assert "frames" in page.inner_text("#progress")
    page.click("#advanced > button")
    page.click("#copy-link")
    page.wait_for_function("document.querySelector('#link textarea, #link input').value.includes('steps=7')")
    link = page.input_value("#link textarea, #link input")
    assert "clip=reef" in link and "guidance=0.5" in link and "frames" not in link and "seed" not in link


def at_rest(page, selector: str) -> dict[str, float]:
    """Scroll to something and return where it lies, once it has stayed there for half a second: a busy page moves late."""
    page.locator(selector).scroll_into_view_if_needed()
    box = None
    while box != (box := page.locator(selector).bounding_box()):
        page.wait_for_timeout(500)
    return box


def test_a_rectangle_drawn_on_the_frame_is_what_is_worked_on(opened):
    page = opened(query="/?clip=reef")
    page.click("#advanced > button")
    page.wait_for_selector("#frame canvas", timeout=20_000)
    box = at_rest(page, "#frame canvas")
    page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 0.25 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.75 * box["width"], box["y"] + 0.75 * box["height"], steps=4)
    page.mouse.up()
    page.wait_for_selector("#plan :text('72×72 → 288×288')", timeout=20_000)
    page.focus("#frame .box")
    page.keyboard.press("Escape")
    page.wait_for_selector("#plan :text('144×144 → 576×576')", timeout=20_000)


def test_run_without_a_clip_says_so(opened):
    page = opened()
    page.click("#run")
    page.wait_for_selector(
        "#progress .refusal :text('Choose a clip first'), #progress .refusal:has-text('Choose a clip first')"
    )
    page.wait_for_selector("#run:not([disabled])")  # and the next try is free
    page.wait_for_selector("#cancel[disabled]")


def test_dark_is_dark_and_text_stays_readable(opened):
    page = opened(query="/?__theme=dark")
    shade = "([c]) => { const [r, g, b] = c.match(/\\d+/g).map(Number); return (r + g + b) / 3; }"
    back = page.evaluate(
        shade, [page.evaluate("getComputedStyle(document.querySelector('.gradio-container')).backgroundColor")]
    )
    for text in ("#intro h1", "#plan", ".told p", ".mgld-bar"):
        ink = page.evaluate(shade, [page.evaluate("s => getComputedStyle(document.querySelector(s)).color", text)])
        assert back < 60 and ink - back > 90, text
