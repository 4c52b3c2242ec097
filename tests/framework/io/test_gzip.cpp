// SPDX-License-Identifier: MIT
#include "framework/io/gzip.h"

#include <zlib.h>

#include "framework/error.h"
#include "tests/catch.h"

namespace lily::io {
namespace {

using Catch::Matchers::ContainsSubstring;

std::vector<std::byte> packed(const std::vector<std::byte>& data) {
    z_stream z = {};
    REQUIRE(deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);  // 16: gzip
    std::vector<std::byte> out(deflateBound(&z, data.size()) + 32);
    std::vector<std::byte> in = data;
    z.next_in = reinterpret_cast<Bytef*>(in.data()), z.avail_in = static_cast<uInt>(in.size());
    z.next_out = reinterpret_cast<Bytef*>(out.data()), z.avail_out = static_cast<uInt>(out.size());
    REQUIRE(deflate(&z, Z_FINISH) == Z_STREAM_END);
    out.resize(z.total_out);
    deflateEnd(&z);
    return out;
}

TEST_CASE("unpack_gzip gives all of the data, whatever their size", "[io]") {
    for (const size_t size :
         {size_t{0}, size_t{1}, size_t{1} << 18, (size_t{1} << 18) + 1, size_t{3} << 18}) {
        std::vector<std::byte> data(size);
        for (size_t i = 0; i < size; ++i) data[i] = static_cast<std::byte>(i * i >> 7);
        CHECK(unpack_gzip(packed(data), "x", size) == data);
        if (size > 0)
            CHECK_THROWS_WITH(unpack_gzip(packed(data), "x", size - 1),
                              ContainsSubstring("'x' unpacks to more than"));
    }
}

TEST_CASE("unpack_gzip refuses what is cut short or damaged", "[io]") {
    std::vector<std::byte> whole = packed(std::vector<std::byte>(1000, std::byte{7}));
    const std::vector<std::byte> cut(whole.begin(), whole.end() - 5);
    CHECK_THROWS_WITH(unpack_gzip(cut, "x", 1 << 20), "'x' is cut short in its gzip data");
    whole[whole.size() - 6] ^= std::byte{1};  // of the checksum
    CHECK_THROWS_WITH(unpack_gzip(whole, "x", 1 << 20), ContainsSubstring("'x' is damaged"));
}

}  // namespace
}  // namespace lily::io
