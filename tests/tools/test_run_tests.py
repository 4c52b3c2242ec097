# SPDX-License-Identifier: MIT
"""tools/run_tests.py: what hangs is stopped with its children, what is slow is not; whose compilation was slow."""

import sys
import tempfile
import time
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import run_tests


class RunLogged(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.log = Path(folder.name) / "log"

    def run_shell(self, script, timeout=None, stalled=1.0):
        with mock.patch.object(run_tests, "STALLED", stalled):
            return run_tests.run_logged(["sh", "-c", script], self.log, {"WORD": "seen"}, timeout)

    def test_exit_code_output_and_environment(self):
        self.assertEqual(self.run_shell("echo $WORD; echo too >&2; exit 7"), 7)
        self.assertEqual(self.log.read_text(), "seen\ntoo\n")

    def test_slow_but_getting_on_is_not_stopped(self):
        start = time.monotonic()
        self.assertEqual(self.run_shell("for i in 1 2 3 4 5; do sleep 0.5; echo $i; done"), 0)
        self.assertGreater(time.monotonic() - start, 2)

    def test_silence_is_stopped_with_its_children(self):
        child = self.log.parent / "child"
        code = self.run_shell(f"(sleep 3; touch {child}) & echo begun; wait", stalled=0.5)
        self.assertEqual(code, 124)
        self.assertIn("stopped after 0 s without a new line", self.log.read_text())
        time.sleep(3)
        self.assertFalse(child.exists())

    def test_a_time_limit_heeds_no_output(self):
        self.assertEqual(self.run_shell("while :; do echo on; sleep 0.1; done", timeout=1), 124)


class CompileTimes(unittest.TestCase):
    def test_only_what_was_compiled_since(self):
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder) / ".ninja_log"
            self.assertEqual(run_tests.compile_times(log, run_tests.log_lines(log)), [])
            old = ["0\t900\t1\told.cpp.o\tff\n", "0\t700\t1\tkernels/gram/gram_cpu.cpp.o\tee\n", "900\t950\t1\tliblily.a\tbb\n"]
            log.write_text("# ninja log v5\n" + "".join(old))
            before = run_tests.log_lines(log)
            new = ["100\t2600\t2\tCMakeFiles/lily_kernels.dir/kernels/gram/gram_cpu.cpp.o\taa\n", "3000\t3100\t3\tliblily.a\tbb\n"]
            for lines in (old + new, [new[0], old[2], old[0], new[1]], [*new, "0\t1"]):  # appended; written anew; cut short
                log.write_text("# ninja log v5\n" + "".join(lines))
                self.assertEqual(run_tests.compile_times(log, before), [(2.5, "kernels/gram/gram_cpu.cpp")])


if __name__ == "__main__":
    unittest.main()
