// SPDX-License-Identifier: MIT
// IDX files made by hand.
#pragma once

#include <zlib.h>

#include <cstdint>
#include <string>
#include <vector>

#include "framework/error.h"

namespace lily::data {

// The header of an array of bytes and `values` after it.
inline std::string idx_bytes(const std::vector<uint32_t>& shape, const std::string& values, char type = 8) {
    std::string bytes{0, 0, type, static_cast<char>(shape.size())};
    for (const uint32_t size : shape)
        for (const int shift : {24, 16, 8, 0}) bytes += static_cast<char>(size >> shift & 255);
    return bytes + values;
}

inline std::string gzipped(const std::string& plain) {
    z_stream z = {};
    check(deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK, "zlib");
    std::string packed(deflateBound(&z, plain.size()) + 64, '\0');
    z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));  // NOLINT: zlib only reads it
    z.avail_in = static_cast<uInt>(plain.size());
    z.next_out = reinterpret_cast<Bytef*>(packed.data());
    z.avail_out = static_cast<uInt>(packed.size());
    check(deflate(&z, Z_FINISH) == Z_STREAM_END, "zlib");
    packed.resize(packed.size() - z.avail_out);
    deflateEnd(&z);
    return packed;
}

}  // namespace lily::data
