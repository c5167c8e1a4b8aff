"""One sitting: several stages in a row within one budget of time, so that a machine is used to the end of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from mgld.training import ranks
from mgld.training.run import Plan, reached

log = logging.getLogger(__name__)

FINISHED = "finished"  # a file in the run's folder: a resumed sitting passes over its stage


@dataclass(frozen=True)
class StageShare:
    """A stage of the sitting: its share of the budget, its plan, and what runs it for so many seconds in all."""

    name: str
    share: float
    plan: Plan
    run: Callable[[float], None]


def sit(parts: list[StageShare], budget_s: float) -> None:
    """Run the parts in order; each gets its share of what is left, so that loading and saving come out of the budget too.

    Where the plans resume, what they have trained already counts as spent, and finished parts are passed over.
    """
    resumed = [part for part in parts if part.plan.resume]
    deadline = time.monotonic() + budget_s - sum(reached(part.plan)[1] for part in resumed)
    left = [part for part in parts if not (part.plan.resume and (part.plan.folder / FINISHED).exists())]
    while left:
        part, *rest = left
        before = reached(part.plan)[1] if part.plan.resume else 0.0
        share = part.share / sum(p.share for p in left)
        limit_s = ranks.of_first(before + max(deadline - time.monotonic(), 0.0) * share, part.plan.device)
        log.info("%s: %.1f min", part.name, limit_s / 60)
        (part.plan.folder / FINISHED).unlink(missing_ok=True)
        part.run(limit_s)
        if ranks.rank() == 0 and reached(part.plan)[0]:  # without a step it is still to be done
            (part.plan.folder / FINISHED).touch()
        left = rest
