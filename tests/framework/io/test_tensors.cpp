// SPDX-License-Identifier: MIT
#include "framework/io/tensors.h"

#include <cmath>

#include "framework/autograd.h"
#include "framework/io/safetensors.h"
#include "framework/ops.h"
#include "tests/framework/io/image_bytes.h"
#include "tests/framework/io/io_test.h"

namespace lily::io {
namespace {

StateDict every_kind() {
    return {{"f32", from_vector<float>({1.5F, -0.0F, NAN, 1e-40F, INFINITY, -7}, {2, 3})},
            {"f64", from_vector<double>({std::nextafter(1.0, 2.0), -1e300}, {2})},
            {"i64", from_vector<int64_t>({INT64_MIN, INT64_MAX, 0}, {3, 1})},
            {"u8", from_vector<uint8_t>({0, 127, 255}, {3})},
            {"empty", zeros({4, 0, 2})},
            {"none", zeros({0}, {.dtype = DType::u8})},
            {"scalar", scalar(2.5, {.dtype = DType::f64})}};
}

// The bytes of all elements, row-major.
std::string bits(const Tensor& x) {
    const Tensor row_major = x.contiguous();
    return {static_cast<const char*>(row_major.storage()->data()), row_major.nbytes()};
}

TEST_CASE("Tensors of every dtype come back with the same bits, shapes and metadata", "[io][tensors]") {
    const ScratchFolder dir;
    const StateDict saved = every_kind();
    const std::map<std::string, std::string> metadata = {{"made by", "test"}};
    save_tensors(dir / "t", saved, metadata);
    const LoadedTensors loaded = load_tensors(dir / "t");
    CHECK(loaded.metadata == metadata);
    REQUIRE(loaded.tensors.size() == saved.size());
    for (const auto& [name, tensor] : saved) {
        INFO(name);
        const Tensor& got = loaded.tensors.at(name);
        CHECK(got.shape() == tensor.shape());
        CHECK(got.dtype() == tensor.dtype());
        CHECK(bits(got) == bits(tensor));
    }
    save_tensors(dir / "again", loaded.tensors, loaded.metadata);
    CHECK(text_of(dir / "again") == text_of(dir / "t"));
    CHECK(dir.listing() == "again t");
}

TEST_CASE("A file without tensors", "[io][tensors]") {
    const ScratchFolder dir;
    save_tensors(dir / "t", {});
    CHECK(load_tensors(dir / "t").tensors.empty());
}

TEST_CASE("Loading maps the file instead of copying it", "[io][tensors]") {
    const ScratchFolder dir;
    save_tensors(dir / "t", {{"big", full({1 << 18}, 3)}});
    const int64_t before = allocator(Device::cpu).stats().current_bytes;
    Tensor big = load_tensors(dir / "t").tensors.at("big");  // outlives everything else of the file
    CHECK(allocator(Device::cpu).stats().current_bytes == before);
    CHECK(big.sum().item<double>() == 3.0 * (1 << 18));
}

TEST_CASE("Loaded tensors can be changed in place; the file and other loads do not see it", "[io][tensors]") {
    const ScratchFolder dir;
    save_tensors(dir / "t", {{"a", full({5}, 1)}, {"b", full({5}, 2)}});
    const std::string before = text_of(dir / "t");
    StateDict first = load_tensors(dir / "t").tensors;
    const StateDict second = load_tensors(dir / "t").tensors;
    first.at("a").fill_(9);
    CHECK(first.at("a").to_vector<float>() == std::vector<float>(5, 9));
    CHECK(first.at("b").to_vector<float>() == std::vector<float>(5, 2));
    CHECK(second.at("a").to_vector<float>() == std::vector<float>(5, 1));
    CHECK(text_of(dir / "t") == before);

    save_tensors(dir / "t", first);  // over the file that it is mapped from
    CHECK(first.at("b").to_vector<float>() == std::vector<float>(5, 2));
    CHECK(second.at("b").to_vector<float>() == std::vector<float>(5, 2));
    CHECK(load_tensors(dir / "t").tensors.at("a").to_vector<float>() == std::vector<float>(5, 9));
}

TEST_CASE("Data that is not aligned for its dtype is copied", "[io][tensors]") {
    const ScratchFolder dir;
    const std::vector<float> values = {1, -2, 3.5F};
    const std::string data(reinterpret_cast<const char*>(values.data()), 12);
    for (size_t padding = 0; padding < 4; ++padding) {
        const std::string header = R"({"x":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}})";
        write_file_atomically(
            dir / "t", bytes::little(header.size() + padding, 8) + header + std::string(padding, ' ') + data);
        Tensor x = load_tensors(dir / "t").tensors.at("x");
        CHECK(x.to_vector<float>() == values);
        x.fill_(4);
        CHECK(x.sum().item() == 12);
    }
}

TEST_CASE("Tensors in other memory formats, and of a graph, are saved as plain row-major values",
          "[io][tensors]") {
    const ScratchFolder dir;
    Tensor x = arange(2 * 8 * 2 * 3).reshape({2, 8, 2, 3});
    Tensor y = x.clone().set_requires_grad();
    save_tensors(dir / "t", {{"blocked", x.to(MemoryFormat::blocked8)},
                             {"last", x.to(MemoryFormat::channels_last)},
                             {"result", y * 2}});
    const StateDict loaded = load_tensors(dir / "t").tensors;
    CHECK(loaded.at("blocked").to_vector<float>() == x.to_vector<float>());
    CHECK(loaded.at("last").to_vector<float>() == x.to_vector<float>());
    CHECK(loaded.at("last").format() == MemoryFormat::contiguous);
    CHECK_FALSE(loaded.at("result").requires_grad());
}

TEST_CASE("F16 and BF16 become f32 with the same values", "[io][tensors]") {
    const ScratchFolder dir;
    const auto value_of = [&](const char* dtype, uint64_t bits) {
        const std::string header =
            fmt::format(R"({{"x":{{"dtype":"{}","shape":[1],"data_offsets":[0,2]}}}})", dtype);
        write_file_atomically(dir / "t", bytes::little(header.size(), 8) + header + bytes::little(bits, 2));
        return load_tensors(dir / "t").tensors.at("x").to_vector<float>().at(0);
    };
    // IEEE 754's binary16: smallest and largest subnormal, smallest normal, one, the next, a third, largest.
    CHECK(value_of("F16", 0x0001) == std::ldexp(1.0F, -24));
    CHECK(value_of("F16", 0x03ff) == std::ldexp(1023.0F, -24));
    CHECK(value_of("F16", 0x0400) == std::ldexp(1.0F, -14));
    CHECK(value_of("F16", 0x3c00) == 1.0F);
    CHECK(value_of("F16", 0x3c01) == 1.0F + std::ldexp(1.0F, -10));
    CHECK(value_of("F16", 0xb555) == -0.333251953125F);
    CHECK(value_of("F16", 0x7bff) == 65504.0F);
    CHECK(value_of("F16", 0xfc00) == -std::numeric_limits<float>::infinity());
    CHECK(std::isnan(value_of("F16", 0x7e00)));
    CHECK((value_of("F16", 0x8000) == 0 && std::signbit(value_of("F16", 0x8000))));
    CHECK(value_of("F16", 0x8001) == -std::ldexp(1.0F, -24));
    CHECK(value_of("BF16", 0x3f80) == 1.0F);
    CHECK(value_of("BF16", 0xc049) == -3.140625F);
    CHECK(value_of("BF16", 0x0001) == std::ldexp(1.0F, -133));
    CHECK(std::isinf(value_of("BF16", 0x7f80)));
}

TEST_CASE("Files that cannot be loaded are refused in one line", "[io][tensors]") {
    const ScratchFolder dir;
    const auto refusal = [&](const std::string& name) { return error_of([&] { load_tensors(dir / name); }); };
    CHECK(refusal("none") == "cannot read '" + dir / "none" + "': No such file or directory");
    CHECK(refusal("") == "cannot read '" + dir / "" + "': Is a directory");
    write_file_atomically(dir / "t", "");
    CHECK(refusal("t") == "'" + dir / "t" + "' is not a safetensors file: it has only 0 bytes");
    const std::string header = R"({"x":{"dtype":"I16","shape":[3],"data_offsets":[0,6]}})";
    write_file_atomically(dir / "t", bytes::little(header.size(), 8) + header + "123456");
    CHECK(refusal("t") ==
          "'" + dir / "t" +
              "': tensor 'x' is I16; expected F64, F32, F16, BF16, I64 or U8: save it as one of these");
    CHECK(load_tensors(dir / "t", [](auto& name) { return name != "x"; }).tensors.empty());
    write_file_atomically(dir / "t", bytes::little(header.size(), 8) + header + "1234");
    CHECK(refusal("t").find("truncated") != std::string::npos);
    CHECK(error_of([&] {
              save_tensors(dir / "t", {{"x", Tensor{}}});
          }) == "[save_tensors] the tensor 'x' is undefined");
}

}  // namespace
}  // namespace lily::io
