// SPDX-License-Identifier: MIT
#include "framework/io/npy_tensor.h"

#include <cstring>

#include "framework/io/npy.h"

namespace lily::io {
namespace {

constexpr std::pair<DType, std::string_view> kTypes[] = {
    {DType::f32, "<f4"}, {DType::f64, "<f8"}, {DType::i64, "<i8"}, {DType::u8, "|u1"}};

}  // namespace

Tensor load_npy(const std::string& path) {
    const std::vector<std::byte> bytes = read_file(path);
    const NpyArray array = parse_npy(bytes, path);
    for (const auto& [dtype, descr] : kTypes) {
        if (array.descr != descr) continue;
        Tensor tensor = empty(Shape(array.shape), {.dtype = dtype});
        std::memcpy(tensor.storage()->data(), array.data.data(), array.data.size());
        return tensor;
    }
    fail("[load_npy] {}: no tensors of {}", in_quotes(path), array.descr);
}

void save_npy(const std::string& path, const Tensor& tensor) {
    const Tensor rows = tensor.to(Device::cpu).contiguous();
    for (const auto& [dtype, descr] : kTypes) {
        if (rows.dtype() != dtype) continue;
        write_file_atomically(path, [&, of = descr](AtomicFile& file) {
            file.write(npy_header(of, rows.shape().dims()));
            file.write(Bytes(static_cast<const std::byte*>(rows.storage()->data()), rows.nbytes()));
        });
    }
}

}  // namespace lily::io
