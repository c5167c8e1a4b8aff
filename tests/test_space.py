"""What a Hugging Face Space needs of the repository."""

from __future__ import annotations

from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent


def test_readme_front_matter_names_the_entry_point():
    head = yaml.safe_load((ROOT / "README.md").read_text().split("---")[1])
    assert head["sdk"] == "gradio" and (ROOT / head["app_file"]).exists()
    assert str(head["python_version"]) in ("3.10", "3.12")
    assert len(head["short_description"]) <= 60


def test_torch_is_pinned_so_that_cpu_wheels_fit():
    assert "torch>=2.8,<=2.13.0" in (ROOT / "requirements.txt").read_text().split()


def test_the_device_job_asks_for_what_the_cost_model_says(monkeypatch):
    import runpy
    import sys
    import types

    from mgld.comparison import estimate
    from mgld.comparison.cost import CostModel
    from mgld.settings import GPU_SECONDS, Settings
    from mgld.ui import page
    from mgld.worker import DeviceJob, run_all

    asked, served = {}, []

    def lend(duration):
        asked["duration"] = duration

        def wrap(function):
            asked["function"] = function
            return lambda *arguments: function(*arguments)

        return wrap

    monkeypatch.setitem(sys.modules, "spaces", types.SimpleNamespace(GPU=lend))
    monkeypatch.setattr(page, "launch", lambda *arguments: served.append(arguments))
    monkeypatch.setattr(sys, "argv", ["app.py", "--device", "cpu"])
    runpy.run_path(str(ROOT / "app.py"), run_name="__main__")
    ((_, model, machine, port, share),) = served
    assert (model, port, share) == ("tiny", None, False)
    assert asked["function"] is run_all and machine.run_all is not run_all
    job = DeviceJob("tiny", "cpu", [_frame()] * 10, [Settings(steps=10, overlap=0)])
    known = CostModel()
    monkeypatch.setattr(estimate, "cost_of", lambda model: known)
    monkeypatch.setattr(estimate, "megapixels_of", lambda *_: 0.2)
    assert asked["duration"](job) == GPU_SECONDS[1]  # unknown yet: as long as allowed
    for rate, seconds in ((0.5, 85), (1e-3, GPU_SECONDS[0]), (99.0, GPU_SECONDS[1])):
        known.rates.clear()
        known.learn_stage("mgld", "sample", 0.2, rate)
        assert asked["duration"](job) == seconds


def _frame():
    import numpy as np

    from mgld.video import Frame

    return Frame(np.zeros((32, 32, 3), np.uint8), 0.0)


def test_app_is_thin_and_imports_spaces_first():
    source = (ROOT / "app.py").read_text()
    assert len(source.splitlines()) < 40
    assert source.index("import spaces") < source.index("from mgld")


def test_the_space_listens_where_the_host_says(monkeypatch):
    """Gradio reads GRADIO_SERVER_NAME and GRADIO_SERVER_PORT itself, as long as nothing is given in their place."""
    from mgld.ui import page

    seen = {}

    class Page:
        def queue(self, **settings):
            seen["queue"] = settings

        def launch(self, **settings):
            seen["launch"] = settings

    monkeypatch.setattr(page, "_calibrate", lambda *_: None)
    page.launch(Page(), "tiny", None)
    assert seen["launch"]["server_port"] is None and "server_name" not in seen["launch"]
    assert seen["queue"]["api_open"] is False and seen["queue"]["max_size"] == 8
    assert seen["launch"]["ssr_mode"] is seen["launch"]["show_error"] is seen["launch"]["run_history"] is False
