# SPDX-License-Identifier: MIT
"""Trainings by several processes: mpirun starts them here."""

import os
import re
import shutil
import signal
import subprocess
import time
import unittest

import test_stylegan
from common import heed_signals, mpirun, sanitized
from resume_cases import hashes

TESTS = test_stylegan.PROGRAM.parent.parent / "tests/test_models"
heed_signals()


@unittest.skipUnless(shutil.which("mpirun"), "there is no mpirun (apt install openmpi-bin)")
class Processes(unittest.TestCase):
    def setUp(self):
        test_stylegan.StyleGanTest.setUp(self)
        self.env = mpirun(1, ())[1]

    def mpirun(self, count, *command):
        return mpirun(count, command)[0]

    def run_by(self, count, *command, code=0):
        result = subprocess.run(self.mpirun(count, *command), capture_output=True, text=True, timeout=300, env=self.env)
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        return result

    def train_command(self, out, iterations, *options):
        return test_stylegan.StyleGanTest.train_command(self, out, iterations, "--batch-size", 24, *options)

    TINY = test_stylegan.StyleGanTest.TINY

    def test_the_group(self):
        for count in (1, 2, 3):
            self.assertIn(f"size {count}", self.run_by(count, TESTS, "processes: sums*").stdout)
            self.run_by(count, TESTS, "processes: gradients*")
            self.run_by(count, TESTS, "processes: gathered*")

    def losses(self, count, test, expected):
        losses = [float(number) for number in re.findall(r"loss (\S+)", self.run_by(count, TESTS, test).stdout)]
        self.assertEqual(len(losses), expected)
        return losses

    @unittest.skipIf(sanitized(), "numbers are the release build's business: six runs of 100 steps in f64 take minutes here")
    def test_losses_do_not_depend_on_the_number_of_processes(self):
        # StyleGAN in f64, the MNIST GAN, whose batch norm is of all processes' samples, in f32.
        for test, expected, tolerance in (("processes: StyleGAN*", 3 * 20 * 5, 1e-9), ("processes: the MNIST GAN*", 2 * 20 * 5, 1e-5)):
            one = self.losses(1, test, expected)
            for count in (2, 3):
                several = self.losses(count, test, expected)
                worst = max(abs(a - b) / max(abs(a), 1e-3) for a, b in zip(one, several, strict=True))
                self.assertLess(worst, tolerance, f"{count} processes, {test}")

    def test_the_same_bits_again_and_resumed_by_another_number(self):
        self.run_by(2, *self.train_command("one", 12, "--quiet"))
        self.run_by(2, *self.train_command("two", 6, "--quiet"))
        self.run_by(2, *self.train_command("two", 12, "--quiet", "--resume"))
        self.assertEqual(hashes(self.dir / "one"), hashes(self.dir / "two"))
        result = self.run_by(3, *self.train_command("two", 14, "--resume"))
        self.assertRegex(result.stderr, "3 processes train together")
        self.assertEqual(result.stderr.count("goes on after iteration 12"), 1, "one process speaks")
        subprocess.run(self.train_command("two", 15, "--resume", "--quiet"), check=True)

    def test_a_process_that_dies(self):
        command = self.mpirun(3, *self.train_command("run", 100000, "--checkpoint-every", 0.1))
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=self.env)
        try:
            log = self.dir / "run/log.csv"
            while not log.exists() or log.read_bytes().count(b"\n") < 12:
                time.sleep(0.02)
                self.assertIsNone(process.poll())
            children = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True).stdout.split()
            self.assertEqual(len(children), 3)
            os.kill(int(children[-1]), signal.SIGKILL)
            begin = time.monotonic()
            out = process.communicate(timeout=60)[0]
        finally:
            process.kill()
            process.wait()
        self.assertLess(time.monotonic() - begin, 10)
        self.assertNotEqual(process.returncode, 0)
        self.assertIn("stylegan: another process of this training does not answer; go on from the last checkpoint by --resume", out)
        self.run_by(2, *self.train_command("run", 20, "--resume", "--quiet"), code=0 if self.iterations("run") <= 20 else 1)

    def iterations(self, out):
        return (self.dir / out / "log.csv").read_bytes().count(b"\n") - 1

    def test_interrupted_together(self):
        process = subprocess.Popen(self.mpirun(2, *self.train_command("run", 100000)), stderr=subprocess.PIPE, text=True, env=self.env)
        while not (self.dir / "run/log.csv").exists() or self.iterations("run") < 5:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        errors = process.communicate(timeout=60)[1]
        self.assertRegex(errors, r"interrupted after iteration \d+; to go on: the same command with --resume")
        done = self.iterations("run")
        result = self.run_by(2, *self.train_command("run", done + 2, "--resume"))
        self.assertIn(f"goes on after iteration {done}", result.stderr)

    def test_what_is_refused(self):
        result = self.run_by(2, *self.train_command("run", 3, "--batch-size", 4), code=1)
        self.assertIn("expected a batch of a multiple of 8 pictures, got 4", result.stderr)
        words = [*self.train_command("run", 3)]
        other = [*self.train_command("run", 3, "--gamma", 3)]
        result = self.run_by(1, *words, ":", "-np", 1, *other, code=1)
        self.assertIn("the processes of this training differ in data or options: start all of them alike", result.stderr)


if __name__ == "__main__":
    unittest.main()
