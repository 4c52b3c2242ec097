#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs what is missing, builds, lints and runs every test: release and sanitizer builds, Python, an installed
# consumer, the CUDA build where nvcc is, some seconds of fuzzing per parser. The last line is "N passed, N failed",
# with ", N skipped" where some were; logs are in build/logs.
#   bash tools/test.sh                the whole
#   bash tools/test.sh --quick        the lint and the release build only
#   bash tools/test.sh --filter gram  the test cases with "gram" in their name
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash tools/setup.sh --test
# VGG-19's own tests need its weights (downloads of 32 MB, once); without them they are skipped, and say so.
build/venv/bin/python tools/convert_vgg19.py --if-needed ||
    echo "test.sh: there are no VGG-19 weights, so the tests that need them will be skipped"
# So is the vocabulary of CLIP's tokenizer (1.4 MB).
build/venv/bin/python tools/convert_clip.py ||
    echo "test.sh: there is no vocabulary of CLIP's, so the tests that need it will be skipped"
exec build/venv/bin/python tools/run_tests.py "$@"
