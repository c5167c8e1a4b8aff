"""MGLD Studio's page; the entry point on Hugging Face Spaces."""

try:
    import spaces  # must come before anything that touches CUDA
except ImportError:
    spaces = None

import argparse

from mgld.ui.page import build, launch


def main() -> None:
    """Read the command line and serve the page."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--model", default="tiny", help="tiny, sd21, a folder, or OWNER/NAME of a Hub repository")
    options.add_argument("--device", default="auto", help="auto, cpu, cuda")
    options.add_argument("--port", type=int, help="default: 7860, or what GRADIO_SERVER_PORT says")
    options.add_argument("--share", action="store_true", help="open a public link")
    chosen = options.parse_args()
    on_gpu = spaces.GPU(duration=120) if spaces else lambda function: function
    page = build(chosen.model, chosen.device, on_gpu)
    launch(page, chosen.model, chosen.device, chosen.port, chosen.share)


if __name__ == "__main__":
    main()
