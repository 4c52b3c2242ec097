// SPDX-License-Identifier: MIT
#include "framework/io/tensors.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <optional>

#include "framework/autograd.h"
#include "framework/error.h"
#include "framework/io/safetensors.h"

namespace lily::io {
namespace {

// A file mapped copy-on-write: it can be written to, and the file never changes.
class PrivateMapping {
  public:
    explicit PrivateMapping(const std::string& path) {
        const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
        int error = fd < 0 ? errno : 0;
        std::error_code not_regular;
        if (fd >= 0) {
            if (std::filesystem::is_directory(path, not_regular)) error = EISDIR;
            const off_t end = ::lseek(fd, 0, SEEK_END);  // fails on a pipe
            if (!error && end < 0) error = errno;
            size_ = error ? 0 : static_cast<size_t>(end);
            void* data = size_ ? ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0) : nullptr;
            if (data == MAP_FAILED) error = errno;
            if (!error) data_ = static_cast<std::byte*>(data);
            ::close(fd);
        }
        check(error == 0, "cannot read {}: {}", in_quotes(path), std::strerror(error));
    }
    ~PrivateMapping() {
        if (data_) ::munmap(data_, size_);
    }
    PrivateMapping(const PrivateMapping&) = delete;
    PrivateMapping& operator=(const PrivateMapping&) = delete;

    Bytes bytes() const { return {data_, size_}; }
    std::byte* at(const std::byte* place) const { return data_ + (place - data_); }  // the same, writable

  private:
    std::byte* data_ = nullptr;
    size_t size_ = 0;
};

std::optional<DType> dtype_named(std::string_view dtype) {
    for (const DType candidate : {DType::f32, DType::f64, DType::i64, DType::u8})
        if (visit_any(candidate, [&](auto zero) { return safetensors_dtype<decltype(zero)>() == dtype; }))
            return candidate;
    return std::nullopt;
}

float from_bfloat16(uint16_t bits) { return std::bit_cast<float>(uint32_t{bits} << 16); }

// 1 sign, 5 bits of exponent (bias 15), 10 of fraction. Their places in f32 (bias 127) are 13 further up.
float from_half(uint16_t bits) {
    const uint32_t sign = (bits & 0x8000u) << 16, exponent = bits >> 10 & 31u, fraction = bits & 1023u;
    if (exponent == 0) return std::copysign(std::ldexp(float(fraction), -24), std::bit_cast<float>(sign));
    const uint32_t shifted = exponent == 31 ? 255 : exponent + (127 - 15);  // 31: infinity and NaN
    return std::bit_cast<float>(sign | shifted << 23 | fraction << 13);
}

Tensor widened(const SafetensorsEntry& entry) {
    const auto convert = entry.dtype == "F16" ? from_half : from_bfloat16;
    Tensor values = empty(Shape(entry.shape));
    float* out = values.mutable_data<float>();
    for (size_t i = 0; i < entry.data.size() / 2; ++i) {
        uint16_t bits = 0;
        std::memcpy(&bits, entry.data.data() + 2 * i, 2);
        out[i] = convert(bits);
    }
    return values;
}

Tensor tensor_of(const SafetensorsFile& file, const SafetensorsEntry& entry,
                 const std::shared_ptr<PrivateMapping>& mapping) {
    if (entry.dtype == "F16" || entry.dtype == "BF16") return widened(entry);
    const std::optional<DType> dtype = dtype_named(entry.dtype);
    check(dtype.has_value(),
          "{}: tensor {} is {}; expected F64, F32, F16, BF16, I64 or U8: save it as one of these",
          in_quotes(file.name()), in_quotes(entry.name), entry.dtype);
    const Shape shape(entry.shape);
    const bool aligned = reinterpret_cast<uintptr_t>(entry.data.data()) % size_of(*dtype) == 0;
    if (aligned && !entry.data.empty()) {
        auto storage = std::make_shared<Storage>(Device::cpu, mapping->at(entry.data.data()),
                                                 entry.data.size(), mapping);
        return Tensor(shape, {.dtype = *dtype}, std::move(storage));
    }
    Tensor copy = empty(shape, {.dtype = *dtype});
    if (!entry.data.empty()) std::memcpy(copy.storage()->data(), entry.data.data(), entry.data.size());
    return copy;
}

}  // namespace

LoadedTensors load_tensors(const std::string& path, const std::function<bool(const std::string&)>& wanted) {
    const auto mapping = std::make_shared<PrivateMapping>(path);
    const SafetensorsFile file = SafetensorsFile::parse(mapping->bytes(), path);
    LoadedTensors loaded{.tensors = {}, .metadata = file.metadata()};
    for (const SafetensorsEntry& entry : file.entries())
        if (wanted(entry.name)) loaded.tensors.emplace(entry.name, tensor_of(file, entry, mapping));
    return loaded;
}

void save_tensors(const std::string& path, const StateDict& tensors,
                  const std::map<std::string, std::string>& metadata) {
    const NoGrad no_grad;
    std::vector<Tensor> row_major;  // keeps converted copies alive until they are written
    std::vector<SafetensorsEntry> entries;
    for (const auto& [name, tensor] : tensors) {
        check(tensor.defined(), "[save_tensors] the tensor {} is undefined", in_quotes(name));
        row_major.push_back(tensor.to(Device::cpu).contiguous());
        const Tensor& t = row_major.back();
        const auto* data = static_cast<const std::byte*>(t.storage()->data());
        const auto dtype =
            visit_any(t.dtype(), [](auto zero) { return safetensors_dtype<decltype(zero)>(); });
        entries.push_back({.name = name,
                           .dtype = std::string(dtype),
                           .shape = t.shape().dims(),
                           .data = {data, t.nbytes()}});
    }
    write_safetensors(path, std::move(entries), metadata);
}

}  // namespace lily::io
