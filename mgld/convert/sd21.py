"""Convert the published checkpoints of MGLD and StableSR into one model folder.

Nothing is written before every tensor of every file is accounted for (published.py). StableSR's networks stand in OUT/stablesr, a
model folder of its own: `--model OUT/stablesr --method per_frame` is StableSR.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import torch
from diffusers import DDPMScheduler, ModelMixin

from mgld import errors
from mgld.convert import folder
from mgld.convert.fetch import S_LAB
from mgld.convert.flow import LICENCES, flow_sources, store_flow
from mgld.convert.published import DTYPES, Conversion, Listener, Published, examine
from mgld.flow import FLOW_FOLDER
from mgld.pipeline import MGLDPipeline
from mgld.presets import MANIFEST, SD21, sha256_of

LICENCE = {
    "MGLD-VSR, StableSR": S_LAB,
    "Stable Diffusion 2.1": "CreativeML OpenRAIL++-M",
    "RAFT": LICENCES["raft"],
}


def convert_sd21(published: Published, out: Path, told: Listener = lambda *_: None) -> dict:
    """Write a model folder into out, absent or empty, and return its manifest; raise UserError if a file is not as it should be.

    Tensors are mapped, so that memory holds little more than the pages of the largest file.
    """
    out, files = Path(out), _files(published)
    folder.check_place(out, 0)
    with ThreadPoolExecutor(1) as beside:
        digests = {name: beside.submit(sha256_of, path) for name, path in files.items()}
        plan = examine(published, files, told)
        dtype = DTYPES[published.dtype]
        folder.check_place(out, sum(folder.size_of(part.net, dtype) for part in plan.parts))
        inputs = {
            name: {"file": path.name, "bytes": path.stat().st_size, "sha256": digests[name].result()}
            for name, path in files.items()
        }
    return _write(plan, out, dtype, inputs, told)


def _files(published: Published) -> dict[str, Path]:
    """Return the given files by the name of their option."""
    if (published.stablesr is None) != (published.stablesr_vae is None):
        names = ["--stablesr", "--stablesr-vae"]
        raise errors.option_alone(*(names if published.stablesr else reversed(names)))
    if published.head_channels < 1:
        raise errors.bad_setting("--head-channels", published.head_channels, "1 or more")
    names = ("mgld_unet", "mgld_vae", "stablesr", "stablesr_vae", "raft", "spynet")
    files = {name: Path(getattr(published, name)) for name in names if getattr(published, name) is not None}
    for path in files.values():
        if not path.is_file():
            raise errors.file_missing(path)
    return files


def _write(plan: Conversion, out: Path, dtype: torch.dtype, inputs: dict, told: Listener) -> dict:
    """Write all parts, then the manifest that names every file."""
    total, done = sum(folder.size_of(part.net, dtype) for part in plan.parts), 0

    def wrote(count: int) -> None:
        nonlocal done
        done += count
        told("write", done, total)

    with folder.whole(out) as into:
        for part in plan.parts:
            folder.write_net(into / part.place, part.net, part.take, dtype, wrote)
            part.account.release()
        for place in {Path(part.place).parent for part in plan.parts}:
            _index(into / place, [part.net for part in plan.parts if Path(part.place).parent == place])
        for name, (account, prefix) in plan.flows.items():
            state = {key: account[prefix + key] for key in flow_sources(name)}
            given = next(inputs[role] for role, opened in plan.accounts.items() if opened is account)
            store_flow(name, state, into / FLOW_FOLDER, given["file"], given["sha256"])
        manifest = {
            "inputs": inputs,
            "dtype": str(dtype).removeprefix("torch."),
            "left": {n: [asdict(left) for left in account.left] for n, account in plan.accounts.items()},
            "notes": plan.notes,
            "licence": LICENCE,
            "outputs": folder.hashes(into),
        }
        text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
        (into / MANIFEST).write_text(text, encoding="utf-8")
    return manifest


def _index(place: Path, nets: list[ModelMixin]) -> None:
    """Write what says which parts a folder has, and the noise schedule."""
    unet, structure_encoder, vae, *_ = nets  # and an encoder of its own, where there is one
    scheduler = DDPMScheduler(**SD21["scheduler"])
    scheduler.save_pretrained(place / "scheduler")
    MGLDPipeline(vae, unet, structure_encoder, scheduler).save_config(place)
