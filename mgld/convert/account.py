"""Account for every tensor of a published file: what is used, what is left and why, and what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mgld.convert.checkpoint import Checkpoint
from mgld.convert.official import Source
from mgld.convert.shapes import Shapes

SCHEDULE = (
    "betas", "alphas_cumprod", "alphas_cumprod_prev", "sqrt_alphas_cumprod", "sqrt_one_minus_alphas_cumprod",
    "log_one_minus_alphas_cumprod", "sqrt_recip_alphas_cumprod", "sqrt_recipm1_alphas_cumprod", "posterior_variance",
    "posterior_log_variance_clipped", "posterior_mean_coef1", "posterior_mean_coef2", "logvar", "lvlb_weights", "scale_factor",
)  # fmt: skip
HEADS = (
    "model.diffusion_model.", "structcond_stage_model.", "first_stage_model.", "cond_stage_model.", "flownet_model.",
    "model_ema.", "loss.", "encoder.", "decoder.", "quant_conv.", "post_quant_conv.",
)  # fmt: skip
SHOWN = 8  # names of one kind of fault; the rest are counted

LACKS, MISSHAPEN, NOT_USABLE, UNKNOWN, UNFIT = "lacks", "misshapen", "not usable", "unknown", "does not fit"


def plain_name(raw: str) -> str:
    """Return a tensor's name without the `module.` and `model.` that wrappers put in front; unknown names stay whole."""
    name = raw
    while not (name.startswith(HEADS) or name in SCHEDULE):
        if not name.startswith(("module.", "model.")):
            return raw
        name = name.split(".", 1)[1]
    return name


@dataclass(frozen=True)
class Left:
    """Tensors that are not converted, by a name that stands for them, and why."""

    names: str
    count: int
    why: str


class Account:
    """One file: each of its tensors is used once, left for a reason, or a fault."""

    def __init__(self, read: Callable[[], Checkpoint], largest: float) -> None:
        """Take over what read opens, under plain names; numbers above largest could not be stored."""
        self._read, self._opened, self.largest = read, read(), largest
        self.path = self._opened.path
        self.left: list[Left] = []
        self._faults: dict[str, list[str]] = {}
        self._raw: dict[str, str] = {}  # plain name → name in the file
        for raw in self._opened.tensors:
            if (name := plain_name(raw)) in self._raw:
                self._fault(UNKNOWN, f"{raw} (a second {name})")
            self._raw[name] = raw
        for other in self._opened.others:
            self._fault(UNKNOWN, f"{other} (no tensor)")
        if beside := self._opened.beside:
            self.left.append(Left(", ".join(beside), len(beside), "state of the training program"))
        self._shapes = {name: tuple(self[name].shape) for name in self._raw}
        self._open = dict.fromkeys(self._raw)

    def __contains__(self, name: str) -> bool:
        return name in self._raw

    def __getitem__(self, name: str) -> Tensor:
        """Return a tensor by its plain name; a released file is opened again."""
        self._opened = self._opened or self._read()
        return self._opened.tensors[self._raw[name]]

    def release(self) -> None:
        """Let go of the file, so that the pages read so far no longer count as memory."""
        self._opened = None

    def shapes(self, prefix: str) -> Shapes:
        """Return the shapes of the tensors under prefix, by the rest of their names."""
        return {n.removeprefix(prefix): shape for n, shape in self._shapes.items() if n.startswith(prefix)}

    def use(self, sources: Iterable[Source], read: Callable[[int], None]) -> None:
        """Check every tensor that sources name, and its numbers; read hears of the bytes gone through."""
        for source in {s.key: s for s in sources}.values():
            self._open.pop(source.key, None)
            if source.key not in self:
                self._fault(LACKS, source.key)
                continue
            found, counter = self._shapes[source.key], source.key.endswith("num_batches_tracked")
            if found != source.shape:
                self._fault(MISSHAPEN, f"{source.key} ({_size(found)}, should be {_size(source.shape)})")
            elif reason := self._unusable(self[source.key], counter):
                self._fault(NOT_USABLE, f"{source.key} ({reason})")
            read(self[source.key].nbytes)

    def average(self, wanted: bool) -> None:
        """Account for the moving averages that LitEma keeps under names without dots; put them in place if wanted."""
        originals = [name for name in self._raw if not name.startswith("model_ema.")]
        at = {name.removeprefix("model.").replace(".", ""): name for name in originals}
        at |= {name.replace(".", ""): name for name in originals}
        copies = [name for name in self._raw if name.startswith("model_ema.")]
        for copy in copies:
            original = at.get(copy.removeprefix("model_ema."))
            if original is None and copy not in ("model_ema.decay", "model_ema.num_updates"):
                continue
            del self._open[copy]
            if wanted and original is not None:
                self._raw[original], self._shapes[original] = self._raw[copy], self._shapes[copy]
        if copies:
            why = "moving averages, which stand for their originals" if wanted else "moving averages; --ema takes them"
            self.left.append(Left("model_ema.*", len(copies), why))

    def leave(self, names: str, pattern: str, why: str) -> list[str]:
        """Leave what is still open and matches pattern; return its names."""
        matching = [name for name in self._open if re.fullmatch(pattern, name)]
        for name in matching:
            del self._open[name]
        if matching:
            self.left.append(Left(names, len(matching), why))
        return matching

    def lack(self, what: str) -> None:
        """Note that a whole network is not there."""
        self._fault(LACKS, what)

    def fit(self, said: str, fits: bool) -> None:
        """Note that one network does not go with another."""
        if not fits:
            self._fault(UNFIT, said)

    def report(self) -> list[str]:
        """Return what is wrong with the file, one line for each kind; call it when all is used or left."""
        kinds = self._faults | ({UNKNOWN: [*self._faults.get(UNKNOWN, []), *self._open]} if self._open else {})
        return [f"{self.path.name}, {kind}: {_listed(names)}" for kind, names in kinds.items()]

    def _fault(self, kind: str, name: str) -> None:
        self._faults.setdefault(kind, []).append(name)

    def _unusable(self, tensor: Tensor, counter: bool) -> str | None:
        """Say why a tensor's numbers cannot be stored, if so; lowest and highest are NaN if one number is."""
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_floating_point() == counter:
            return str(tensor.dtype).removeprefix("torch.")
        if counter or not tensor.numel():
            return None
        # what repeats itself, a single time
        once = tensor[tuple(slice(None if step else 1) for step in tensor.stride())]
        low, high = (float(end) for end in torch.aminmax(once))
        if not (abs(low) < float("inf") and abs(high) < float("inf")):
            return "NaN or infinite"
        return (
            f"up to {max(-low, high):.3g}, more than half precision holds" if max(-low, high) > self.largest else None
        )


def placed(sources: dict[str, Source], prefix: str) -> dict[str, Source]:
    """Return sources whose published names stand behind prefix."""
    return {ours: replace(source, key=prefix + source.key) for ours, source in sources.items()}


def _listed(names: list[str]) -> str:
    more = f", and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{len(names)}: " + ", ".join(names[:SHOWN]) + more


def _size(shape: Iterable[int]) -> str:
    return "×".join(map(str, shape)) or "one number"
