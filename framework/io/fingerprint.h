// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "framework/io/tensors.h"

namespace lily::io {

// 64 bits of some data, to notice that they are others than before; no protection from anybody.
class Fingerprint {
  public:
    void add(const void* bytes, size_t size);
    void add(const std::string& text) { add(text.data(), text.size()); }
    void add(const Tensor& tensor);  // shape, dtype and every element
    std::string text() const;        // 16 hexadecimal digits

  private:
    uint64_t hash_ = 0xcbf29ce484222325u;
};

std::string fingerprint(const Tensor& tensor);
std::string fingerprint(const StateDict& state);  // of all names and tensors

}  // namespace lily::io
