// SPDX-License-Identifier: MIT
#include "framework/data/idx.h"

#include <cstring>
#include <span>

#include "framework/error.h"
#include "framework/io/gzip.h"

namespace lily::data {
namespace {

using io::in_quotes;

constexpr size_t kMostFileBytes = size_t{1} << 30;
constexpr int kMostDimensions = 4;  // count, channels, height, width
constexpr uint64_t kMostPacking =
    1032;  // deflate's best: no file unpacks to more than so many times its size

// GzipReader's twin for files that are not packed.
class PlainReader {
  public:
    PlainReader(io::Bytes bytes, const std::string& name) : bytes_(bytes), name_(name) {}

    void read(std::span<std::byte> out) {
        check(out.size() <= bytes_.size(), "{} ends before its data do", in_quotes(name_));
        if (!out.empty()) std::memcpy(out.data(), bytes_.data(), out.size());
        bytes_ = bytes_.subspan(out.size());
    }
    void finish() const {
        check(bytes_.empty(), "{} has more data than its header says: {} bytes", in_quotes(name_),
              bytes_.size());
    }

  private:
    io::Bytes bytes_;
    const std::string& name_;
};

template <class Reader>
IdxArray parse(Reader& reader, uint64_t most_bytes, const std::string& name) {
    const auto byte = [](std::byte b) { return std::to_integer<unsigned>(b); };
    std::byte magic[4];
    reader.read(magic);
    check(byte(magic[0]) == 0 && byte(magic[1]) == 0,
          "{} is not an IDX file: it begins with {:02x} {:02x}, expected 00 00", in_quotes(name),
          byte(magic[0]), byte(magic[1]));
    check(byte(magic[2]) == 8, "{} is IDX of type {:#04x}, expected 0x08 (bytes)", in_quotes(name),
          byte(magic[2]));
    const auto rank = static_cast<int>(byte(magic[3]));
    check(rank >= 1 && rank <= kMostDimensions, "{} is IDX of {} dimensions, expected 1 to {}",
          in_quotes(name), rank, kMostDimensions);

    IdxArray array;
    uint64_t total = 1;
    for (int i = 0; i < rank; ++i) {
        std::byte be[4];
        reader.read(be);
        const uint64_t size =
            uint64_t{byte(be[0])} << 24 | byte(be[1]) << 16 | byte(be[2]) << 8 | byte(be[3]);
        check(size > 0, "{} is empty: dimension {} is 0", in_quotes(name), i);
        array.shape.push_back(static_cast<int64_t>(size));
        check(size <= most_bytes / total,
              "{} says it is {} bytes and more, which a file of this size cannot hold", in_quotes(name),
              fmt::join(array.shape, " x "));
        total *= size;
    }
    array.values.resize(total);
    reader.read(std::as_writable_bytes(std::span(array.values)));
    reader.finish();
    return array;
}

}  // namespace

IdxArray parse_idx(io::Bytes bytes, const std::string& name) {
    if (io::is_gzip(bytes)) {
        io::GzipReader reader(bytes, name);
        return parse(reader, bytes.size() * kMostPacking, name);
    }
    PlainReader reader(bytes, name);
    return parse(reader, bytes.size(), name);
}

IdxArray read_idx(const std::string& path) { return parse_idx(io::read_file(path, kMostFileBytes), path); }

}  // namespace lily::data
