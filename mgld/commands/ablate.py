"""`ablate --lq DIR`: motion-guided sampling × temporal decoder from the same noise, the paper's Table 3."""

from __future__ import annotations

import argparse

from mgld.commands import evaluate
from mgld.commands.console import say_notes
from mgld.commands.options import notes_of_compat
from mgld.events import counted
from mgld.methods import OURS


def add_to(commands: argparse._SubParsersAction) -> None:
    """Register the command."""
    command = commands.add_parser("ablate", help="measure what each of the paper's two parts contributes (Table 3)")
    evaluate.add_clips(command)
    evaluate.add_measuring(command)
    command.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> None:
    """Measure the four combinations on every clip; print their mean."""
    say_notes(notes_of_compat(chosen, OURS))
    report = evaluate.evaluate(chosen, evaluate.recipes_of(chosen, OURS), {})
    from mgld.comparison.ablation import table_3

    print(f"Mean of {counted(len(report['clips']), 'clip')}\n")
    print(table_3(report["mean"]))
    evaluate.tell_measuring(report)
