#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes models/clip/html_entities.h: HTML 5's named characters, from Python's own table (html.entities).

    python3 tools/make_html_entities.py
"""

import sys
from html.entities import html5

from toolkit import ROOT, run_tool, write_whole

OUTPUT = ROOT / "models" / "clip" / "html_entities.h"
WIDTH = 104

HEAD = """\
// SPDX-License-Identifier: MIT
// Made by tools/make_html_entities.py: HTML 5's {count} named characters, as "name=code points in hex".
#pragma once

#include <string_view>

namespace lily::models {{

// clang-format off
inline constexpr std::string_view kHtmlEntities =
"""
TAIL = """\
// clang-format on

}  // namespace lily::models
"""


def table():
    """The header's text."""
    lines = [""]
    for name, characters in sorted(html5.items()):
        entry = f"{name}={'+'.join(f'{ord(c):X}' for c in characters)} "
        if len(lines[-1]) + len(entry) > WIDTH:
            lines.append("")
        lines[-1] += entry
    quoted = "\n".join(f'    "{line}"' for line in lines)
    return HEAD.format(count=len(html5)) + quoted + ";\n" + TAIL


def main():
    write_whole(OUTPUT, [table().encode("ascii")])
    return 0


if __name__ == "__main__":
    sys.exit(run_tool("make_html_entities", main))
