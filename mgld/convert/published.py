"""What the published files hold: every tensor of them gets its place in a network, or a reason why it is left."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from mgld.convert import official, refusals, shapes
from mgld.convert.account import SCHEDULE, Account, Left, placed
from mgld.convert.checkpoint import open_checkpoint
from mgld.convert.flow import HALF, flow_account, flow_sources
from mgld.convert.official import Source
from mgld.convert.text import embed_nothing, make_tower, stored_text, tower_sources
from mgld.nets import StructureEncoder, VideoUNet, VideoVAE
from mgld.nets.loading import FIRST_STAGE as OWN_ENCODER

Listener = Callable[[str, int, int], None]  # stage, bytes done, bytes in all

UNET, STRUCTURE, FIRST_STAGE = "model.diffusion_model.", "structcond_stage_model.", "first_stage_model."
TOWER, FLOW = "cond_stage_model.model.", "flownet_model."


@dataclass(frozen=True)
class System:
    """A published system: its two files, where it is written, and whether it has temporal layers."""

    main: str
    vae: str
    place: str
    temporal: bool


SYSTEMS = (System("mgld_unet", "mgld_vae", "", True), System("stablesr", "stablesr_vae", "stablesr/", False))
DTYPES = {"float16": torch.float16, "float32": torch.float32}


@dataclass(frozen=True)
class Published:
    """The files to convert and how; text says where the empty prompt comes from if the checkpoint has no text tower.

    head_channels is the one number that shapes do not show; average takes the moving averages where a file has them.
    """

    mgld_unet: Path
    mgld_vae: Path
    stablesr: Path | None = None
    stablesr_vae: Path | None = None
    raft: Path | None = None
    spynet: Path | None = None
    text: Path | None = None
    dtype: str = "float16"
    average: bool = False
    head_channels: int = shapes.HEAD_CHANNELS


@dataclass(frozen=True)
class ConvertedNet:
    """One network to write: its subfolder, its shape (on "meta"), its file, and where each of its tensors stands there."""

    place: str
    net: nn.Module
    account: Account
    sources: dict[str, Source]
    extra: dict[str, Tensor] = field(default_factory=dict)

    def take(self, name: str) -> Tensor:
        """Return a tensor of the network by our name; layers that the file does not have are written so that they do nothing."""
        if name in self.sources:
            return self.sources[name].take(self.account[self.sources[name].key])
        return self.extra[name] if name in self.extra else torch.zeros(self.net.get_parameter(name).shape)


@dataclass
class Conversion:
    """What the files hold and what becomes of it."""

    accounts: dict[str, Account]
    parts: list[ConvertedNet] = field(default_factory=list)
    flows: dict[str, tuple[Account, str]] = field(default_factory=dict)  # name → file, and what stands before the names
    text: Tensor | None = None
    notes: list[str] = field(default_factory=list)


def examine(published: Published, files: dict[str, Path], told: Listener) -> Conversion:
    """Account for every tensor of every file; raise UserError with one report if anything is wrong."""
    total, done = sum(path.stat().st_size for path in files.values()), 0

    def read(count: int) -> None:
        nonlocal done
        done = min(done + count, total)
        told("check", done, total)

    largest = HALF if published.dtype == "float16" else torch.finfo(torch.float32).max
    plan = Conversion({name: _opened(name, path, largest) for name, path in files.items()})
    plan.flows = {name: (plan.accounts[name], "") for name in ("raft", "spynet") if name in files}
    for account in plan.accounts.values():
        account.average(published.average)
    for system in SYSTEMS if published.stablesr else SYSTEMS[:1]:
        _examine(system, plan, published, read)
    if faults := [line for account in plan.accounts.values() for line in account.report()]:
        raise refusals.checkpoints_refused(faults)
    return plan


def _opened(name: str, path: Path, largest: float) -> Account:
    if name in ("raft", "spynet"):
        return flow_account(name, path)
    return Account(partial(open_checkpoint, path), largest)


def _examine(system: System, plan: Conversion, published: Published, read: Callable[[int], None]) -> None:
    """Account for the two files of a system, one after the other, so that only one is in memory."""
    main, vae = plan.accounts[system.main], plan.accounts[system.vae]

    def unet(found: shapes.Shapes) -> nn.Module:
        return VideoUNet(**shapes.unet_config(found, published.head_channels))

    unets = partial(official.unet_sources, stablesr=not system.temporal)
    vaes = partial(official.vae_sources, temporal=system.temporal)
    parts = [
        _part(main, f"{system.place}unet", UNET, unet, unets, read),
        _part(main, f"{system.place}structure_encoder", STRUCTURE, _structure, official.structure_sources, read),
        _part(vae, f"{system.place}vae", "", _vae, vaes, read),
    ]
    plan.parts += [part for part in parts if part is not None]
    _check_fit(*parts)
    _flow_inside(plan, system.main, read)
    tower = _tower(main, published, read)
    _first_stage(plan, main, parts[2], read)
    middle = f"{UNET}middle_block.{2 if system.temporal else 1}.proj_out.weight"
    if middle in main and not main[middle].any():  # what training from unrenamed weights leaves (spec §1.6)
        plan.notes.append(
            f"{main.path.name}: the middle transformer adds nothing, its projection is zero; kept as it is"
        )
    main.leave("the noise schedule", "|".join(SCHEDULE), "recomputed from scheduler_config.json")
    vae.leave("loss.*", r"loss\..+", "losses of training")
    if parts[0] is not None and not main.report():
        _embed(plan, published, parts[0], tower)
    main.release()
    vae.release()


def _check_fit(unet: ConvertedNet | None, structure: ConvertedNet | None, vae: ConvertedNet | None) -> None:
    """Note where the numbers of one network do not fit the next."""
    if unet is None:
        return
    wanted = unet.net.config
    if structure is not None:
        found = structure.net.config
        for name, here, there in (
            ("latent channels", found.latent_channels, wanted.latent_channels),
            ("levels", len(found.channels), len(wanted.channels)),
            ("channels a feature map", found.out_channels, wanted.structure_channels),
        ):
            structure.account.fit(f"{structure.place} has {here} {name}, the U-Net {there}", here == there)
    if vae is not None:
        here, there = vae.net.config.latent_channels, wanted.latent_channels
        vae.account.fit(f"{vae.place} has {here} latent channels, the U-Net {there}", here == there)


def _structure(found: shapes.Shapes) -> nn.Module:
    return StructureEncoder(**shapes.structure_config(found))


def _vae(found: shapes.Shapes) -> nn.Module:
    return VideoVAE(**shapes.vae_config(found))


def _part(
    account: Account,
    place: str,
    prefix: str,
    make: Callable[[shapes.Shapes], nn.Module],
    sources_of: Callable[[nn.Module], dict[str, Source]],
    read: Callable[[int], None],
) -> ConvertedNet | None:
    """Build one network as its tensors' shapes show it, and hold the tensors against it."""
    try:
        with torch.device("meta"):
            net = make(account.shapes(prefix))
    except (LookupError, ValueError, ArithmeticError, RuntimeError):
        account.lack(f"all of {place}: too few tensors called {prefix or 'encoder.'}…")
        return None
    sources = placed(sources_of(net), prefix)
    account.use(sources.values(), read)
    return ConvertedNet(place, net, account, sources)


def _flow_inside(plan: Conversion, name: str, read: Callable[[int], None]) -> None:
    """Take RAFT out of the checkpoint unless another file gives it."""
    main = plan.accounts[name]
    if "raft" in plan.flows:
        main.leave(FLOW + "*", re.escape(FLOW) + ".+", "another file gives RAFT")
    elif main.shapes(FLOW):
        main.use(placed(flow_sources("raft"), FLOW).values(), read)
        plan.flows["raft"] = (main, FLOW)


def _tower(main: Account, published: Published, read: Callable[[int], None]) -> ConvertedNet | None:
    """Account for the text tower; its last layer and what follows it are never used."""
    if published.text or not main.shapes(TOWER):
        main.leave("cond_stage_model.*", r"cond_stage_model\..+", "--text gives the empty prompt")
        return None
    tower = _part(main, "text tower", TOWER, make_tower, tower_sources, read)
    last = tower.net.config.num_hidden_layers if tower else r"\d+"
    unused = rf"(transformer\.resblocks\.{last}\..+|text_projection|logit_scale|attn_mask|visual\..+)"
    main.leave(
        TOWER + "* (last layer, projection)", re.escape(TOWER) + unused, "the prompt is read before the last layer"
    )
    return tower


def _first_stage(plan: Conversion, main: Account, vae: ConvertedNet | None, read: Callable[[int], None]) -> None:
    """Hold the checkpoint's own autoencoder, if it has one, against the other file's, which stands for both."""
    if vae is None or not main.shapes(FIRST_STAGE):
        main.leave(FIRST_STAGE + "*", re.escape(FIRST_STAGE) + ".+", "the other file's autoencoder stands for it")
        return
    sources = {ours: s for ours, s in vae.sources.items() if not ours.startswith(("temporal", "fusion"))}
    main.use(placed(sources, FIRST_STAGE).values(), read)
    keys = [source.key for source in sources.values() if FIRST_STAGE + source.key in main and source.key in vae.account]
    other = [key for key in keys if not torch.equal(main[FIRST_STAGE + key], vae.account[key])]
    why = "equal to the autoencoder of the other file, which stands for it"
    if other:
        why = f"{len(other)} tensors differ from the other file's autoencoder, e.g. {FIRST_STAGE}{other[0]}"
        place = vae.place.removesuffix("vae") + OWN_ENCODER
        plan.notes.append(f"{main.path.name}: {FIRST_STAGE}*: {why}; kept as {place} for --encoders two")
        plan.parts.append(_autoencoder_alone(place, vae, main, sources))
        return
    main.left.append(Left(FIRST_STAGE + "*", len(keys), why))


def _autoencoder_alone(place: str, vae: ConvertedNet, main: Account, sources: dict[str, Source]) -> ConvertedNet:
    """Return a checkpoint's own autoencoder, which is the other file's without fusion and temporal layers."""
    with torch.device("meta"):
        net = VideoVAE.from_config(vae.net.config, fusion_levels=())
    return ConvertedNet(place, net, main, placed(sources, FIRST_STAGE))


def _embed(plan: Conversion, published: Published, unet: ConvertedNet, tower: ConvertedNet | None) -> None:
    """Give the U-Net the empty prompt's embedding: its own tower's, the given one, or the one before (MGLD's)."""
    channels = unet.net.config.text_channels
    if tower is not None:
        plan.text = embed_nothing(tower.net, {name: tower.take(name) for name in tower.sources})
    elif published.text is not None:
        plan.text = stored_text(Path(published.text), channels)
    if plan.text is None:
        unet.account.lack(f"the empty prompt's embedding (no {TOWER}*): {refusals.HOW_TO_GET_TEXT}")
        return
    if plan.text.shape[-1] != channels:
        unet.account.lack(f"an embedding of {channels} channels (its text tower gives {plan.text.shape[-1]})")
        return
    unet.extra["text"] = plan.text
    unet.net.register_to_config(text_tokens=plan.text.shape[1])
    unet.net.text = torch.zeros(plan.text.shape, device="meta")
