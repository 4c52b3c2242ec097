# SPDX-License-Identifier: MIT
"""A Python that has PyTorch: the one that was named, or a virtual environment made on demand."""

import shutil
import subprocess
import sys
from pathlib import Path

from toolkit import ROOT, ToolError, explain_os_error

from .process import last_line

VENV = ROOT / "build" / "torch-venv"
PACKAGES = ["torch", "numpy"]  # the current releases; torch warns at each start without numpy
NEEDS = "PyTorch, NumPy and what they ask for: some 3 GB to download, 6 GB on the disk"


def torch_version(python):
    """The version of this Python's PyTorch, or None if it has none that can be imported."""
    try:
        done = subprocess.run([python, "-c", "import torch; print(torch.__version__)"], capture_output=True, text=True, check=False)
    except OSError as error:
        raise explain_os_error(error, python, "read") from None
    return done.stdout.strip() if done.returncode == 0 else None


def find(named, log=print):
    """(python, version): of `named` (--torch-python), else of build/torch-venv, which is made if it is not there."""
    if named:
        version = torch_version(named)
        if version is None:
            raise ToolError(f"{named} cannot import torch; name another one with --torch-python, or none")
        return Path(named), version
    python = VENV / "bin" / "python"
    if not python.exists():
        make(log)
    version = torch_version(python)
    if version is None:
        raise ToolError(f"{VENV} has no PyTorch that can be imported; delete the folder and run this again")
    return python, version


def make(log):
    log(f"PyTorch: installing into {VENV.relative_to(ROOT)}, once, with pip: {NEEDS}")
    base = Path(sys.base_prefix) / "bin" / "python3"  # not the environment that this runs in
    commands = [[base if base.exists() else sys.executable, "-m", "venv", VENV],
                [VENV / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                 "--only-binary", ":all:", *PACKAGES]]
    made = False
    try:
        for command in commands:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise ToolError(f"cannot install PyTorch: {last_line(done.stderr or done.stdout)}; "
                                "check the network and the space on the disk, or name a Python that has it with --torch-python")
        made = True
    except OSError as error:
        raise explain_os_error(error, VENV, "write") from None
    finally:
        if not made:
            shutil.rmtree(VENV, ignore_errors=True)
