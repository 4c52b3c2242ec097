// SPDX-License-Identifier: MIT
#include "framework/io/fingerprint.h"

#include <cstring>

namespace lily::io {

// FNV-1a in words of 8 bytes. Products carry upwards only: the shift brings the upper bits back down.
void Fingerprint::add(const void* bytes, size_t size) {
    const auto* byte = static_cast<const uint8_t*>(bytes);
    const auto mix = [this](uint64_t word) {
        hash_ = (hash_ ^ word) * 0x100000001b3u;
        hash_ ^= hash_ >> 32;
    };
    for (; size >= sizeof(uint64_t); size -= sizeof(uint64_t), byte += sizeof(uint64_t)) {
        uint64_t word = 0;
        std::memcpy(&word, byte, sizeof word);
        mix(word);
    }
    for (size_t i = 0; i < size; ++i) mix(byte[i]);
}

void Fingerprint::add(const Tensor& tensor) {
    const Tensor here = tensor.detach().to(Device::cpu).contiguous();
    add(fmt::format("{} {}", here.shape(), name(here.dtype())));
    add(here.storage()->data(), here.nbytes());
}

std::string Fingerprint::text() const { return fmt::format("{:016x}", hash_); }

std::string fingerprint(const Tensor& tensor) {
    Fingerprint of;
    of.add(tensor);
    return of.text();
}

std::string fingerprint(const StateDict& state) {
    Fingerprint of;
    for (const auto& [name, tensor] : state) {
        of.add(name);
        of.add(tensor);
    }
    return of.text();
}

}  // namespace lily::io
