# SPDX-License-Identifier: MIT
"""Runs a program that logs a row per iteration, and measures it from outside."""

import json
import os
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field

from toolkit import ToolError, one_line


@dataclass
class Run:
    """One run of one program."""
    seconds: list = field(default_factory=list)  # of each iteration, by the program's own clock
    totals: list = field(default_factory=list)  # the total loss that each iteration logged
    start_to_first: float = 0.0  # from the start of the process to its first row, by our clock
    peak_bytes: int = 0  # largest resident set
    cuda_library_bytes: int = 0  # resident at its end, of PyTorch's CUDA wheel
    output: str = ""  # what it printed on stdout


def follow(name, command, env=None):
    """Runs `command`, a list in which the word "LOG" stands for the file to log to: rows of CSV with the columns
    `seconds` (since the first iteration began) and `total`. The file is a pipe, so that a row is seen when it is written
    and nothing polls. Raises ToolError if the program fails."""
    readable, writable = os.pipe()
    words = [f"/dev/fd/{writable}" if word == "LOG" else str(word) for word in command]
    run = Run()
    with os.fdopen(readable) as rows, tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        started = time.monotonic()
        try:
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output, stderr=errors,
                                       pass_fds=[writable], env={**os.environ, **(env or {})})
        except OSError as error:
            raise ToolError(f"cannot start {name} ({words[0]}): {error.strerror}") from None
        finally:
            os.close(writable)
        try:
            read_rows(name, rows, started, run)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            if process.returncode is None:
                process.kill()
                process.wait()
        run.peak_bytes = usage.ru_maxrss * 1024
        output.seek(0)
        run.output = output.read()
        errors.seek(0)
        if process.returncode != 0:
            raise ToolError(f"{name} failed ({why(process.returncode)}): {last_line(errors.read())}")
        if not run.seconds:
            raise ToolError(f"{name} logged no iteration")
    return run


def closing_figures(name, run):
    """The line of JSON that a program of rivals/ ends with; what it holds of memory, without compilers, goes into `run`."""
    try:
        said = json.loads(run.output.splitlines()[-1])
        run.peak_bytes, run.cuda_library_bytes = int(said["peak_bytes"]), int(said["cuda_library_bytes"])
        return said
    except (IndexError, ValueError, KeyError, TypeError):
        raise ToolError(f"{name} did not end with its figures, but with {run.output[-200:]!r}") from None


def read_rows(name, rows, started, run):
    header, before = None, 0.0
    for line in rows:
        cells = line.rstrip("\n").split(",")
        if header is None:
            header = cells
            continue
        if not run.seconds:
            run.start_to_first = time.monotonic() - started
        row = dict(zip(header, cells))
        try:
            seconds, total = float(row["seconds"]), float(row["total"])
        except (KeyError, ValueError):
            raise ToolError(f"{name} logged a row that has no seconds and total: {line!r}") from None
        run.seconds.append(seconds - before)
        run.totals.append(total)
        before = seconds


def why(code):
    """An exit status in words."""
    if code >= 0:
        return f"exit status {code}"
    try:
        word = signal.Signals(-code).name
    except ValueError:
        word = f"signal {-code}"
    return f"{word}: out of memory?" if word == "SIGKILL" else word


def last_line(text):
    lines = [line for line in text.splitlines() if line.strip()]
    return one_line(lines[-1]) if lines else "no message"
