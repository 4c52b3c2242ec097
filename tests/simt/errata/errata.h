// SPDX-License-Identifier: MIT
// Published faults of deep-learning kernels, each re-derived in a few lines, and its fix. docs/errata.md is
// the table.
#pragma once

#include <vector>

#include "tests/simt/kernels.h"

namespace lily::testing {

// x and y have 512 floats each, y zeros; the lines of the fault bear the comment "erratum: <name>".
struct Erratum {
    const char* name;
    const char* kind;  // of the report
    cudaError_t (*run)(const float* x, float* y, bool fixed);
};
const std::vector<Erratum>& errata();

}  // namespace lily::testing
