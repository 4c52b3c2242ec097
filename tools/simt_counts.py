# SPDX-License-Identifier: MIT
"""How much of the CUDA code ran on the software GPU: adds up what the programs of a test run wrote (LILY_SIMT_COUNTS).

    python3 tools/simt_counts.py FOLDER LIBRARY     the folder with the counts; liblily_kernels.a of the same build

A kernel that was compiled and never ran is a failure, and so is a function of the CUDA runtime, cuBLAS or cuDNN that the
library calls and that was never called."""

import re
import subprocess
import sys
from pathlib import Path

from toolkit import ToolError, run_tool


def read_counts(folder):
    """(compiled, launched, called): the names that at least one program had."""
    names = {"compiled": set(), "launches": set(), "calls": set()}
    for file in sorted(Path(folder).glob("*.txt")):
        for line in file.read_text().splitlines():
            word, _, rest = line.partition(" ")
            if word not in names:
                raise ToolError(f"{file} has a line that is none: {line}")
            names[word].add(rest if word == "compiled" else rest.partition(" ")[2])
    return names["compiled"], names["launches"], {plain(name) for name in names["calls"]}


def plain(function):
    """cublasCreate_v2 is what the headers make of cublasCreate."""
    return function.removesuffix("_v2")


def functions_in(library):
    """The functions of the software GPU's API that a library calls."""
    listing = subprocess.run(["nm", "-C", "-u", str(library)], capture_output=True, text=True)
    if listing.returncode != 0:
        raise ToolError(f"nm cannot read {library}")
    return {plain(name) for name in re.findall(r"^ *U simt_cuda::((?:cuda|cublas|cudnn)\w+)\(", listing.stdout, re.M)}


def summary(folder, library):
    """The line to print, and what is wrong."""
    compiled, launched, called = read_counts(folder)
    used = functions_in(library)
    if not compiled or not used:
        raise ToolError(f"nothing was counted in {folder}")
    missing = [f"the kernel {name} never ran" for name in sorted(compiled - launched)]
    missing += [f"the function {name} was never called" for name in sorted(used - called)]
    line = (f"{len(compiled)} kernels compiled, {len(compiled & launched)} executed; "
            f"{len(used)} functions of the CUDA API used, {len(used & called)} executed")
    return line, missing


def main():
    if len(sys.argv) != 3:
        raise ToolError("usage: simt_counts.py FOLDER LIBRARY")
    line, missing = summary(sys.argv[1], sys.argv[2])
    for text in missing:
        print(text)
    print(line)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(run_tool("simt_counts", main))
