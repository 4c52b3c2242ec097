// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "framework/io/file.h"

namespace lily::io {

// NumPy's .npy: "\x93NUMPY", the version (1.0, 2.0 or 3.0), the header's length as little-endian u16 (from
// 2.0 on u32), the header
//   {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }
// and the elements.
struct NpyArray {
    std::string descr;           // <f4, <f8, <i8 or |u1
    std::vector<int64_t> shape;  // empty: a single number
    Bytes data;                  // not owned, row-major; may be unaligned
};

// Arrays of other elements, in Fortran's order or without elements are an error. Nothing may be missing and
// nothing may follow; nothing in the file is run (objects, which NumPy keeps as pickles, are refused). `name`
// is for messages.
NpyArray parse_npy(Bytes bytes, const std::string& name);

// What stands before the elements: as NumPy writes it, version 1.0, padded to 64 bytes.
std::string npy_header(std::string_view descr, const std::vector<int64_t>& shape);

}  // namespace lily::io
