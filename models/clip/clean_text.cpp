// SPDX-License-Identifier: MIT
#include "models/clip/clean_text.h"

#include <unicode/ucasemap.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <memory>

#include "framework/error.h"
#include "models/clip/html_unescape.h"

namespace lily::models {
namespace {

constexpr size_t kMostBytes = size_t{1} << 28;

// The character at `at`, which moves behind it; negative: there is no UTF-8.
UChar32 next_character(std::string_view text, size_t& at) {
    auto i = static_cast<int32_t>(at);
    UChar32 c = 0;
    U8_NEXT(text.data(), i, static_cast<int32_t>(text.size()), c);
    at = static_cast<size_t>(i);
    return c;
}

void check_text(std::string_view text) {
    check(text.size() <= kMostBytes, "[clip] the text has {} bytes, at most {} are read", text.size(),
          kMostBytes);
    for (size_t at = 0; at < text.size();) {
        const size_t begin = at;
        check(next_character(text, at) >= 0, "[clip] the text is not UTF-8 at byte {}", begin);
    }
}

// Python's str.isspace: the property White_Space and four separators of ASCII.
bool is_python_space(UChar32 c) { return u_isUWhiteSpace(c) || (c >= 0x1c && c <= 0x1f); }

std::string_view strip(std::string_view text) {
    size_t begin = text.size();
    size_t end = 0;
    for (size_t at = 0; at < text.size();) {
        const size_t start = at;
        if (is_python_space(next_character(text, at))) continue;
        begin = std::min(begin, start);
        end = at;
    }
    return begin < end ? text.substr(begin, end - begin) : std::string_view();
}

std::string single_spaces(std::string_view text) {
    std::string single;
    single.reserve(text.size());
    bool in_space = false;
    for (size_t at = 0; at < text.size();) {
        const size_t start = at;
        const bool is_space = u_isUWhiteSpace(next_character(text, at)) != 0;
        if (!is_space) single += text.substr(start, at - start);
        if (is_space && !in_space) single += ' ';
        in_space = is_space;
    }
    return single;
}

// In full, as str.lower: a capital sigma by its place in the word, a dotted capital I as two characters.
std::string lower_case(std::string_view text) {
    static const std::unique_ptr<UCaseMap, void (*)(UCaseMap*)> map = [] {
        UErrorCode error = U_ZERO_ERROR;
        UCaseMap* opened = ucasemap_open("", 0, &error);  // of no language
        check(U_SUCCESS(error), "[clip] ICU does not start: {}", u_errorName(error));
        return std::unique_ptr<UCaseMap, void (*)(UCaseMap*)>(opened, ucasemap_close);
    }();
    std::string lower(text.size() * 3 / 2 + 1, '\0');  // two bytes become at most three
    UErrorCode error = U_ZERO_ERROR;
    const int32_t size = ucasemap_utf8ToLower(map.get(), lower.data(), static_cast<int32_t>(lower.size()),
                                              text.data(), static_cast<int32_t>(text.size()), &error);
    check(U_SUCCESS(error), "[clip] cannot make the text lower case: {}", u_errorName(error));
    lower.resize(static_cast<size_t>(size));
    return lower;
}

enum class Kind { letter, number, space, dropped, other };

Kind kind_of(UChar32 c) {
    // The reference's expression ignores case, and this mark's upper case is a letter: it is neither in
    // \p{L} nor in [^\s\p{L}\p{N}].
    constexpr UChar32 kIotaSubscript = 0x345;
    if (c == kIotaSubscript) return Kind::dropped;
    const uint32_t category = U_GET_GC_MASK(c);
    if (category & U_GC_L_MASK) return Kind::letter;
    if (category & U_GC_N_MASK) return Kind::number;
    return u_isUWhiteSpace(c) ? Kind::space : Kind::other;
}

// The length of `word` at the start of `text`, 0: it is not there. A long s is an s where case is ignored.
size_t starts_with_word(std::string_view text, std::string_view word) {
    constexpr std::string_view kLongS = "\u017f";
    size_t at = 0;
    for (const char c : word) {
        if (at < text.size() && text[at] == c)
            ++at;
        else if (c == 's' && text.substr(at).starts_with(kLongS))
            at += kLongS.size();
        else
            return 0;
    }
    return at;
}

size_t special_word(std::string_view text) {
    if (text[0] != '<' && text[0] != '\'') return 0;
    for (const std::string_view word :
         {"<|startoftext|>", "<|endoftext|>", "'s", "'t", "'re", "'ve", "'m", "'ll", "'d"})
        if (const size_t size = starts_with_word(text, word)) return size;
    return 0;
}

}  // namespace

std::string clean_text(std::string_view text) {
    check_text(text);
    std::string plain(text);
    if (text.find('&') != text.npos) plain = html_unescape(html_unescape(text));
    return lower_case(strip(single_spaces(strip(plain))));
}

std::vector<std::string_view> split_words(std::string_view text) {
    std::vector<std::string_view> words;
    for (size_t at = 0; at < text.size();) {
        const size_t begin = at;
        if (const size_t size = special_word(text.substr(at))) {
            at += size;
        } else {
            const Kind kind = kind_of(next_character(text, at));
            if (kind == Kind::space || kind == Kind::dropped) continue;
            for (size_t end = at; kind != Kind::number && end < text.size(); at = end)
                if (kind_of(next_character(text, end)) != kind) break;
        }
        words.push_back(text.substr(begin, at - begin));
    }
    return words;
}

}  // namespace lily::models
