# SPDX-License-Identifier: MIT
"""What the tests of all programs share."""

import os
import signal
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("LILY_BIN", ROOT / "build/release/bin")).resolve()


def heed_signals():
    """Programs inherit what is ignored: a test run in the background (`... &` in a script) ignores Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def limits_addresses(test):
    """Skips a test that sets ulimit -v where the programs have the address sanitizer, which takes terabytes of addresses."""
    sanitized = b"__asan_init" in (BIN / "lily_info").read_bytes()
    return unittest.skipIf(sanitized, "the address sanitizer needs more addresses than ulimit -v leaves")(test)
