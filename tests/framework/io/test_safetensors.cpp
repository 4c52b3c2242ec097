// SPDX-License-Identifier: MIT
#include "framework/io/safetensors.h"

#include <cmath>
#include <cstdlib>
#include <limits>
#include <sstream>

#include "tests/framework/io/image_bytes.h"
#include "tests/framework/io/io_test.h"

namespace lily::io {
namespace {

std::string file_of(const std::string& header, size_t data_bytes) {
    return bytes::little(header.size(), 8) + header + std::string(data_bytes, '\x01');
}

// The error of a file that declares `header` and carries `data_bytes`, without the leading file name.
std::string refusal(const std::string& header, size_t data_bytes) {
    const std::string file = file_of(header, data_bytes);
    const std::string message = error_of([&] { SafetensorsFile::parse(bytes_of(file), "w"); });
    return message.starts_with("'w'") ? message.substr(3) : message;
}

std::string tensor(const std::string& name, const std::string& dtype, const std::string& shape,
                   const std::string& offsets) {
    return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":[" + shape + "],\"data_offsets\":[" +
           offsets + "]}";
}

TEST_CASE("safetensors round trip: values, metadata, alignment, same bytes for any order",
          "[io][safetensors]") {
    const ScratchFolder dir;
    const std::vector<float> f = {1.5F, -0.0F, std::numeric_limits<float>::quiet_NaN(), 1e-40F, 3e38F, -7};
    const std::vector<double> d = {std::nextafter(1.0, 2.0)};
    const std::vector<int64_t> i = {INT64_MIN, INT64_MAX};
    const std::vector<uint8_t> u = {0, 127, 255};
    const std::map<std::string, std::string> metadata = {{"licence", "CC BY 4.0"}, {"naïve \"key\"", "v\n"}};
    std::vector<SafetensorsEntry> entries = {
        {"u", "U8", {3}, std::as_bytes(std::span(u))},
        {"conv.weight", "F32", {2, 3, 1}, std::as_bytes(std::span(f))},
        {"empty", "F32", {4, 0, 2}, {}},
        {"scalar", "F64", {}, std::as_bytes(std::span(d))},
        {"steps", "I64", {2}, std::as_bytes(std::span(i))},
    };
    write_safetensors(dir / "a", entries, metadata);
    std::swap(entries[0], entries[3]);
    write_safetensors(dir / "b", entries, metadata);
    CHECK(text_of(dir / "a") == text_of(dir / "b"));
    CHECK(dir.listing() == "a b");

    SafetensorsFile opened = SafetensorsFile::open(dir / "a");
    const SafetensorsFile file = std::move(opened);
    CHECK(file.entries().size() == 5);
    CHECK(file.metadata() == metadata);
    CHECK(file.at("conv.weight").shape == std::vector<int64_t>{2, 3, 1});
    CHECK(file.at("scalar").shape.empty());
    CHECK(file.find("none") == nullptr);
    CHECK(file.values<uint8_t>(file.at("u")) == u);
    CHECK(file.values<int64_t>(file.at("steps")) == i);
    CHECK(file.values<double>(file.at("scalar")) == d);
    CHECK(file.values<float>(file.at("empty")).empty());
    const auto weights = file.view<float>(file.at("conv.weight"));
    REQUIRE(weights.has_value());
    CHECK(std::memcmp(weights->data(), f.data(), f.size() * 4) == 0);
    for (const SafetensorsEntry& entry : file.entries())
        CHECK(reinterpret_cast<uintptr_t>(entry.data.data()) % safetensors_item_size(entry.dtype) == 0);

    CHECK(error_of([&] { file.at("none"); }) == "'" + dir / "a" + "' has no tensor 'none'");
    CHECK(error_of([&] { file.view<double>(file.at("u")); }) ==
          "'" + dir / "a" + "': tensor 'u' is U8, expected F64");
}

TEST_CASE("safetensors of others: any order in the header, padding, unaligned data, other dtypes",
          "[io][safetensors]") {
    const std::string header = "{" + tensor("late", "F32", "1", "3,7") + " , " +
                               tensor("b", "BF16", "1", "1,3") + "," + tensor("\\u00e9", "U8", "", "0,1") +
                               ",\"__metadata__\":{}}   \n";
    const std::string text = file_of(header, 7);
    const SafetensorsFile file = SafetensorsFile::parse(bytes_of(text), "w");
    REQUIRE(file.entries().size() == 3);
    CHECK(file.entries()[0].name == "é");
    CHECK(file.entries()[1].dtype == "BF16");
    CHECK(file.values<float>(file.at("late")).size() == 1);
    CHECK(error_of([&] { file.values<float>(file.at("b")); }) == "'w': tensor 'b' is BF16, expected F32");
    // One of these two files has its f32 unaligned in memory.
    const std::string shifted = " " + text;
    const SafetensorsFile other = SafetensorsFile::parse(bytes_of(shifted).subspan(1), "w");
    CHECK(
        !(file.view<float>(file.at("late")).has_value() && other.view<float>(other.at("late")).has_value()));
    CHECK(other.values<float>(other.at("late")) == file.values<float>(file.at("late")));
}

TEST_CASE("safetensors files that lie are refused", "[io][safetensors]") {
    const auto parse = [](const std::string& file) { SafetensorsFile::parse(bytes_of(file), "w"); };
    CHECK(error_of([&] { parse(""); }) == "'w' is not a safetensors file: it has only 0 bytes");
    CHECK(error_of([&] { parse("hello, this is text"); }) == "'w' is not a safetensors file");
    CHECK(error_of([&] { parse(bytes::little(uint64_t{1} << 40, 8) + "{}"); }).find("at most 100000000") !=
          std::string::npos);
    CHECK(error_of([&] { parse(bytes::little(3, 8) + "{}"); }) ==
          "'w' is truncated: its header has 3 bytes, the file 10");

    const std::string good = "{" + tensor("a", "F32", "2", "0,8") + "}";
    CHECK(refusal(good, 8) == "(no error)");
    CHECK(refusal("{}", 0) == "(no error)");
    CHECK(refusal(good, 7) == " is truncated or damaged: tensor 'a' ends at byte 8 of 7");
    CHECK(refusal(good, 9) == ": 1 unused bytes at its end");
    const std::string a = tensor("a", "F32", "1", "0,4");
    CHECK(refusal("{" + a + "," + tensor("b", "F32", "1", "2,6") + "}", 6) ==
          ": tensor 'b' overlaps the one before it");
    CHECK(refusal("{" + a + "," + tensor("b", "F32", "1", "6,10") + "}", 10) ==
          ": 2 unused bytes before tensor 'b'");
    CHECK(refusal("{" + tensor("a", "F32", "2", "4,0") + "}", 4) ==
          ": tensor 'a' ends before it begins (4 to 0)");
    CHECK(refusal("{" + tensor("a", "F32", "3", "0,8") + "}", 8) ==
          ": tensor 'a' of shape [3] and dtype F32 does not fill its 8 bytes");
    CHECK(refusal("{" + tensor("a", "F31", "2", "0,8") + "}", 8) ==
          ": tensor 'a' has the unknown dtype 'F31'");
    // 2^62 * 4 elements: the product wraps around to 0.
    CHECK(refusal("{" + tensor("a", "U8", "4611686018427387904,4", "0,0") + "}", 0).find("does not fill") !=
          std::string::npos);
    CHECK(refusal("{" + tensor("a", "U8", "18446744073709551615,0", "0,0") + "}", 0).find("does not fill") !=
          std::string::npos);
}

TEST_CASE("safetensors headers of the wrong structure are refused", "[io][safetensors]") {
    const std::string bad = " has a bad safetensors header: ";
    const std::string a = tensor("a", "F32", "1", "0,4");
    CHECK(refusal("{" + a + "," + a + "}", 4) == bad + "'a' is there twice");
    CHECK(refusal("{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}", 0) == bad + "'k' is there twice");
    CHECK(refusal("{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\"}}", 0) ==
          bad + "tensor 'a' has 'dtype' twice");
    CHECK(refusal("{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4) ==
          bad + "tensor 'a' lacks its dtype, shape or data_offsets");
    CHECK(refusal("{\"a\":{\"color\":1}}", 4) == bad + "tensor 'a' has the unknown key 'color'");
    CHECK(refusal("{" + tensor("a", "F32", "1", "0,4,8") + "}", 4) ==
          bad + "tensor 'a' has 3 data_offsets, not 2");
    CHECK(refusal("{" + tensor("a", "F32", "-1", "0,4") + "}", 4) ==
          bad + "'a': a negative number does not belong there");
    CHECK(refusal("{" + tensor("a", "F32", "1.0", "0,4") + "}", 4).find("not a whole one") !=
          std::string::npos);
    CHECK(refusal("{" + tensor("a", "F32", "99999999999999999999", "0,4") + "}", 4).find("not a whole one") !=
          std::string::npos);
    CHECK(refusal("{" + tensor("a", "F32", "[1]", "0,4") + "}", 4) ==
          bad + "'a': an array does not belong there");
    CHECK(refusal("{\"a\":null}", 0) == bad + "'a': null does not belong there");
    CHECK(refusal("{\"a\":true}", 0) == bad + "'a': a boolean does not belong there");
    CHECK(refusal("{\"a\":\"b\"}", 0) == bad + "'a': a string does not belong there");
    CHECK(refusal("{\"a\":[1]}", 0) == bad + "'a': an array does not belong there");
    CHECK(refusal("{\"a\":{\"dtype\":3}}", 0) == bad + "'a': a number does not belong there");
    CHECK(refusal("{\"__metadata__\":{\"a\":1}}", 0) == bad + "'a': a number does not belong there");
    CHECK(refusal("{\"__metadata__\":{\"a\":{}}}", 0) == bad + "'a': an object does not belong there");
    CHECK(refusal("{", 0) == bad + "not valid JSON at byte 2");
    CHECK(refusal("{} x", 0).find(bad + "not valid JSON") == 0);
    CHECK(refusal("{\"\xFF\":1}", 0).find(bad + "not valid JSON") == 0);
    // Bombs: nesting in every place, a name of a megabyte (the message stays short: see error_of).
    CHECK(refusal("{\"a\":" + std::string(1'000'000, '['), 0).find(bad) == 0);
    std::string nested = "{";
    for (int i = 0; i < 100'000; ++i) nested += "\"a\":{";
    CHECK(refusal(nested, 0).find(bad) == 0);
    CHECK(
        refusal("{" + tensor(std::string(1'000'000, 'n'), "F31", "", "0,0") + "}", 0).find("unknown dtype") !=
        std::string::npos);
    std::string rank;
    for (int i = 0; i < 65; ++i) rank += i ? ",1" : "1";
    CHECK(refusal("{" + tensor("a", "U8", rank, "0,1") + "}", 1) ==
          bad + "tensor 'a' has too many dimensions");
}

// Python's escapes of bytes: \\, \n, \r, \t, \xNN.
std::string unescaped(const std::string& text) {
    std::string bytes;
    for (size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\') {
            bytes += text[i];
            continue;
        }
        const char kind = text.at(++i);
        if (kind == 'x') {
            bytes += static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16));
            i += 2;
        } else {
            bytes += kind == 'n' ? '\n' : kind == 'r' ? '\r' : kind == 't' ? '\t' : kind;
        }
    }
    return bytes;
}

TEST_CASE("safetensors headers: the verdicts of the format's own library, but for what is named",
          "[io][safetensors]") {
    const char* others = std::getenv("LILY_HEADERS");  // more of them: make_safetensors_headers.py --out
    std::istringstream lines(
        text_of(others ? others : LILY_SOURCE_DIR "/tests/golden/safetensors_headers.txt"));
    int count = 0, stricter = 0;
    for (std::string theirs, why, header; lines >> theirs; ++count) {
        size_t data_bytes = 0;
        lines >> data_bytes >> why;
        lines.ignore();
        std::getline(lines, header);
        INFO("the library: " << theirs << ", " << data_bytes << " bytes of data, header " << header);
        const bool reads = refusal(unescaped(header), data_bytes) == "(no error)";
        CHECK(reads == (theirs == "ok" && why == "-"));
        stricter += why != "-";
    }
    CHECK(count > 150);
    CHECK(stricter >= 5);
}

TEST_CASE("write_safetensors refuses inconsistent entries and leaves nothing behind", "[io][safetensors]") {
    const ScratchFolder dir;
    const std::vector<float> f(4);
    const Bytes data = std::as_bytes(std::span(f));
    const auto refused = [&](std::vector<SafetensorsEntry> entries) {
        return error_of([&] { write_safetensors(dir / "w", std::move(entries)); });
    };
    CHECK(refused({{"a", "F32", {3}, data}}) ==
          "[write_safetensors] 'a': shape [3] and dtype F32 do not make 16 bytes");
    CHECK(refused({{"a", "F32", {-4, -1}, data}}).find("do not make") != std::string::npos);
    CHECK(refused({{"a", "F32", {4}, data}, {"a", "F32", {4}, data}}) ==
          "[write_safetensors] the name 'a' is taken");
    CHECK(refused({{"__metadata__", "F32", {4}, data}}).find("is taken") != std::string::npos);
    CHECK(refused({{"a", "float", {4}, data}}) == "[safetensors] 'float' is no dtype of the format");
    CHECK(refused({{"\xFF", "F32", {4}, data}}).find("is not UTF-8") != std::string::npos);
    CHECK(dir.listing().empty());
    CHECK(error_of([&] {
              write_safetensors("/dev/full", {{"a", "F32", {4}, data}});
          }) == "cannot write '/dev/full': No space left on device");
    CHECK(error_of([&] { SafetensorsFile::open(dir / "none"); }).find("No such file") != std::string::npos);
}

}  // namespace
}  // namespace lily::io
