// SPDX-License-Identifier: MIT
#include "models/clip/html_unescape.h"

#include <unicode/utf8.h>

#include <algorithm>
#include <cstdint>
#include <unordered_map>

#include "models/clip/html_entities.h"

namespace lily::models {
namespace {

constexpr uint32_t kReplacement = 0xfffd, kLargest = 0x10ffff;

void append_utf8(std::string& text, uint32_t code) {
    uint8_t bytes[U8_MAX_LENGTH];
    int32_t size = 0;
    U8_APPEND_UNSAFE(bytes, size, code);
    text.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size));
}

// -1: none.
int digit(char c, int base) {
    const int value = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    return value < base ? value : -1;
}

// {"amp;": "&", …}; some names are there without the semicolon too.
const std::unordered_map<std::string_view, std::string>& entities() {
    static const std::unordered_map<std::string_view, std::string> table = [] {
        std::unordered_map<std::string_view, std::string> made;
        std::string_view rest = kHtmlEntities;
        while (!rest.empty()) {
            const std::string_view entry = rest.substr(0, rest.find(' '));
            const size_t equals = entry.find('=');
            std::string& characters = made[entry.substr(0, equals)];
            uint32_t code = 0;
            for (const char c : entry.substr(equals + 1)) {
                if (c != '+') {
                    code = code * 16 + static_cast<uint32_t>(digit(c, 16));
                } else {
                    append_utf8(characters, code);
                    code = 0;
                }
            }
            append_utf8(characters, code);
            rest.remove_prefix(entry.size() + 1);
        }
        return made;
    }();
    return table;
}

// What the number of a reference stands for; nothing for what the standard calls an error without a meaning.
void append_numbered(std::string& text, uint32_t code) {
    // 0x80…0x9f, written by those who meant Windows-1252.
    constexpr uint16_t kC1[32] = {0x20ac, 0x81,   0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021,
                                  0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0x8d,   0x017d, 0x8f,
                                  0x90,   0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
                                  0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0x9d,   0x017e, 0x0178};
    if (code == 0 || code > kLargest || (code >= 0xd800 && code <= 0xdfff))
        return append_utf8(text, kReplacement);
    if (code >= 0x80 && code <= 0x9f) return append_utf8(text, kC1[code - 0x80]);
    const bool is_control =
        (code < 0x20 && code != '\t' && code != '\n' && code != '\f' && code != '\r') || code == 0x7f;
    const bool is_no_character = (code >= 0xfdd0 && code <= 0xfdef) || (code & 0xfffe) == 0xfffe;
    if (!is_control && !is_no_character) append_utf8(text, code);
}

// "#38;" or "#x26" at the start of `rest`, appended as its character; its length, 0: there is none.
size_t take_number(std::string_view rest, std::string& text) {
    const int base = rest.size() > 1 && (rest[1] == 'x' || rest[1] == 'X') ? 16 : 10;
    const size_t first = base == 16 ? 2 : 1;
    size_t at = first;
    uint32_t code = 0;
    for (; at < rest.size() && digit(rest[at], base) >= 0; ++at)
        code = std::min(code * static_cast<uint32_t>(base) + static_cast<uint32_t>(digit(rest[at], base)),
                        kLargest + 1);
    if (at == first) return 0;
    append_numbered(text, code);
    return at < rest.size() && rest[at] == ';' ? at + 1 : at;
}

// "amp;", or else the longest name that `rest` begins with, appended as its characters; its length, 0: none.
size_t take_name(std::string_view rest, std::string& text) {
    constexpr size_t kLongest = 32;
    const auto is_of_name = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    };
    size_t size = 0;
    while (size < std::min(rest.size(), kLongest) && is_of_name(rest[size])) ++size;
    if (size < rest.size() && rest[size] == ';') ++size;
    for (; size >= 2; --size) {
        const auto found = entities().find(rest.substr(0, size));
        if (found == entities().end()) continue;
        text += found->second;
        return size;
    }
    return 0;
}

}  // namespace

std::string html_unescape(std::string_view text) {
    std::string plain;
    plain.reserve(text.size());
    while (!text.empty()) {
        const size_t before = std::min(text.find('&'), text.size());
        plain += text.substr(0, before);
        text.remove_prefix(before);
        if (text.empty()) break;
        const std::string_view rest = text.substr(1);
        const size_t taken = rest.starts_with('#') ? take_number(rest, plain) : take_name(rest, plain);
        if (taken == 0) plain += '&';
        text.remove_prefix(1 + taken);
    }
    return plain;
}

}  // namespace lily::models
