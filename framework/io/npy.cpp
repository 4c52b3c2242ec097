// SPDX-License-Identifier: MIT
#include "framework/io/npy.h"

#include <charconv>
#include <optional>

#include "framework/error.h"

namespace lily::io {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr size_t kPrefix = kMagic.size() + 2;  // magic and version
constexpr size_t kMostHeader = 1 << 16;
constexpr size_t kMostDimensions = 64;  // as in NumPy 2
constexpr size_t kAlignment = 64;

size_t item_size(std::string_view descr) {
    if (descr == "<f4") return 4;
    if (descr == "<f8" || descr == "<i8") return 8;
    return descr == "|u1" ? 1 : 0;
}

// The header: a Python dictionary of three keys, in any order.
class Header {
  public:
    Header(std::string_view text, const std::string& name) : text_(text), name_(name) {
        expect('{');
        while (!taken('}')) {
            const std::string key = string();
            expect(':');
            if (key == "descr" && !descr)
                descr = string();
            else if (key == "fortran_order" && !fortran_order)
                fortran_order = boolean();
            else if (key == "shape" && !shape)
                shape = tuple();
            else
                damaged();
            if (!taken(',')) {
                expect('}');
                break;
            }
        }
        skip_space();
        if (at_ != text_.size() || !descr || !fortran_order || !shape) damaged();
    }

    std::optional<std::string> descr;
    std::optional<bool> fortran_order;
    std::optional<std::vector<int64_t>> shape;

  private:
    [[noreturn]] void damaged() const {
        fail("{} is not an array that is read here: its header is {}", in_quotes(name_), in_quotes(text_));
    }
    void skip_space() {
        while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
    }
    bool taken(char c) {
        skip_space();
        if (at_ == text_.size() || text_[at_] != c) return false;
        ++at_;
        return true;
    }
    void expect(char c) {
        if (!taken(c)) damaged();
    }
    std::string string() {
        skip_space();
        const char quote = at_ < text_.size() ? text_[at_] : '\0';
        if (quote != '\'' && quote != '"') damaged();
        const size_t end = text_.find(quote, ++at_);
        if (end == text_.npos) damaged();
        std::string word(text_.substr(at_, end - at_));
        at_ = end + 1;
        return word;
    }
    bool boolean() {
        skip_space();
        for (const std::string_view word : {"True", "False"})
            if (text_.substr(at_).starts_with(word)) {
                at_ += word.size();
                return word == "True";
            }
        damaged();
    }
    // (), (3,) or (2, 3)
    std::vector<int64_t> tuple() {
        std::vector<int64_t> values;
        bool comma = false;
        expect('(');
        while (!taken(')')) {
            if ((!values.empty() && !comma) || values.size() == kMostDimensions) damaged();
            skip_space();
            const char *begin = text_.data() + at_, *end = text_.data() + text_.size();
            int64_t value = 0;
            const auto [stop, error] = std::from_chars(begin, end, value);
            if (error != std::errc() || value < 0) damaged();
            at_ += static_cast<size_t>(stop - begin);
            values.push_back(value);
            comma = taken(',');
        }
        if (values.size() == 1 && !comma) damaged();  // Python's (3) is a number
        return values;
    }

    const std::string_view text_;
    const std::string& name_;
    size_t at_ = 0;
};

uint64_t little_endian(Bytes bytes) {
    uint64_t value = 0;
    for (size_t i = bytes.size(); i-- > 0;) value = value << 8 | std::to_integer<uint64_t>(bytes[i]);
    return value;
}

std::string_view text_of(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

}  // namespace

NpyArray parse_npy(Bytes bytes, const std::string& name) {
    const auto need = [&](size_t size) {
        check(bytes.size() >= size, "{} ends before its data do", in_quotes(name));
    };
    check(text_of(bytes).starts_with(kMagic), "{} is not a .npy file of NumPy", in_quotes(name));
    need(kPrefix);
    const auto major = std::to_integer<unsigned>(bytes[kPrefix - 2]),
               minor = std::to_integer<unsigned>(bytes[kPrefix - 1]);
    check(major >= 1 && major <= 3 && minor == 0, "{} is of version {}.{} of .npy, expected 1.0 to 3.0",
          in_quotes(name), major, minor);
    const size_t length_bytes = major == 1 ? 2 : 4;
    need(kPrefix + length_bytes);
    const uint64_t length = little_endian(bytes.subspan(kPrefix, length_bytes));
    check(length <= kMostHeader, "{} has a header of {} bytes, expected at most {}", in_quotes(name), length,
          kMostHeader);
    const size_t begin = kPrefix + length_bytes + length;
    need(begin);
    const Header header(text_of(bytes.subspan(kPrefix + length_bytes, length)), name);

    const size_t item = item_size(*header.descr);
    check(item > 0, "{} holds elements of type {}, expected <f4, <f8, <i8 or |u1: save array.astype('<f4')",
          in_quotes(name), in_quotes(*header.descr));
    check(!*header.fortran_order || header.shape->size() < 2,
          "{} is in Fortran's order: save numpy.ascontiguousarray(array)", in_quotes(name));
    const Bytes data = bytes.subspan(begin);
    uint64_t size = item;
    for (const int64_t n : *header.shape) {
        check(n > 0, "{} is an array without elements", in_quotes(name));
        check(static_cast<uint64_t>(n) <= data.size() / size, "{} ends before its data do", in_quotes(name));
        size *= static_cast<uint64_t>(n);
    }
    need(begin + size);
    check(data.size() == size, "{} has more data than its header says: {} bytes", in_quotes(name),
          data.size() - size);
    return {*header.descr, *header.shape, data};
}

std::string npy_header(std::string_view descr, const std::vector<int64_t>& shape) {
    const std::string sizes =
        shape.size() == 1 ? fmt::format("{},", shape[0]) : fmt::format("{}", fmt::join(shape, ", "));
    std::string header =
        fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", descr, sizes);
    const size_t before = kPrefix + 2;
    header.append(kAlignment - 1 - (before + header.size()) % kAlignment, ' ') += '\n';
    check(header.size() <= UINT16_MAX, "[npy_header] too many dimensions: {}", shape.size());
    std::string all(kMagic);
    all += {'\1', '\0', static_cast<char>(header.size() & 255), static_cast<char>(header.size() >> 8)};
    return all + header;
}

}  // namespace lily::io
