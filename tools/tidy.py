# SPDX-License-Identifier: MIT
"""clang-tidy over the libraries and programs of build/release, on all cores; prints what it finds and, last, what it did.

A file that was clean is not looked at again until it, a header of ours that it includes, or .clang-tidy changes: the
digests of clean files are kept in build/tidy."""

import concurrent.futures
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
BUILD = REPO / "build" / "release"
CLEAN = REPO / "build" / "tidy"
# Any from 14 on; the oldest, because it knows the fewest reasons to complain.
TIDY = next((path for version in range(14, 40) if (path := shutil.which(f"clang-tidy-{version}"))), shutil.which("clang-tidy"))
OURS = ("kernels", "framework", "models", "examples")


def dependencies():
    """{source: [our headers]} as the last build recorded them."""
    listing = subprocess.run(["ninja", "-C", BUILD, "-t", "deps"], check=True, capture_output=True, text=True).stdout
    result = {}
    for block in listing.split("\n\n"):
        paths = [Path(os.path.normpath(BUILD / line.strip())) for line in block.splitlines()[1:]]
        ours = sorted(p for p in paths if p.is_relative_to(REPO) and p.relative_to(REPO).parts[0] in OURS and p.exists())
        for source in (p for p in ours if p.suffix == ".cpp"):
            result[source] = ours
    return result


def digest(files):
    key = hashlib.sha256((REPO / ".clang-tidy").read_bytes())
    for file in files:
        key.update(file.read_bytes())
    return key.hexdigest()


def look_at(source):
    run = subprocess.run([TIDY, "--quiet", "--extra-arg=-Wno-unknown-warning-option", "-p", BUILD, source], capture_output=True, text=True, cwd=REPO)
    output = "\n".join(line for line in run.stdout.splitlines() if line.strip())
    return run.returncode, output or run.stderr


def main():
    if not TIDY:
        sys.exit("clang-tidy not found: bash tools/setup.sh --test")
    if not (BUILD / "compile_commands.json").exists():
        sys.exit("build/release is not configured: cmake --preset release && cmake --build build/release")
    CLEAN.mkdir(parents=True, exist_ok=True)
    if not dependencies():
        sys.exit("build/release is not built, so the headers of each source are not known: cmake --build build/release")
    digests = {source: digest(files) for source, files in dependencies().items()}
    stale = [source for source in sorted(digests) if not (CLEAN / digests[source]).exists()]
    seen, failed = set(), 0
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for source, (code, output) in zip(stale, pool.map(look_at, stale)):
            if code == 0:
                (CLEAN / digests[source]).touch()
                continue
            failed += 1
            for message in re.split(r"\n(?=/)", output):  # a header's fault is told once, not once per source
                if message not in seen:
                    seen.add(message)
                    print(message.replace(f"{REPO}/", ""))
    print(f"{len(digests)} files, {len(stale)} looked at, {failed} with faults")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
