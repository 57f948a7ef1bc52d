"""Facts of the machine that a figure was measured on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from lossnlp.bundle import find_default_bundle, read_bundle
from lossnlp.cores import usable_cores

_FLAGS = (
    "avx2",
    "avx512f",
    "avx_vnni",
    "avx512_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "amx_int8",
    "amx_bf16",
    "asimddp",
    "i8mm",
    "bf16",
)
_PACKAGES = (
    "lossnlp",
    "openvino",
    "numpy",
    "tokenizers",
    "torch",
    "transformers",
    "spacy",
    "scikit-learn",
    "uvicorn",
    "mlflow",
)


def machine_facts() -> dict[str, Any]:
    """Gives processor, flags that matrix work profits from, cores, memory, versions and how busy the machine is."""
    told = _cpu_info(Path("/proc/cpuinfo"))
    flags = set((told.get("flags") or told.get("Features") or "").split())
    return {
        "processor": told.get("model name") or platform.processor() or platform.machine(),
        "flags": [flag for flag in _FLAGS if flag in flags],
        "cores_allowed": usable_cores(),
        "cores_of_the_machine": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": package_versions(_PACKAGES),
        "bundle": read_bundle(find_default_bundle()).manifest.version,
        "load_before": round(os.getloadavg()[0], 2),
    }


def package_versions(names: tuple[str, ...]) -> dict[str, str]:
    """Gives the versions of those packages that are installed."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def resident_mb(pid: int | str = "self") -> float:
    """Gives the memory that a process holds now, in MB.

    Source: proc(5), `/proc/pid/status`, VmRSS.
    """
    status = _cpu_info(Path(f"/proc/{pid}/status"))
    return int(status["VmRSS"].split()[0]) / 1024


def _cpu_info(path: Path) -> dict[str, str]:
    """Gives the first value of each name in a file of `name: value` lines; none where there is no such file."""
    found: dict[str, str] = {}
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            found.setdefault(name.strip(), value.strip())
    return found
