# SPDX-License-Identifier: MIT
"""What the runs ran on: names, and limits measured by the program `machine`."""

import json
import os
import platform
import re
import subprocess
from pathlib import Path

from toolkit import ROOT, ToolError

from .process import last_line, why

# What asks both sides for narrower vectors than the machine has: our kernels, oneDNN, PyTorch's own (and its compiler's).
NARROWER = {"avx2": {"LILY_CPU_ISA": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}}


def cores():
    return len(os.sched_getaffinity(0))


def first_match(path, pattern):
    try:
        found = re.search(pattern, Path(path).read_text(errors="replace"), re.M)
    except OSError:
        return "unknown"
    return found.group(1).strip() if found else "unknown"


def describe(binaries, threads, env):
    """Names of the machine, and the limits that `machine` measures now on so many threads."""
    command = [binaries / "machine", "--threads", str(threads), "--json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **env}, check=False)
    except OSError as error:
        raise ToolError(f"cannot start {command[0]}: {error.strerror}; build it: cmake --build build/release") from None
    if done.returncode:
        raise ToolError(f"{command[0]} failed ({why(done.returncode)}): {last_line(done.stderr)}")
    flags = first_match("/proc/cpuinfo", r"^(?:flags|Features)\s*:(.*)$").split()
    memory = first_match("/proc/meminfo", r"^MemTotal:\s*(\d+) kB")
    return {"cpu": first_match("/proc/cpuinfo", r"^model name\s*:(.*)$"), "cores": cores(),
            "vector_flags": [flag for flag in flags if re.match(r"avx|amx|fma|sse4_2", flag)],
            "memory_gbytes": round(int(memory) * 1024 / 1e9, 1) if memory.isdigit() else None,
            "system": f"{platform.system()} {platform.release()}", "load_before": round(os.getloadavg()[0], 2),
            **json.loads(done.stdout)}


def revision():
    """The commit of this checkout, with a + if files were changed since; "unknown" outside of git."""
    def git(*words):
        return subprocess.run(["git", "-C", ROOT, *words], capture_output=True, text=True, check=False)
    try:
        commit, changed = git("rev-parse", "--short=12", "HEAD"), git("status", "--porcelain", "--untracked-files=no")
    except OSError:
        return "unknown"
    return commit.stdout.strip() + ("+" if changed.stdout.strip() else "") if commit.returncode == 0 else "unknown"
