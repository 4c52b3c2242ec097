#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs what is missing, builds, lints and runs every test: release and sanitizer builds, Python, an installed
# consumer, the parsers' fuzz corpora. The last line is "N passed, N failed"; logs are in build/logs.
#   bash tools/test.sh                the whole
#   bash tools/test.sh --quick        the release build only
#   bash tools/test.sh --filter gram  the test cases with "gram" in their name
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash tools/setup.sh --test
exec build/venv/bin/python tools/run_tests.py "$@"
