# SPDX-License-Identifier: MIT
"""Builds, lints and runs every suite; one line per suite, and a closing line with the sum (see tools/test.sh).

The suites are ctest's own list, so `ctest --preset release` runs the same; what this adds are the counts of the test
cases inside each suite, a log per suite in build/logs, and its tail where something failed."""

import argparse
import concurrent.futures
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
LOGS = REPO / "build" / "logs"
SIMT_COUNTS = LOGS / "simt_counts"
CUDA_TARGETS = ("lily_info", "lily_op_tests", "style_transfer", "gpu_resources")
FUZZ_SECONDS = 10
STALLED = 900  # seconds without a new line: a build that hangs; one that is slow goes on
SLOWEST = 10  # suites and files that a full run names
# The same file gives the same object wherever the checkout is.
CCACHE = {"CCACHE_BASEDIR": str(REPO), "CCACHE_NOHASHDIR": "1"}


class Counts:
    def __init__(self, passed=0, failed=0, skipped=0):
        self.passed, self.failed, self.skipped = passed, failed, skipped

    def __iadd__(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        return self

    def __str__(self):
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


def count_catch(output):
    """Catch2's summary, of version 2 or 3; version 2 knows no skipped cases, so tests/catch.h prints a line for each."""
    skipped = len(re.findall(r"^\[skipped\]", output, re.M))
    if everything := re.findall(r"^All tests passed \(.* in (\d+) test cases?\)", output, re.M):
        return Counts(int(everything[-1]) - skipped, 0, skipped)
    counts = Counts(skipped=skipped)
    if summary := re.findall(r"^test cases: *(\d+)(.*)$", output, re.M):
        parts = {word: int(number) for number, word in re.findall(r"\| *(\d+) (passed|failed(?! as expected)|skipped)", summary[-1][1])}
        counts.skipped += parts.get("skipped", 0)
        counts.failed = parts.get("failed", 0)
        counts.passed = parts.get("passed", 0) - skipped
    return counts


def count_unittest(output):
    if not (ran := re.findall(r"^Ran (\d+) tests? in", output, re.M)):
        return Counts()
    verdict = re.findall(r"^(?:OK|FAILED)(?: \((.*)\))?$", output, re.M)
    parts = dict(re.findall(r"(failures|errors|skipped|unexpected successes)=(\d+)", verdict[-1] if verdict else ""))
    failed = sum(int(parts.get(key, 0)) for key in ("failures", "errors", "unexpected successes"))
    skipped = int(parts.get("skipped", 0))
    return Counts(max(0, int(ran[-1]) - failed - skipped), failed, skipped)


def count_lint(output):
    return Counts(*(len(re.findall(rf"^{word} ", output, re.M)) for word in ("ok", "FAIL", "skip")))


def count_one(_output):
    return Counts(1)


COUNT = {"catch": count_catch, "part": count_catch, "unittest": count_unittest, "lint": count_lint}


def run_logged(command, log, env, timeout):
    """The exit code of a command whose output goes to `log`; 124 if it was stopped: after `timeout` seconds or, where
    that is None, when it has printed nothing for STALLED seconds."""
    with open(log, "w") as file:
        process = subprocess.Popen(command, cwd=REPO, stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                   env={**os.environ, **(env or {})}, start_new_session=True)
        limit, size = timeout or STALLED, 0
        deadline = time.monotonic() + limit
        try:
            while True:
                try:
                    return process.wait(timeout=min(10, max(0, deadline - time.monotonic())))
                except subprocess.TimeoutExpired:
                    if timeout is None and (grown := log.stat().st_size) != size:
                        size, deadline = grown, time.monotonic() + limit
                    if time.monotonic() < deadline:
                        continue
                file.write(f"\nstopped after {limit:.0f} s{'' if timeout else ' without a new line'}\n")
                return 124
        finally:  # its children, too: compilers, or programs under test
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def log_lines(ninja_log):
    """What ninja has logged: a line per file, which stays as it is until the file is made again. Ninja puts them in another order
    now and then."""
    if not ninja_log.exists():
        return []
    return [line for line in ninja_log.read_text().splitlines() if not line.startswith("#")]


def compile_times(ninja_log, before):
    """[(seconds, object file)] of what ninja has compiled since log_lines() gave `before`."""
    rows = [line.split("\t") for line in set(log_lines(ninja_log)) - set(before)]
    return [((int(row[1]) - int(row[0])) / 1000, re.sub(r"(CMakeFiles/[^/]+/|\.o$)", "", row[3]))
            for row in rows if len(row) == 5 and row[3].endswith(".o")]


class Run:
    """What has been run so far, and how it is shown."""

    def __init__(self, pattern):
        self.pattern = pattern
        self.total = Counts()
        self.last_words = []
        self.suite_seconds = []  # (seconds, name)
        self.file_seconds = []  # (seconds, object file)
        self.lock = threading.Lock()

    def suite(self, name, command, count=count_one, env=None, timeout=1800, silent=False):
        """Runs one command as a suite; `silent` counts nothing unless it fails (a build). May run beside others."""
        log = LOGS / (name.replace("/", ".").replace(" ", "_") + ".log")
        start = time.monotonic()
        code = run_logged(command, log, env, None if silent else timeout)
        output = log.read_text(errors="replace")
        counts = count(output)
        empty = not (counts.passed or counts.failed or counts.skipped)
        if empty and self.pattern and re.search("No tests? ran|No test cases matched|^Ran 0 tests", output, re.M | re.I):
            code = 0
        elif counts.skipped and not (counts.passed or counts.failed) and code == 4:
            code = 0  # Catch2 3: every case was skipped
        elif empty and code == 0:
            code = 1  # a suite without a case is a mistake in the suite
        if code != 0:  # a crash leaves no summary: at least one case has failed
            counts.failed = max(1, counts.failed)
            if count is count_one:
                counts.passed = 0
        if silent and not counts.failed:
            counts = Counts()
        seconds = time.monotonic() - start
        lines = [f"{name:<26}{'done' if silent and not counts.failed else str(counts):<40}{seconds:7.1f} s"]
        if counts.failed:
            lines += [f"---- the end of {log.relative_to(REPO)}", *output.splitlines()[-40:], "----"]
        with self.lock:
            print(*lines, sep="\n", flush=True)
            self.total += counts
            if not silent:
                self.suite_seconds.append((seconds, name))
        return counts.failed == 0

    def suites(self, all_arguments):
        """Several suites at once, one per core: most of their cases keep one thread busy."""
        with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            for job in [pool.submit(self.suite, *arguments) for arguments in all_arguments]:
                job.result()

    def build(self, preset, *targets, options=()):
        configure = ["cmake", "--preset", preset, "-D", "LILY_WERROR=ON", "-D", "LILY_TESTS=ON", *options]
        if shutil.which("ccache"):  # what two presets, or two checkouts, compile alike is compiled once
            configure += ["-D", "CMAKE_CXX_COMPILER_LAUNCHER=ccache", "-D", "CMAKE_CUDA_COMPILER_LAUNCHER=ccache"]
        build = ["cmake", "--build", f"build/{preset}"] + (["--target", *targets] if targets else [])
        ninja_log = REPO / "build" / preset / ".ninja_log"
        before = log_lines(ninja_log)
        done = (self.suite(f"configure {preset}", configure, silent=True) and
                self.suite(f"build {preset}", build, env=CCACHE, silent=True))
        self.file_seconds += [(seconds, f"{preset}/{file}") for seconds, file in compile_times(ninja_log, before)]
        return done

    def name_slowest(self):
        for what, times in ("suites", self.suite_seconds), ("files to compile", self.file_seconds):
            print(f"the slowest {what}:", *(f"    {seconds:6.1f} s  {name}" for seconds, name in sorted(times, reverse=True)[:SLOWEST]), sep="\n")

    def simt_counts(self):
        """Every kernel, and every function of the API that the library calls, has run on the software GPU."""
        log = LOGS / "simt_counts.log"
        if self.suite("simt_counts", [sys.executable, "tools/simt_counts.py", str(SIMT_COUNTS), "build/release/liblily_kernels.a"]):
            self.last_words.append(f"on the software GPU: {log.read_text().splitlines()[-1]}")

    def cuda(self):
        """The CUDA device; without a GPU what can be seen then: it builds and links, spills nothing, and says why it cannot be used."""
        if not (shutil.which("nvcc") or Path("/usr/local/cuda/bin/nvcc").exists()):
            print(f"{'build cuda':<26}skipped: nvcc is not installed", flush=True)
            return
        info = ["build/cuda/bin/lily_info", "--require"]
        runtime = "-DCMAKE_CUDA_RUNTIME_LIBRARY="
        if self.build("cuda", "lily_info", options=[runtime + "Shared", "-DLILY_BENCHMARKS=OFF"]):
            self.suite("cuda/shared_runtime", [*info, "cpu"])
        # The programs are those of every other build; on a machine with a GPU all of its tests are built and run.
        if not self.build("cuda", *CUDA_TARGETS, options=[runtime + "Static"]):
            return
        self.suite("cuda/lily_info", [*info, "cpu"])
        if subprocess.run([*info, "cuda"], cwd=REPO, capture_output=True).returncode != 0:
            self.suite("cuda/lily_op_tests", ["build/cuda/bin/lily_op_tests", "--device", "simt"])
            self.ctest("cuda", only="cuda_")
        elif self.build("cuda"):
            self.ctest("cuda")

    def ctest(self, preset, only=""):
        """Every suite that ctest knows in build/<preset>, or those whose names begin with `only`."""
        listing = subprocess.run(["ctest", "--test-dir", f"build/{preset}", "--show-only=json-v1"], cwd=REPO, check=True,
                                 capture_output=True, text=True).stdout
        jobs = []
        for test in json.loads(listing)["tests"]:
            properties = {entry["name"]: entry["value"] for entry in test.get("properties", [])}
            if not test["name"].startswith(only):
                continue
            label = properties.get("LABELS", ["command"])[0]
            command = list(test["command"])
            if self.pattern:
                if label == "catch":
                    command += [f"*{self.pattern}*"]
                elif label == "unittest":
                    command += ["-k", self.pattern]
                elif self.pattern not in test["name"]:
                    continue
            # Threads that wait for work must not take the core from the suite beside them.
            env = {"OMP_WAIT_POLICY": "passive", **dict(entry.split("=", 1) for entry in properties.get("ENVIRONMENT", []))}
            if preset == "release":
                env["LILY_SIMT_COUNTS"] = str(SIMT_COUNTS)
            arguments = (f"{preset}/{test['name']}", command, COUNT.get(label, count_one), env, properties.get("TIMEOUT", 1800))
            jobs.append((properties.get("COST", 0), arguments))
        self.suites([arguments for _, arguments in sorted(jobs, key=lambda job: -job[0])])  # the longest first

    def fuzz(self):
        """Some seconds of real fuzzing per parser; what it finds goes to build/fuzz, the corpus is only read."""
        parsers = sorted(path.stem for path in (REPO / "tests" / "fuzz").glob("fuzz_*.cpp"))
        parsers = [parser for parser in parsers if self.pattern in parser]
        clang = next((path for version in range(14, 40) if (path := shutil.which(f"clang++-{version}"))), shutil.which("clang++"))
        if not clang:
            print("fuzz: there is no clang++ from 14 on: bash tools/setup.sh --test", flush=True)
            self.total += Counts(failed=1)
            return
        # All libraries, by the second compiler.
        if not parsers or not self.build("fuzz", *parsers, "lily_models", options=[f"-DCMAKE_CXX_COMPILER={clang}"]):
            return
        jobs = []
        for parser in parsers:
            found = REPO / "build" / "fuzz" / "found" / parser
            found.mkdir(parents=True, exist_ok=True)
            jobs.append((f"fuzz/{parser}", [f"build/fuzz/tests/{parser}", f"-max_total_time={FUZZ_SECONDS}", "-rss_limit_mb=4096",
                                           "-timeout=20", "-print_final_stats=1", f"-artifact_prefix={found}/", str(found),
                                           f"tests/fuzz/corpus/{parser.removeprefix('fuzz_')}"]))
        self.suites(jobs)


def main():
    parser = argparse.ArgumentParser(prog="tools/test.sh", description="Builds lily and runs all of its tests.")
    parser.add_argument("--quick", action="store_true", help="the release build only: no sanitizers, no fuzzing")
    parser.add_argument("--filter", default="", metavar="WORD", help="only the test cases with WORD in their name")
    parser.add_argument("--only", default="", metavar="PRESET", help="only the suites of build/PRESET, as they are built")
    options = parser.parse_args()
    if options.only and not (REPO / "build" / options.only / "CTestTestfile.cmake").is_file():
        parser.error(f"build/{options.only} holds no built tests: cmake --preset {options.only} && cmake --build build/{options.only}")
    LOGS.mkdir(parents=True, exist_ok=True)

    run = Run(options.filter)
    if options.only:
        run.ctest(options.only)
    else:
        built = run.build("release")
        if not options.filter:
            run.suite("lint", ["bash", "tools/lint.sh"], count_lint)
        if built:
            shutil.rmtree(SIMT_COUNTS, ignore_errors=True)
            SIMT_COUNTS.mkdir()
            run.ctest("release")
            if not options.filter:
                run.simt_counts()
        if not options.quick:
            if not options.filter:
                run.cuda()
            if run.build("asan"):
                run.ctest("asan")
            run.fuzz()
    if not (options.only or options.filter or options.quick):
        run.name_slowest()
    print(*run.last_words, run.total, sep="\n")
    return 1 if run.total.failed or not run.total.passed else 0


if __name__ == "__main__":
    sys.exit(main())
