// SPDX-License-Identifier: MIT
#pragma once

#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "framework/error.h"
#include "framework/io/file.h"

namespace lily::io {

// Reads numbers of either byte order; a read past the end says that the file is truncated.
class Reader {
  public:
    Reader(Bytes bytes, const std::string& name) : bytes_(bytes), name_(name) {}

    size_t position = 0;

    size_t left() const { return bytes_.size() - position; }
    void need(uint64_t n) const {
        if (n > left()) fail("{} is truncated: it ends after {} bytes", in_quotes(name_), bytes_.size());
    }
    Bytes take(uint64_t n) {
        need(n);
        const Bytes part = bytes_.subspan(position, static_cast<size_t>(n));
        position += static_cast<size_t>(n);
        return part;
    }
    void skip(uint64_t n) { take(n); }
    void seek(uint64_t at) {
        position = 0;
        skip(at);
    }
    uint32_t u8() { return little(1); }
    uint32_t u16_le() { return little(2); }
    uint32_t u32_le() { return little(4); }
    int32_t i32_le() { return static_cast<int32_t>(little(4)); }
    uint32_t u16_be() { return big(2); }
    uint32_t u32_be() { return big(4); }

    template <class... Args>
    [[noreturn]] void damaged(fmt::format_string<Args...> what, Args&&... args) const {
        fail("{} is damaged: {}", in_quotes(name_), fmt::format(what, std::forward<Args>(args)...));
    }
    template <class... Args>
    [[noreturn]] void unsupported(fmt::format_string<Args...> what, Args&&... args) const {
        fail("{} cannot be read: {}", in_quotes(name_), fmt::format(what, std::forward<Args>(args)...));
    }

  private:
    uint32_t little(size_t n) {
        const Bytes part = take(n);
        uint32_t value = 0;
        for (size_t i = n; i-- > 0;) value = value << 8 | std::to_integer<uint32_t>(part[i]);
        return value;
    }
    uint32_t big(size_t n) {
        uint32_t value = 0;
        for (const std::byte b : take(n)) value = value << 8 | std::to_integer<uint32_t>(b);
        return value;
    }

    Bytes bytes_;
    const std::string& name_;
};

inline bool starts_with(Bytes bytes, std::string_view magic) {
    return bytes.size() >= magic.size() && std::memcmp(bytes.data(), magic.data(), magic.size()) == 0;
}

}  // namespace lily::io
