// SPDX-License-Identifier: MIT
#include "framework/data/caption.h"

#include <cstdint>

#include "framework/error.h"

namespace lily::data {
namespace {

constexpr size_t kMostBytes = 4096;

// How many bytes of `text` the UTF-8 character at `at` takes; 0: it is none (RFC 3629).
size_t character_at(std::string_view text, size_t at) {
    const auto byte = [&](size_t i) { return at + i < text.size() ? static_cast<uint8_t>(text[at + i]) : 0; };
    const unsigned first = byte(0);
    const size_t length = first < 0x80       ? 1
                          : first >> 5 == 6  ? 2
                          : first >> 4 == 14 ? 3
                          : first >> 3 == 30 ? 4
                                             : 0;
    unsigned code = length == 1 ? first : first & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; ++i) {
        if (byte(i) >> 6 != 2) return 0;
        code = code << 6 | (byte(i) & 0x3f);
    }
    constexpr unsigned kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
    const bool is_half = code >= 0xd800 && code < 0xe000;
    return code >= kLeast[length] && code <= 0x10ffff && !is_half ? length : 0;
}

}  // namespace

std::string parse_caption(std::string_view text) {
    constexpr std::string_view kBlank = " \t", kByteOrderMark = "\xef\xbb\xbf";
    text = text.substr(0, text.find_first_of("\r\n"));
    for (;;) {
        if (text.starts_with(kByteOrderMark))
            text.remove_prefix(kByteOrderMark.size());
        else if (!text.empty() && kBlank.find(text[0]) != kBlank.npos)
            text.remove_prefix(1);
        else
            break;
    }
    text = text.substr(0, text.find_last_not_of(kBlank) + 1);
    check(!text.empty(), "its caption is empty");
    check(text.size() <= kMostBytes, "its caption has {} bytes, at most {} are read", text.size(),
          kMostBytes);
    for (size_t at = 0; at < text.size();) {
        const size_t length = character_at(text, at);
        check(length > 0 && text[at] != 0, "its caption is not UTF-8 at byte {}", at);
        at += length;
    }
    return std::string(text);
}

}  // namespace lily::data
