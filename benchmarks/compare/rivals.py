# SPDX-License-Identifier: MIT
"""Pythons that have what we are compared with: those that were named, or virtual environments made on demand."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from toolkit import ROOT, ToolError, explain_os_error

from .process import last_line


@dataclass(frozen=True)
class Rival:
    """A package that does the same."""
    name: str
    module: str
    packages: tuple
    needs: str

    @property
    def venv(self):
        return ROOT / "build" / f"{self.module}-venv"

    @property
    def option(self):
        return f"--{self.module}-python"


RIVALS = {rival.name: rival for rival in (
    # PyTorch: its current release; it warns at each start without NumPy
    Rival("PyTorch", "torch", ("torch", "numpy"), "PyTorch, NumPy and what they ask for: some 3 GB to download, 6 GB on the disk"),
    Rival("JAX", "jax", ("jax==0.10.2", "jaxlib==0.10.2"), "JAX and what it asks for: half a GB on the disk"),
    Rival("TensorFlow", "tensorflow", ("tensorflow-cpu==2.21.0",), "TensorFlow and what it asks for: some 2 GB on the disk"),
)}


def version_of(rival, python):
    """The version of this Python's package, or None if it has none that can be imported."""
    command = [python, "-c", f"import {rival.module} as it; print(it.__version__)"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise explain_os_error(error, python, "read") from None
    return done.stdout.strip() if done.returncode == 0 else None


def find(name, named, log=print):
    """(python, version) for a name of RIVALS: `named` (--torch-python and its kin), else of a folder in build/, which is made if it is
    not there."""
    rival = RIVALS[name]
    if named:
        version = version_of(rival, named)
        if version is None:
            raise ToolError(f"{named} cannot import {rival.module}; name another one with {rival.option}, or none")
        return Path(named), version
    python = rival.venv / "bin" / "python"
    if not python.exists():
        make(rival, log)
    version = version_of(rival, python)
    if version is None:
        raise ToolError(f"{rival.venv} has no {name} that can be imported; delete the folder and run this again")
    return python, version


def find_all(names, arguments, log=print):
    """({name: python}, {name: version})"""
    found = {name: find(name, getattr(arguments, f"{RIVALS[name].module}_python"), log) for name in names}
    return {name: python for name, (python, _) in found.items()}, {name: version for name, (_, version) in found.items()}


def make(rival, log):
    log(f"{rival.name}: installing into {rival.venv.relative_to(ROOT)}, once, with pip: {rival.needs}")
    base = Path(sys.base_prefix) / "bin" / "python3"  # not the environment that this runs in
    commands = [[base if base.exists() else sys.executable, "-m", "venv", rival.venv],
                [rival.venv / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                 "--only-binary", ":all:", *rival.packages]]
    made = False
    try:
        for command in commands:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise ToolError(f"cannot install {rival.name}: {last_line(done.stderr or done.stdout)}; "
                                f"check the network and the space on the disk, or name a Python that has it with {rival.option}")
        made = True
    except OSError as error:
        raise explain_os_error(error, rival.venv, "write") from None
    finally:
        if not made:
            shutil.rmtree(rival.venv, ignore_errors=True)
