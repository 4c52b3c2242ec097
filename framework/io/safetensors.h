// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "framework/io/file.h"

namespace lily::io {

// The safetensors format: u64 little-endian header length, a JSON header
//   {"__metadata__": {"k": "v"}, "NAME": {"dtype": "F32", "shape": [2,3], "data_offsets": [BEGIN, END]}, ...}
// and the raw little-endian data, which the tensors cover without gap or overlap.
struct SafetensorsEntry {
    std::string name;
    std::string dtype;           // "F32", "F64", "I64", "U8", "BF16", ...
    std::vector<int64_t> shape;  // empty: a scalar
    Bytes data = {};             // not owned; may be unaligned in files written by others
};

// Bytes per element (1 for those of 4 and 6 bits); throws for a dtype that the format does not have.
size_t safetensors_item_size(std::string_view dtype);

// The name of T in the format. Data of any other dtype can be listed and copied as bytes, but not viewed.
template <class T>
std::string_view safetensors_dtype();

// A file checked on opening: everything in the header is proved consistent with the file before any of it is
// used. Reads what the format's own library (0.8.0) reads, but for
//   two tensors or two metadata texts of the same name (there the last one wins),
//   white space before the header's brace, which the format forbids,
//   a tensor with a key besides dtype, shape and data_offsets (there it is passed over), or written as an
//   array, more than 64 dimensions, or one of 2^63 and more beside a zero.
// tests/golden/safetensors_headers.txt holds both to that.
class SafetensorsFile {
  public:
    static SafetensorsFile open(const std::string& path);
    // Of bytes that outlive the result; `name` is for messages.
    static SafetensorsFile parse(Bytes bytes, const std::string& name);

    const std::string& name() const { return name_; }
    const std::vector<SafetensorsEntry>& entries() const { return entries_; }  // in the order of their data
    const std::map<std::string, std::string>& metadata() const { return metadata_; }

    const SafetensorsEntry* find(std::string_view name) const;  // null where there is none
    const SafetensorsEntry& at(std::string_view name) const;    // throws where there is none

    // The elements in place, or nothing where the data is not aligned for T. Throws on another dtype.
    template <class T>
    std::optional<std::span<const T>> view(const SafetensorsEntry& entry) const {
        check_dtype(entry, safetensors_dtype<T>());
        if (reinterpret_cast<uintptr_t>(entry.data.data()) % alignof(T) != 0) return std::nullopt;
        return std::span(reinterpret_cast<const T*>(entry.data.data()), entry.data.size() / sizeof(T));
    }

    // A copy of the elements, aligned or not. Throws on another dtype.
    template <class T>
    std::vector<T> values(const SafetensorsEntry& entry) const;

  private:
    SafetensorsFile(MappedFile file, Bytes bytes, std::string name);
    void check_dtype(const SafetensorsEntry& entry, std::string_view wanted) const;

    MappedFile file_;  // empty for parse()
    std::string name_;
    std::vector<SafetensorsEntry> entries_;
    std::unordered_map<std::string_view, size_t> index_;  // name -> place in entries_
    std::map<std::string, std::string> metadata_;
};

// Writes atomically, straight from where the data lies. The bytes depend on the content alone, not on the
// order of `entries`: largest elements first, then by name, after a header padded to 8 bytes, so that all
// data is aligned.
void write_safetensors(const std::string& path, std::vector<SafetensorsEntry> entries,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace lily::io
