// SPDX-License-Identifier: MIT
#include "framework/io/npy.h"

#include <fmt/format.h>

#include <cstring>

#include "framework/error.h"
#include "framework/io/file.h"

namespace lily::io {
namespace {

// Magic, version, length of the header as u16, the header as a Python dictionary, spaces up to a multiple of
// 64 and a line's end; then the data.
std::string header_of(const std::string& type, const Shape& shape) {
    std::string sides;
    for (const int64_t n : shape) sides += fmt::format("{},", n);
    std::string text = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", type, sides);
    constexpr size_t kBefore = 10, kAlignment = 64;
    while ((kBefore + text.size() + 1) % kAlignment != 0) text += ' ';
    text += '\n';
    std::string header("\x93NUMPY\x01\x00", 8);
    header += static_cast<char>(text.size() & 0xff);
    header += static_cast<char>(text.size() >> 8);
    return header + text;
}

template <class T>
void write(const std::string& path, const Tensor& tensor, const char* type) {
    const std::vector<T> values = tensor.to_vector<T>();
    const std::string header = header_of(type, tensor.shape());
    std::vector<std::byte> bytes(header.size() + values.size() * sizeof(T));
    std::memcpy(bytes.data(), header.data(), header.size());
    if (!values.empty()) std::memcpy(bytes.data() + header.size(), values.data(), values.size() * sizeof(T));
    write_file_atomically(path, bytes);
}

}  // namespace

void save_npy(const std::string& path, const Tensor& tensor) {
    switch (tensor.dtype()) {
        case DType::f32:
            return write<float>(path, tensor, "<f4");
        case DType::f64:
            return write<double>(path, tensor, "<f8");
        case DType::i64:
            return write<int64_t>(path, tensor, "<i8");
        default:
            fail("[save_npy] expected f32, f64 or i64, got {}", name(tensor.dtype()));
    }
}

}  // namespace lily::io
