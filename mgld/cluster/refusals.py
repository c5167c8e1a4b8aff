"""Every sentence that a person can be shown when work cannot be spread over machines."""

from __future__ import annotations

from collections.abc import Iterable

from mgld import host
from mgld.errors import UserError


def cluster_missing(address: object, reason: str) -> UserError:
    return UserError(
        f"No cluster could be reached at {address or 'this machine'}: {reason}. One that asks for a token needs "
        f"~/{host.RAY_TOKEN} of its first machine here too."
    )


def cluster_too_small(wanted: int, kind: str, has: int) -> UserError:
    return UserError(f"{wanted} workers were asked for, but the cluster has {has} {kind}.")


def workers_lost(reason: str) -> UserError:
    return UserError(f"No worker of the cluster could open the model; the last one: {reason}.")


def workers_differ(first: str, other: str, what: Iterable[str]) -> UserError:
    return UserError(
        f"The workers on {first} and {other} differ in their {' and '.join(what)}; give all of them the same files and --dtype."
    )


def segment_lost(first: int, attempts: int, reason: str) -> UserError:
    return UserError(
        f"The segment from frame {first} on was given up: {attempts} workers failed at it, the last one with: {reason}."
    )
