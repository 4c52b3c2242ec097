# SPDX-License-Identifier: MIT
"""What every training program promises: killed at any moment or interrupted, it goes on to the same bytes in every file."""

import hashlib
import random
import signal
import subprocess
import time


def hashes(folder):
    """Of all files of a run, by name."""
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
            for p in sorted(folder.rglob("*")) if p.is_file()}


class ResumeCases:
    """To mix into a unittest.TestCase that has self.dir, command(...), train(out, iterations, *options, code=0), fails(...),
    and train_command(out, iterations, *options); LONG are options with which 400 iterations take about a second
    or, for slower steps, FEW and MANY are smaller."""

    LONG = ()
    FEW, MANY = 400, 3000
    INTERRUPTED = r"interrupted after iteration \d+; to go on: the same command with --resume"

    def hashes(self, out):
        return hashes(self.dir / out)

    def test_kill_9_at_any_moment(self):
        self.train("whole", self.FEW, *self.LONG)
        want = self.hashes("whole")
        draw = random.Random(1)
        command = self.train_command("cut", self.FEW, *self.LONG, "--resume", "--quiet")
        kills = 0
        for _ in range(60):
            process = subprocess.Popen(command)
            time.sleep(0.03 + 0.3 * draw.random())
            if process.poll() is not None:
                break
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
        self.assertGreaterEqual(kills, 1)
        subprocess.run(command, check=True)
        for stray in (self.dir / "cut").rglob(".*.tmp-*"):
            stray.unlink()  # of a file that the last run did not write again
        self.assertEqual(self.hashes("cut"), want)

    def test_interrupt_and_resume(self):
        self.train("whole", self.MANY, *self.LONG)
        process = subprocess.Popen(self.train_command("cut", self.MANY, *self.LONG), stderr=subprocess.PIPE, text=True)
        while not (self.dir / "cut/log.csv").exists() or (self.dir / "cut/log.csv").stat().st_size < 2000:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        errors = process.communicate()[1]
        self.assertEqual(process.returncode, 130, errors)
        self.assertRegex(errors, self.INTERRUPTED)
        result = self.train("cut", self.MANY, *self.LONG, "--resume")
        self.assertRegex(result.stderr, "goes on after iteration")
        self.assertEqual(self.hashes("cut"), self.hashes("whole"))

    def test_more_iterations(self):
        self.train("whole", 21)
        self.train("cut", 9)
        self.fails("holds a run already: go on with it by --resume", *self.train_command("cut", 21)[1:])
        self.train("cut", 21, "--resume")
        whole, cut = self.hashes("whole"), self.hashes("cut")
        self.assertEqual(cut, whole)
        self.train("cut", 21, "--resume")  # there is nothing left to do
        self.assertEqual(self.hashes("cut"), whole)
        self.fails("has 21 iterations done already", *self.train_command("cut", 20, "--resume")[1:])
