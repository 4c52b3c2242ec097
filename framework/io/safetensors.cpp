// SPDX-License-Identifier: MIT
#include "framework/io/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>

#include "framework/error.h"
#include "framework/io/safetensors_header.h"

namespace lily::io {
namespace {

static_assert(std::endian::native == std::endian::little,
              "safetensors data is little-endian, and mapped as it is");

constexpr uint64_t kMaxHeader = 100'000'000;  // as the format's own library

struct DtypeSize {
    std::string_view name;
    size_t bits;
};
constexpr DtypeSize kDtypes[] = {
    {"F64", 64},    {"I64", 64},    {"U64", 64},    {"C64", 64},    {"F32", 32},        {"I32", 32},
    {"U32", 32},    {"F16", 16},    {"BF16", 16},   {"I16", 16},    {"U16", 16},        {"I8", 8},
    {"U8", 8},      {"BOOL", 8},    {"F8_E4M3", 8}, {"F8_E5M2", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8},
    {"F8_E8M0", 8}, {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"F4", 4}};

const DtypeSize* find_dtype(std::string_view name) {
    const auto* found =
        std::find_if(std::begin(kDtypes), std::end(kDtypes), [&](auto& d) { return d.name == name; });
    return found == std::end(kDtypes) ? nullptr : found;
}

size_t bits_of(std::string_view dtype) {
    const DtypeSize* found = find_dtype(dtype);
    check(found != nullptr, "[safetensors] {} is no dtype of the format", in_quotes(dtype));
    return found->bits;
}

// The shape times the size of an element, or nothing if that is no whole number of bytes or a product on the
// way overflows, as before a zero. All dimensions must fit int64_t, also behind one.
std::optional<uint64_t> byte_count(size_t item_bits, std::span<const uint64_t> shape) {
    uint64_t bits = 1;
    for (const uint64_t size : shape)
        if (size > INT64_MAX || __builtin_mul_overflow(bits, size, &bits)) return std::nullopt;
    if (__builtin_mul_overflow(bits, item_bits, &bits) || bits % 8 != 0) return std::nullopt;
    return bits / 8;
}

}  // namespace

size_t safetensors_item_size(std::string_view dtype) { return (bits_of(dtype) + 7) / 8; }

template <>
std::string_view safetensors_dtype<float>() {
    return "F32";
}
template <>
std::string_view safetensors_dtype<double>() {
    return "F64";
}
template <>
std::string_view safetensors_dtype<int64_t>() {
    return "I64";
}
template <>
std::string_view safetensors_dtype<uint8_t>() {
    return "U8";
}

SafetensorsFile SafetensorsFile::open(const std::string& path) {
    MappedFile file(path);
    const Bytes bytes = file.bytes();
    return SafetensorsFile(std::move(file), bytes, path);
}

SafetensorsFile SafetensorsFile::parse(Bytes bytes, const std::string& name) {
    return SafetensorsFile(MappedFile(), bytes, name);
}

SafetensorsFile::SafetensorsFile(MappedFile file, Bytes bytes, std::string name)
    : file_(std::move(file)), name_(std::move(name)) {
    const std::string where = in_quotes(name_);
    uint64_t header_size = 0;
    check(bytes.size() >= 8, "{} is not a safetensors file: it has only {} bytes", where, bytes.size());
    std::memcpy(&header_size, bytes.data(), 8);
    check(bytes.size() > 8 && bytes[8] == std::byte{'{'}, "{} is not a safetensors file", where);
    check(header_size <= kMaxHeader, "{} has a bad safetensors header: {} bytes long, at most {} are allowed",
          where, header_size, kMaxHeader);
    check(header_size <= bytes.size() - 8, "{} is truncated: its header has {} bytes, the file {}", where,
          header_size, bytes.size());
    const Bytes data = bytes.subspan(8 + header_size);
    SafetensorsHeader header = parse_safetensors_header(
        {reinterpret_cast<const char*>(bytes.data()) + 8, static_cast<size_t>(header_size)}, name_);
    metadata_ = std::move(header.metadata);

    // In the order of the data each tensor must begin where the one before ends: no overlap, no hole.
    std::stable_sort(header.records.begin(), header.records.end(),
                     [](const auto& a, const auto& b) { return a.offsets < b.offsets; });
    entries_.reserve(header.records.size());
    uint64_t position = 0;
    for (SafetensorsRecord& record : header.records) {
        const std::string tensor = in_quotes(record.name);
        const DtypeSize* dtype = find_dtype(record.dtype);
        check(dtype != nullptr, "{}: tensor {} has the unknown dtype {}", where, tensor,
              in_quotes(record.dtype));
        const uint64_t begin = record.offsets[0];
        const uint64_t end = record.offsets[1];
        check(begin <= end, "{}: tensor {} ends before it begins ({} to {})", where, tensor, begin, end);
        check(end <= data.size(), "{} is truncated or damaged: tensor {} ends at byte {} of {}", where,
              tensor, end, data.size());
        const std::optional<uint64_t> size = byte_count(dtype->bits, record.shape);
        check(size == end - begin, "{}: tensor {} of shape [{}] and dtype {} does not fill its {} bytes",
              where, tensor, fmt::join(record.shape, ","), dtype->name, end - begin);
        check(begin >= position, "{}: tensor {} overlaps the one before it", where, tensor);
        check(begin == position, "{}: {} unused bytes before tensor {}", where, begin - position, tensor);
        position = end;
        entries_.push_back({.name = std::move(record.name),
                            .dtype = std::move(record.dtype),
                            .shape = {record.shape.begin(), record.shape.end()},
                            .data = data.subspan(begin, end - begin)});
    }
    check(position == data.size(), "{}: {} unused bytes at its end", where, data.size() - position);
    for (size_t i = 0; i < entries_.size(); ++i) index_.emplace(entries_[i].name, i);
}

const SafetensorsEntry* SafetensorsFile::find(std::string_view name) const {
    const auto found = index_.find(name);
    return found == index_.end() ? nullptr : &entries_[found->second];
}

const SafetensorsEntry& SafetensorsFile::at(std::string_view name) const {
    const SafetensorsEntry* entry = find(name);
    check(entry != nullptr, "{} has no tensor {}", in_quotes(name_), in_quotes(name));
    return *entry;
}

void SafetensorsFile::check_dtype(const SafetensorsEntry& entry, std::string_view wanted) const {
    check(entry.dtype == wanted, "{}: tensor {} is {}, expected {}", in_quotes(name_), in_quotes(entry.name),
          entry.dtype, wanted);
}

template <class T>
std::vector<T> SafetensorsFile::values(const SafetensorsEntry& entry) const {
    check_dtype(entry, safetensors_dtype<T>());
    std::vector<T> copy(entry.data.size() / sizeof(T));
    if (!copy.empty()) std::memcpy(copy.data(), entry.data.data(), entry.data.size());
    return copy;
}
template std::vector<float> SafetensorsFile::values(const SafetensorsEntry&) const;
template std::vector<double> SafetensorsFile::values(const SafetensorsEntry&) const;
template std::vector<int64_t> SafetensorsFile::values(const SafetensorsEntry&) const;
template std::vector<uint8_t> SafetensorsFile::values(const SafetensorsEntry&) const;

void write_safetensors(const std::string& path, std::vector<SafetensorsEntry> entries,
                       const std::map<std::string, std::string>& metadata) {
    std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
        const size_t size_a = safetensors_item_size(a.dtype);
        const size_t size_b = safetensors_item_size(b.dtype);
        return size_a != size_b ? size_a > size_b : a.name < b.name;
    });
    nlohmann::ordered_json header = nlohmann::ordered_json::object();
    auto& members =
        header.get_ref<nlohmann::ordered_json::object_t&>();  // push_back: emplace searches, O(n²)
    if (!metadata.empty()) members.emplace_back("__metadata__", metadata);
    std::unordered_map<std::string_view, bool> seen;
    uint64_t position = 0;
    for (const SafetensorsEntry& entry : entries) {
        check(entry.name != "__metadata__" && seen.emplace(entry.name, true).second,
              "[write_safetensors] the name {} is taken", in_quotes(entry.name));
        const std::vector<uint64_t> shape(entry.shape.begin(), entry.shape.end());
        check(byte_count(bits_of(entry.dtype), shape) == entry.data.size(),
              "[write_safetensors] {}: shape [{}] and dtype {} do not make {} bytes", in_quotes(entry.name),
              fmt::join(entry.shape, ","), entry.dtype, entry.data.size());
        const uint64_t end = position + entry.data.size();
        members.emplace_back(entry.name, nlohmann::ordered_json{{"dtype", entry.dtype},
                                                                {"shape", entry.shape},
                                                                {"data_offsets", {position, end}}});
        position = end;
    }
    std::string text;
    try {
        text = header.dump();
    } catch (const nlohmann::json::type_error&) {
        fail("cannot write {}: a tensor name or a metadata text is not UTF-8", in_quotes(path));
    }
    text.resize((text.size() + 7) / 8 * 8, ' ');
    check(text.size() <= kMaxHeader, "cannot write {}: {} tensors make too long a header", in_quotes(path),
          entries.size());

    AtomicFile file(path);
    const uint64_t header_size = text.size();
    file.write(std::as_bytes(std::span(&header_size, 1)));
    file.write(text);
    for (const SafetensorsEntry& entry : entries) file.write(entry.data);
    file.commit();
}

}  // namespace lily::io
