// SPDX-License-Identifier: MIT
// NumPy's files. That NumPy reads what is written here is seen by tests/examples/test_stylegan_exchange.py.
#include "framework/io/npy.h"

#include "framework/io/npy_tensor.h"
#include "tests/framework/io/io_test.h"

namespace lily::io {
namespace {

std::string file_of(const std::string& header, size_t bytes, char major = '\1') {
    std::string file = "\x93NUMPY";
    file += {major, '\0', static_cast<char>(header.size() & 255), static_cast<char>(header.size() >> 8)};
    if (major > '\1') file += {'\0', '\0'};
    return file + header + std::string(bytes, '\0');
}
NpyArray parse(const std::string& file) { return parse_npy(bytes_of(file), "a.npy"); }
std::string refusal(const std::string& file) {
    return error_of([&] { parse(file); });
}

TEST_CASE("npy: the header is NumPy's", "[io]") {
    CHECK(npy_header("<f4", {2, 3}) == "\x93NUMPY\1" + std::string(1, '\0') + 'v' + std::string(1, '\0') +
                                           "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }" +
                                           std::string(58, ' ') + "\n");
    CHECK(npy_header("<f4", {3}).find("(3,)") != std::string::npos);
    CHECK(npy_header("<f4", {}).find("()") != std::string::npos);
    for (int64_t n = 1; n < 10'000'000'000'000; n *= 7) CHECK(npy_header("<i8", {n, n}).size() % 64 == 0);
}

TEST_CASE("npy: versions, quotes, order of the keys", "[io]") {
    for (const char major : {'\1', '\2', '\3'}) {
        const NpyArray a =
            parse(file_of(R"({"shape":(2,3),"fortran_order": False ,"descr":"<f4"})", 24, major));
        CHECK(a.descr == "<f4");
        CHECK(a.shape == std::vector<int64_t>{2, 3});
        CHECK(a.data.size() == 24);
    }
    CHECK(parse(file_of("{'descr': '|u1', 'fortran_order': True, 'shape': (3,)}\n", 3)).shape.size() == 1);
    CHECK(parse(file_of("{'descr': '<f8', 'fortran_order': False, 'shape': ()}", 8)).shape.empty());
}

TEST_CASE("npy: what is refused", "[io]") {
    const auto with = [](const std::string& descr, const std::string& shape, size_t bytes,
                         const std::string& order = "False") {
        return refusal(
            file_of(fmt::format("{{'descr': {}, 'fortran_order': {}, 'shape': {}, }}\n", descr, order, shape),
                    bytes));
    };
    CHECK(with("'<f4'", "(2, 3)", 24) == "(no error)");
    CHECK(with("'<f4'", "(2, 3)", 23) == "'a.npy' ends before its data do");
    CHECK(with("'<f4'", "(2, 3)", 25) == "'a.npy' has more data than its header says: 1 bytes");
    CHECK(with("'<f4'", "(0, 3)", 0) == "'a.npy' is an array without elements");
    CHECK(with("'<f4'", "(2, 3)", 24, "True") ==
          "'a.npy' is in Fortran's order: save numpy.ascontiguousarray(array)");
    for (const char* descr : {"'>f4'", "'<f2'", "'|O'", "'<c8'", "''"})
        CHECK(with(descr, "(1,)", 8).find("expected <f4, <f8, <i8 or |u1") != std::string::npos);
    // Sizes whose product does not fit.
    CHECK(with("'<f8'", "(4611686018427387904, 4)", 16) == "'a.npy' ends before its data do");
    for (const char* shape : {"(3)", "3", "(-1,)", "(1 2)", "(1,,2)", "(,)", "(9223372036854775808,)", "(1"})
        CHECK(with("'<f4'", shape, 12).find("its header is") != std::string::npos);
    CHECK(with("[('a', '<f4')]", "(1,)", 4).find("its header is") != std::string::npos);
    for (const char* header : {"", "{", "{}", "{'descr': '<f4'}", "{'descr: 1}",
                               "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': True}",
                               "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x",
                               "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}"})
        CHECK(refusal(file_of(header, 4)).find("its header is") != std::string::npos);
    CHECK(refusal("PK") == "'a.npy' is not a .npy file of NumPy");
    CHECK(refusal(file_of("{}", 0, '\4')) == "'a.npy' is of version 4.0 of .npy, expected 1.0 to 3.0");
    const std::string whole = file_of("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", 4);
    for (size_t size = 0; size < whole.size(); ++size) CHECK(refusal(whole.substr(0, size)) != "(no error)");
    CHECK(refusal("\x93NUMPY\2" + std::string(1, '\0') + "\xff\xff\xff\xff") ==
          "'a.npy' has a header of 4294967295 bytes, expected at most 65536");
}

TEST_CASE("npy: tensors there and back", "[io]") {
    const ScratchFolder folder;
    const std::string path = folder / "a.npy";
    const auto again = [&](const Tensor& tensor) {
        save_npy(path, tensor);
        return load_npy(path);
    };
    const Tensor x = from_vector(std::vector<float>{1, -2, 3.5f, 4, 5, 6}, {2, 3});
    CHECK(again(x).to_vector<float>() == x.to_vector<float>());
    CHECK(again(x).shape() == x.shape());
    CHECK(again(from_vector(std::vector<double>{0.1}, {})).to_vector<double>() == std::vector{0.1});
    CHECK(again(from_vector(std::vector<int64_t>{-1, INT64_MAX}, {2})).to_vector<int64_t>() ==
          std::vector<int64_t>{-1, INT64_MAX});
    CHECK(again(from_vector(std::vector<uint8_t>{0, 255}, {1, 2})).to_vector<uint8_t>() ==
          std::vector<uint8_t>{0, 255});
    // Row-major, whatever the memory format.
    const Tensor picture = from_vector(std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8}, {1, 2, 2, 2});
    CHECK(again(picture.to(MemoryFormat::channels_last)).to_vector<float>() == picture.to_vector<float>());
    CHECK(folder.listing() == "a.npy");
}

}  // namespace
}  // namespace lily::io
