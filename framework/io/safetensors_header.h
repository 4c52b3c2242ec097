// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace lily::io {

// One tensor as the JSON header of a safetensors file describes it, nothing proved yet.
struct SafetensorsRecord {
    std::string name, dtype;
    std::vector<uint64_t> shape, offsets;
};

struct SafetensorsHeader {
    std::vector<SafetensorsRecord> records;  // in the order of the header
    std::map<std::string, std::string> metadata;
};

// Parses the JSON strictly: the structure above and nothing else, each key once, UTF-8. A streaming parser,
// so that deep nesting costs nothing and duplicates show. Throws Error naming `file`.
SafetensorsHeader parse_safetensors_header(std::string_view json, const std::string& file);

}  // namespace lily::io
