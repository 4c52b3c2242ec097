#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the tests of tools/: python tests/tools/run.py [-v]. Needs tools/requirements.txt, nothing else."""

import sys
import unittest
from pathlib import Path

if __name__ == "__main__":
    folder = str(Path(__file__).resolve().parent)
    sys.path.insert(0, folder)
    suite = unittest.defaultTestLoader.discover(folder, top_level_dir=folder)
    result = unittest.TextTestRunner(verbosity=2 if "-v" in sys.argv[1:] else 1).run(suite)
    sys.exit(not result.wasSuccessful() or not result.testsRun)
