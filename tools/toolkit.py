# SPDX-License-Identifier: MIT
"""What the tools share: one-line errors, numbers of options, files written whole or not at all, sha256."""

import argparse
import errno
import hashlib
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_CACHE = ROOT / "build" / "cache"


class ToolError(Exception):
    """An error whose text is one line that says what to do."""


def one_line(error):
    """The text of any exception on one line of printable characters, not endless."""
    text = " ".join(str(error).split()) or type(error).__name__
    text = "".join(c if c.isprintable() else "?" for c in text)
    return text if len(text) <= 500 else text[:497] + "..."


def explain_os_error(error, path, doing):
    """Turns an OSError into a ToolError; `doing` is "read" or "write"."""
    path = Path(path)
    if error.errno == errno.ENOSPC:
        return ToolError(f"cannot {doing} {path}: the disk is full; free some space or choose another place")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return ToolError(f"cannot {doing} {path}: no permission; choose a place you may {doing}")
    if error.errno == errno.ENOENT:
        return ToolError(f"cannot {doing} {path}: no such file or folder")
    return ToolError(f"cannot {doing} {path}: {error.strerror or error}")


def whole_number(least, most=None):
    """For argparse's `type`: a whole number in these bounds, or one short line."""
    bounds = f"at least {least}" if most is None else f"{least} to {most}"

    def parse(text):
        shown = (one_line(text[:40]) if text.strip() else "nothing") + ("..." if len(text) > 40 else "")
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"expected a whole number, {bounds}, got {shown}") from None
        if value < least or (most is not None and value > most):
            raise argparse.ArgumentTypeError(f"expected {bounds}, got {shown}")
        return value

    return parse


def sha256_file(path):
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise explain_os_error(error, path, "read") from None
    return digest.hexdigest()


def check_writable(path):
    """Tells before the work what write_whole would tell after it."""
    path = Path(os.path.realpath(path))
    if path.is_dir():
        raise ToolError(f"cannot write {path}: it is a folder; name a file in it")
    there = path.parent if path.is_file() else path  # a file is replaced: what counts is its folder
    while not there.exists() and there != there.parent:
        there = there.parent
    if there != path and not there.is_dir():
        raise ToolError(f"cannot write {path}: {there} is not a folder")
    if not os.access(there, os.W_OK | os.X_OK if there.is_dir() else os.W_OK):
        raise ToolError(f"cannot write {path}: no permission to write to {there}")


def write_whole(path, chunks):
    """Writes the chunks of bytes to `path`: under a temporary name first, synced, then renamed. A link stays one, a
    device is written to, a file keeps its permissions."""
    check_writable(path)
    special = os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)
    path = Path(path) if special else Path(os.path.realpath(path))
    ending = f".{os.getpid()}.tmp"  # a legal name may be as long as names can be
    temporary = path.with_name(os.fsdecode(os.fsencode("." + path.name)[:255 - len(ending)]) + ending)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if special:
            with open(path, "wb") as file:
                file.writelines(chunks)
            return
        with open(temporary, "wb") as file:
            if path.exists():
                os.fchmod(file.fileno(), path.stat().st_mode & 0o777)
            file.writelines(chunks)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        raise explain_os_error(error, path, "write") from None
    finally:
        try:
            temporary.unlink(missing_ok=True)
        except OSError:
            pass  # the error that matters is already on its way


def sync_folder(folder):
    """Makes a rename in `folder` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:
        pass  # some network file systems cannot; the file itself is synced
    finally:
        os.close(handle)


def run_tool(name, main):
    """Runs main() and turns errors into one line and an exit status."""
    try:
        status = main()
        sys.stdout.flush()
        return status or 0
    except ToolError as error:
        print(f"{name}: error: {one_line(error)}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        print(f"{name}: error: {one_line(error)}", file=sys.stderr)
        return 1
    except MemoryError:
        print(f"{name}: error: out of memory; close other programs and try again", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{name}: interrupted; nothing half-written was left", file=sys.stderr)
        return 130
