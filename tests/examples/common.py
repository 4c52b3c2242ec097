# SPDX-License-Identifier: MIT
"""What the tests of all programs share."""

import os
import signal
import struct
import unittest
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("LILY_BIN", ROOT / "build/release/bin")).resolve()


def idx(array):
    """An IDX file of bytes, as MNIST's are."""
    array = np.asarray(array, np.uint8)
    return bytes([0, 0, 8, array.ndim]) + b"".join(struct.pack(">I", n) for n in array.shape) + array.tobytes()


def heed_signals():
    """Programs inherit what is ignored: a test run in the background (`... &` in a script) ignores Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def sanitized():
    """Do the programs have the address sanitizer?"""
    return b"__asan_init" in (BIN / "lily_info").read_bytes()


def limits_addresses(test):
    """Skips a test that sets ulimit -v where the programs have the address sanitizer, which takes terabytes of addresses."""
    return unittest.skipIf(sanitized(), "the address sanitizer needs more addresses than ulimit -v leaves")(test)


def mpirun(count, command):
    """The command that starts `count` processes of another, and its environment."""
    words = ["mpirun", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "-np", count, *command]
    # Open MPI leaves memory behind when it ends, which is not the sanitizers' business here.
    sanitizer = ":".join(filter(None, (os.environ.get("ASAN_OPTIONS"), "detect_leaks=0")))
    return [str(word) for word in words], {**os.environ, "OMP_WAIT_POLICY": "passive", "ASAN_OPTIONS": sanitizer}
