# SPDX-License-Identifier: MIT
"""The programs start themselves anew, once, so that waiting threads of oneDNN's loops sleep soon (framework/short_waits.h)."""

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from common import BIN

PROGRAMS = ("style_transfer", "mnist_gan", "tutorial_train")
SETTINGS = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "LD_PRELOAD")


def run(program, *options, **environment):
    env = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    return subprocess.run([program, *options], env={**env, **environment}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=False)


def starts(program, **environment):
    """How often the dynamic loader has started the program: it can be asked to say so."""
    return run(program, "--help", LD_DEBUG="statistics", **environment).stderr.count("total startup time")


class ShortWaitsTest(unittest.TestCase):
    def test_a_program_starts_itself_anew_once(self):
        for name in PROGRAMS:
            self.assertEqual(starts(BIN / name), 2, name)

    def test_what_the_user_has_set_stays(self):
        self.assertEqual(starts(BIN / "style_transfer", GOMP_SPINCOUNT="5"), 1)
        self.assertEqual(starts(BIN / "style_transfer", OMP_WAIT_POLICY="active"), 1)

    def test_what_is_preloaded_starts_once(self):
        self.assertEqual(starts(BIN / "style_transfer", LD_PRELOAD="libm.so.6"), 1)

    def test_arguments_and_exit_status_stay(self):
        for options in (["--help"], ["--no-such-option"], ["", "--content", "a b", "ü\n"], []):
            for name in PROGRAMS:
                once, anew = (run(BIN / name, *options, **environment) for environment in ({"GOMP_SPINCOUNT": "1000"}, {}))
                self.assertEqual((anew.returncode, anew.stdout, anew.stderr), (once.returncode, once.stdout, once.stderr), name)

    def test_by_a_link_or_a_relative_path(self):
        with tempfile.TemporaryDirectory() as folder:
            link = Path(folder, "link")
            link.symlink_to(BIN / "tutorial_train")
            self.assertEqual(starts(link), 2)
            self.assertEqual(starts(os.path.relpath(BIN / "tutorial_train")), 2)
            self.assertEqual(run(link, "--help").returncode, 0)

    def test_a_program_that_cannot_be_started_again_goes_on(self):
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            program = Path(folder, "program")
            shutil.copy(BIN / "tutorial_train", program)
            # gone once it runs: the shell replaces itself by the program through a descriptor, after the file is unlinked
            done = run("bash", "-c", 'exec 9<"$0"; rm "$0"; exec /proc/self/fd/9 --help', program)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("--data", done.stdout)


if __name__ == "__main__":
    unittest.main()
