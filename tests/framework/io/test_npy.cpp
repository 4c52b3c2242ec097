// SPDX-License-Identifier: MIT
#include "framework/io/npy.h"

#include <cstring>

#include "framework/error.h"
#include "tests/framework/io/io_test.h"

namespace lily::io {
namespace {

using Catch::Matchers::ContainsSubstring;

// As numpy.save writes it (NumPy 2.4): the data begins at a multiple of 64 bytes.
TEST_CASE("save_npy writes NumPy's format", "[io]") {
    const std::string path =
        (std::filesystem::temp_directory_path() / fmt::format("lily_{}.npy", ::getpid())).string();
    save_npy(path, from_vector(std::vector<float>{1, -2, 3, 4, 5, 0.5F}, {2, 3}));
    const std::vector<std::byte> bytes = read_file(path);
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    CHECK(text.substr(0, 10) == std::string_view("\x93NUMPY\x01\x00\x76\x00", 10));
    CHECK(text.substr(10).starts_with("{'descr': '<f4', 'fortran_order': False, 'shape': (2,3,), } "));
    REQUIRE(bytes.size() == 128 + 24);
    CHECK(text[127] == '\n');
    float last = 0;
    std::memcpy(&last, bytes.data() + 128 + 20, 4);
    CHECK(last == 0.5F);
    save_npy(path, from_vector(std::vector<int64_t>{7}, {}));
    const std::vector<std::byte> scalar = read_file(path);
    CHECK(std::string_view(reinterpret_cast<const char*>(scalar.data()), scalar.size())
              .substr(10)
              .starts_with("{'descr': '<i8', 'fortran_order': False, 'shape': (), }"));
    CHECK_THROWS_WITH(save_npy(path, empty({2}, {.dtype = DType::u8})),
                      ContainsSubstring("expected f32, f64 or i64, got u8"));
    std::filesystem::remove(path);
}

}  // namespace
}  // namespace lily::io
