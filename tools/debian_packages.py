# SPDX-License-Identifier: MIT
"""Files out of a distribution's packages: downloaded with apt-get, which needs no rights, checked, and not installed."""

import io
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from toolkit import ToolError, explain_os_error, one_line, sha256_file


def fetch(pin, cache, log, source=None):
    """(path of the .deb, its version, whether that is one of the pinned): from the folder `source`, the cache, or apt-get."""
    name = pin["package"]
    if not shutil.which("dpkg-deb") or not (source or shutil.which("apt-get")):
        raise ToolError(f"there is no apt and dpkg here: {name} is a package of Debian")
    place = Path(source or cache)
    known = {entry["sha256"]: entry["version"] for entry in pin["versions"]}
    found = sorted(place.glob(f"{name}_*.deb"))
    path = next((path for path in found if sha256_file(path) in known), found[-1] if source and found else None)
    if path is None and source:
        raise ToolError(f"{source} has no {name}_*.deb")
    if path is None:
        log(f"downloading {name} ({pin['size'] / 1e6:.0f} MB, {pin['licence']}) with apt-get")
        path = download(name, place)
    digest = sha256_file(path)
    if digest in known:
        return path, known[digest], True
    version = run(["dpkg-deb", "-f", path, "Version"], path).decode("utf-8", "replace").strip()
    log(f"note: {name} is {one_line(version)}, sha256 {digest[:16]}...; tried were {', '.join(sorted(known.values()))}")
    return path, version, False


def download(name, cache):
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix=".download-") as folder:
            done = subprocess.run(["apt-get", "-q", "download", name], cwd=folder, capture_output=True, text=True, errors="replace", check=False)
            packages = list(Path(folder).glob("*.deb"))
            if done.returncode or len(packages) != 1:
                last = (done.stderr.strip() or "it gave no package").splitlines()[-1]
                raise ToolError(f"apt-get cannot download {name}: {last}; run apt-get update")
            return packages[0].replace(cache / packages[0].name)
    except OSError as error:
        raise explain_os_error(error, cache, "write") from None


def run(command, path):
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        raise ToolError(f"{path}: damaged or not a package ({one_line(done.stderr.decode('utf-8', 'replace'))})")
    return done.stdout


def files(path, wanted):
    """({name: bytes}, number of links) of the files whose name, from the root on, wanted(name) accepts."""
    found, links = {}, 0
    try:
        with tarfile.open(fileobj=io.BytesIO(run(["dpkg-deb", "--fsys-tarfile", path], path))) as archive:
            for member in archive:
                name = member.name.removeprefix(".")
                if not wanted(name):
                    continue
                links += member.issym() or member.islnk()
                if member.isreg():
                    found[name] = archive.extractfile(member).read()
    except (tarfile.TarError, EOFError) as error:
        raise ToolError(f"{path}: damaged ({one_line(error)})") from None
    return found, links
