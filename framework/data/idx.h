// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "framework/io/file.h"

namespace lily::data {

// The format of MNIST: two zero bytes, the type of the elements (8: bytes, the only one read here), the
// number of dimensions, their sizes as big-endian u32, the elements in row-major order.
struct IdxArray {
    std::vector<int64_t> shape;
    std::vector<uint8_t> values;
};

// Plain or packed with gzip. Nothing may be missing and nothing may follow; sizes are checked against the
// file before anything is allocated. `name` is for messages.
IdxArray parse_idx(io::Bytes bytes, const std::string& name);
IdxArray read_idx(const std::string& path);

}  // namespace lily::data
