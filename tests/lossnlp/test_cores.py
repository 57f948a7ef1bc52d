"""A container's bound on processors is kept, whichever way the system tells it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lossnlp.cores import usable_cores


def lay_out(root: Path, **files: str) -> None:
    """Writes files; their names hold `__` where a path has a slash."""
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("DOT", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="ascii")


@pytest.mark.parametrize(
    ("told", "cores"),
    [("200000 100000", 2), ("150000 100000", 1), ("50000 100000", 1), ("max 100000", 8), ("6400000 100000", 8)],
)
def test_quota_of_the_group_bounds_the_cores(tmp_path: Path, told: str, cores: int) -> None:
    lay_out(tmp_path, proc__self__cgroup="0::/", sys__fs__cgroup__cpuDOTmax=told)
    assert usable_cores(tmp_path, allowed=8) == cores


def test_tightest_group_above_counts(tmp_path: Path) -> None:
    lay_out(
        tmp_path,
        proc__self__cgroup="0::/pod/box",
        sys__fs__cgroup__pod__cpuDOTmax="300000 100000",
        sys__fs__cgroup__pod__box__cpuDOTmax="max 100000",
    )
    assert usable_cores(tmp_path, allowed=8) == 3


def test_container_sees_its_group_at_the_top(tmp_path: Path) -> None:
    lay_out(tmp_path, proc__self__cgroup="0::/seen/from/outside", sys__fs__cgroup__cpuDOTmax="400000 100000")
    assert usable_cores(tmp_path, allowed=8) == 4


@pytest.mark.parametrize("folder", ["cpu,cpuacct", "cpu"])
def test_first_version_of_groups_is_read(tmp_path: Path, folder: str) -> None:
    lay_out(tmp_path, proc__self__cgroup="5:cpuset:/x\n4:cpu,cpuacct:/docker/box\n1:name=systemd:/x")
    group = tmp_path / "sys/fs/cgroup" / folder / "docker/box"
    lay_out(group, cpuDOTcfs_quota_us="250000", cpuDOTcfs_period_us="100000")
    assert usable_cores(tmp_path, allowed=8) == 2


def test_first_version_without_a_bound(tmp_path: Path) -> None:
    lay_out(tmp_path, proc__self__cgroup="4:cpu:/")
    lay_out(tmp_path / "sys/fs/cgroup/cpu", cpuDOTcfs_quota_us="-1", cpuDOTcfs_period_us="100000")
    assert usable_cores(tmp_path, allowed=8) == 8


def test_system_without_groups_has_all_that_is_allowed(tmp_path: Path) -> None:
    assert usable_cores(tmp_path, allowed=8) == 8
    assert 1 <= usable_cores(tmp_path) <= (os.cpu_count() or 1)


def test_unreadable_bound_is_none(tmp_path: Path) -> None:
    lay_out(tmp_path, proc__self__cgroup="0::/", sys__fs__cgroup__cpuDOTmax="soon 0")
    assert usable_cores(tmp_path, allowed=8) == 8
