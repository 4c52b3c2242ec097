// SPDX-License-Identifier: MIT
#include "framework/io/fingerprint.h"

#include <fmt/format.h>

namespace lily::io {

void Fingerprint::add(const void* bytes, size_t size) {
    const auto* byte = static_cast<const uint8_t*>(bytes);
    for (size_t i = 0; i < size; ++i) hash_ = (hash_ ^ byte[i]) * 0x100000001b3u;
}

std::string Fingerprint::text() const { return fmt::format("{:016x}", hash_); }

}  // namespace lily::io
