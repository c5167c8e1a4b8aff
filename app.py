"""MGLD Studio's page; the entry point on Hugging Face Spaces."""

try:
    import spaces  # must come before anything that touches CUDA
except ImportError:
    spaces = None

import argparse
import sys

from mgld.errors import UserError

try:
    from mgld import light
    from mgld.host import PAGE_MODEL
    from mgld.ui import port
except UserError as error:  # the environment sets a limit that is no number, or the assets are missing
    sys.exit(f"app.py: {error}")


def main() -> None:
    """Read the command line and serve the page."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--model", default=PAGE_MODEL, help="tiny, sd21, a folder, or OWNER/NAME[@COMMIT] of the Hub")
    options.add_argument("--device", default="auto", help="auto, cpu, cuda")
    options.add_argument("--port", type=int, help="default: 7860, or what GRADIO_SERVER_PORT says")
    options.add_argument("--share", action="store_true", help="open a public link")
    chosen = options.parse_args()
    port.check(chosen.port)
    light.start()
    from mgld.comparison.estimate import gpu_seconds  # takes seconds, so what is asked for is known to be good
    from mgld.ui.page import build, launch, this_machine

    lent = (spaces.GPU(duration=gpu_seconds),) if spaces else ()
    machine = this_machine(chosen.device, *lent, model=chosen.model)
    launch(build(chosen.model, machine), chosen.model, machine, chosen.port, chosen.share)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:  # its port is taken, or two of its models have one name
        sys.exit(f"app.py: {error}")
