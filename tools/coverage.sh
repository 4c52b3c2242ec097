#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Line and branch coverage of kernels, framework, models and examples by the whole test suite.
# Prints a table per directory; the files, line by line, are in build/coverage/html/index.html.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash tools/setup.sh --test --coverage
cmake --preset coverage >build/logs/coverage_configure.log
cmake --build build/coverage >build/logs/coverage_build.log || { tail -n 30 build/logs/coverage_build.log; exit 1; }
find build/coverage -name '*.gcda' -delete
rm -f build/logs/coverage.*.log
build/venv/bin/python tools/run_tests.py --only coverage "$@" || echo "coverage: some tests failed; the figures are of what ran"
# Processes add to the same files under a lock, and one that is killed adds nothing; this is what they say where one is damaged.
if grep -H '^profiling:' build/logs/coverage.*.log; then echo "coverage: damaged counters" >&2; exit 1; fi

mkdir -p build/coverage/html
# Branches that only an exception takes (every call has one) say nothing about the tests.
gcovr -j "$(nproc)" --root . --object-directory build/coverage --filter 'kernels/' --filter 'framework/' --filter 'models/' \
    --filter 'examples/' --exclude-throw-branches --exclude-unreachable-branches \
    --json-summary build/coverage/summary.json --html-details build/coverage/html/index.html >build/logs/coverage_gcovr.log
build/venv/bin/python - <<'PY'
import collections, json
rows = collections.OrderedDict((d, [0] * 4) for d in ("kernels", "framework", "models", "examples", "all"))
for file in json.load(open("build/coverage/summary.json"))["files"]:
    counts = [file[k] for k in ("line_covered", "line_total", "branch_covered", "branch_total")]
    for row in (file["filename"].split("/")[0], "all"):
        rows[row] = [a + b for a, b in zip(rows[row], counts)]
for name, (lines, all_lines, branches, all_branches) in rows.items():
    if all_lines:
        print(f"{name:<12}lines {lines / all_lines:6.1%} of {all_lines:<7}branches {branches / max(1, all_branches):6.1%} of {all_branches}")
PY
echo "line by line: build/coverage/html/index.html"
