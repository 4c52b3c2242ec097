#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the C++ of the documentation into files, so that the build compiles it.

    doc_code.py FOLDER PAGE...     prints the path of each file written, relative to FOLDER

Every ```cpp block is one whole file. A path behind the word cpp names it: ```cpp kernels/cube/cube.h; without one it is
PAGE_N.cpp, the N-th of its page. Files that are there with the same text keep their time; all others in FOLDER go."""

import re
import sys
from pathlib import Path


class DocError(Exception):
    pass


def blocks(page, text):
    """(name, code) for each ```cpp block of a page. Fences of other kinds are passed over, whatever they hold."""
    name, lines, count, opened = None, [], 0, 0
    for number, line in enumerate(text.splitlines(), 1):
        fence = re.fullmatch(r"```(.*)", line)
        if opened and line == "```":
            if name:
                yield name, "".join(lines)
            name, lines, opened = None, [], 0
        elif opened:
            lines.append(line + "\n")
        elif fence:
            opened = number
            words = fence[1].split()
            if words[:1] == ["cpp"]:
                count += 1
                name = words[1] if len(words) > 1 else f"{Path(page).stem}_{count}.cpp"
    if opened:
        raise DocError(f"{page}:{opened}: the block that begins here has no end")


def extract(folder, pages):
    """Makes folder hold the blocks of all pages and nothing else; their names, in order."""
    names = {}
    for page in pages:
        for name, code in blocks(page, Path(page).read_text(encoding="utf-8")):
            if name in names:
                raise DocError(f"{page}: a block of {names[name]} has the name {name} too")
            if Path(name).is_absolute() or ".." in Path(name).parts:
                raise DocError(f"{page}: {name} leaves the folder")
            names[name] = page
            file = Path(folder) / name
            file.parent.mkdir(parents=True, exist_ok=True)
            if not file.exists() or file.read_text(encoding="utf-8") != code:
                file.write_text(code, encoding="utf-8")
    for file in Path(folder).rglob("*"):
        if file.is_file() and str(file.relative_to(folder)) not in names:
            file.unlink()
    return list(names)


def main():
    if len(sys.argv) < 3:
        raise DocError("usage: doc_code.py FOLDER PAGE...")
    for name in extract(sys.argv[1], sys.argv[2:]):
        print(name)


if __name__ == "__main__":
    try:
        main()
    except (DocError, OSError) as error:
        sys.exit(f"doc_code: {error}")
