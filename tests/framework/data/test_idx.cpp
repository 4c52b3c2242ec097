// SPDX-License-Identifier: MIT
#include "framework/data/idx.h"

#include "tests/framework/data/idx_bytes.h"
#include "tests/framework/io/io_test.h"

namespace lily::data {
namespace {

using Catch::Matchers::ContainsSubstring;
using io::bytes_of;
using io::error_of;

IdxArray parse(const std::string& bytes) { return parse_idx(bytes_of(bytes), "digits"); }
std::string error(const std::string& bytes) {
    return error_of([&] { parse(bytes); });
}

const std::string kSix = "abcdef";

}  // namespace

TEST_CASE("idx: shape and bytes, plain and packed", "[data][idx]") {
    const std::string plain = idx_bytes({2, 1, 3}, kSix);
    for (const std::string& bytes : {plain, gzipped(plain)}) {
        const IdxArray array = parse(bytes);
        CHECK(array.shape == std::vector<int64_t>{2, 1, 3});
        CHECK(std::string(array.values.begin(), array.values.end()) == kSix);
    }
    CHECK(parse(idx_bytes({6}, kSix)).shape == std::vector<int64_t>{6});
    CHECK(parse(idx_bytes({1, 2, 3, 1}, kSix)).shape == std::vector<int64_t>{1, 2, 3, 1});
}

TEST_CASE("idx: every prefix of a file is refused, and so is anything after it", "[data][idx]") {
    const std::string plain = idx_bytes({2, 3}, kSix), packed = gzipped(plain);
    for (size_t size = 0; size < plain.size(); ++size) {
        INFO(size << " bytes");
        CHECK(error(plain.substr(0, size)) != "(no error)");
        CHECK(error(gzipped(plain.substr(0, size))) != "(no error)");
    }
    for (size_t size = 0; size < packed.size(); ++size) {
        INFO(size << " packed bytes");
        CHECK(error(packed.substr(0, size)) != "(no error)");
    }
    CHECK_THAT(error(plain + "x"), ContainsSubstring("'digits' has more data than its header says: 1 bytes"));
    CHECK_THAT(error(gzipped(plain + "x")), ContainsSubstring("more data than its header says"));
    CHECK_THAT(error(packed + "x"), ContainsSubstring("1 bytes after its gzip data"));
    CHECK_THAT(error(packed + std::string("\0\0x", 3)), ContainsSubstring("1 bytes after its gzip data"));
    CHECK_THAT(error(packed + packed), ContainsSubstring("more data than its header says"));
}

TEST_CASE("idx: gzip of several members is one stream, zeros fill it up", "[data][idx]") {
    const std::string plain = idx_bytes({2, 3}, kSix), zeros(700, '\0');
    for (size_t cut = 0; cut <= plain.size(); ++cut) {
        INFO("members of " << cut << " and " << plain.size() - cut << " bytes");
        const std::string first = gzipped(plain.substr(0, cut)), second = gzipped(plain.substr(cut));
        for (const std::string& packed :
             {first + second, first + gzipped("") + second + gzipped(""), first + zeros + second + zeros}) {
            const IdxArray array = parse(packed);
            CHECK(std::string(array.values.begin(), array.values.end()) == kSix);
        }
        for (size_t size = first.size(); cut < plain.size() && size < first.size() + second.size(); ++size)
            CHECK(error((first + second).substr(0, size)) != "(no error)");
        std::string damaged = first + second;
        damaged[first.size() - 6] = static_cast<char>(damaged[first.size() - 6] ^ 1);  // the first's checksum
        CHECK(error(damaged) != "(no error)");
    }
}

TEST_CASE("idx: what is wrong is named", "[data][idx]") {
    CHECK_THAT(error("PK\3\4....."), ContainsSubstring("'digits' is not an IDX file: it begins with 50 4b"));
    CHECK_THAT(error(idx_bytes({6}, kSix, 0x0d)), ContainsSubstring("of type 0x0d, expected 0x08"));
    CHECK_THAT(error(idx_bytes({}, kSix)), ContainsSubstring("of 0 dimensions, expected 1 to 4"));
    CHECK_THAT(error(idx_bytes({1, 1, 1, 1, 6}, kSix)), ContainsSubstring("of 5 dimensions"));
    CHECK_THAT(error(idx_bytes({0, 28, 28}, "")), ContainsSubstring("empty: dimension 0 is 0"));
    CHECK_THAT(error(idx_bytes({7}, kSix)), ContainsSubstring("ends before its data do"));
    CHECK_THAT(error(""), ContainsSubstring("ends before its data do"));
}

TEST_CASE("idx: absurd counts are refused before memory is asked for", "[data][idx]") {
    const std::vector<std::vector<uint32_t>> shapes = {{0xffffffff},
                                                       {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
                                                       {60000, 28, 28},
                                                       {1u << 31, 1u << 31, 4}};
    for (const auto& shape : shapes) {
        CHECK_THAT(error(idx_bytes(shape, kSix)), ContainsSubstring("which a file of this size cannot hold"));
        CHECK_THAT(error(gzipped(idx_bytes(shape, kSix))),
                   ContainsSubstring("which a file of this size cannot hold"));
    }
}

TEST_CASE("idx: a damaged checksum, length or stream of gzip is noticed", "[data][idx]") {
    const std::string packed = gzipped(idx_bytes({2, 3}, kSix));
    for (size_t i = 2; i < packed.size(); ++i) {
        if (i >= 3 && i < 10) continue;  // flags that add fields aside, gzip's header carries no data
        std::string damaged = packed;
        damaged[i] = static_cast<char>(damaged[i] ^ 0x55);
        INFO("byte " << i);
        CHECK(error(damaged) != "(no error)");
    }
    CHECK_THAT(error_of([] { read_idx("/no/such/file"); }), ContainsSubstring("No such file"));
}

}  // namespace lily::data
