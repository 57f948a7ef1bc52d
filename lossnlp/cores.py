"""How many processors this process may keep busy: those it may run on, and no more than its control groups pay for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path


def usable_cores(root: Path = Path("/"), *, allowed: int | None = None) -> int:
    """Gives the number of processors that threads can use without being held back, at least 1.

    A share of a processor is left alone: of 1.5 processors two busy threads would both stand still for a part of every period.

    Args:
        root: Where the file system begins.
        allowed: Processors that the process may run on; None asks the system.

    Source: Linux kernel, "Control Group v2", `cpu.max`; "CFS Bandwidth Control", `cpu.cfs_quota_us` (v1).
    """
    quotas = [quota for folder in _control_groups(root) if (quota := _find_quota(folder)) is not None]
    return max(1, min([allowed or _allowed_cores(), *map(int, quotas)]))


def _allowed_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _control_groups(root: Path) -> Iterator[Path]:
    """Gives the folders of the groups that bound the processors of this process; a group is bound by all above it."""
    mount = root / "sys/fs/cgroup"
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, group = line.split(":", 2)
        if not controllers:
            yield from _up(mount, group)
        elif "cpu" in controllers.split(","):
            yield from _up(mount / controllers, group)
            yield from _up(mount / "cpu", group)


def _up(top: Path, group: str) -> Iterator[Path]:
    """Gives the folder of a group and those above it; a container may see its own group at the top, and its path nowhere."""
    folder = top / group.strip("/")
    while folder != top:
        yield folder
        folder = folder.parent
    yield top


def _find_quota(folder: Path) -> float | None:
    """Gives the processors that a group pays for, None where it sets no bound."""
    quota, _, period = _read(folder / "cpu.max").partition(" ")
    if not quota:
        quota, period = _read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us")
    try:
        return int(quota) / int(period) if int(quota) > 0 else None
    except (ValueError, ZeroDivisionError):
        return None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
