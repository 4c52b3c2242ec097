// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace lily::io {

// 64 bits of some data (FNV-1a), to notice that they are others than before; no protection from anybody.
class Fingerprint {
  public:
    void add(const void* bytes, size_t size);
    void add(const std::string& text) { add(text.data(), text.size()); }
    std::string text() const;  // 16 hexadecimal digits

  private:
    uint64_t hash_ = 0xcbf29ce484222325u;
};

}  // namespace lily::io
