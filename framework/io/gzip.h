// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "framework/io/file.h"

namespace lily::io {

bool is_gzip(Bytes bytes);  // by its first bytes

// Unpacks gzip piece by piece, so that the reader can look at a header before it allocates what that asks
// for. A file may have several members, whose data follow each other (RFC 1952), and zeros behind the last,
// to fill a block; the checksum and length of each are verified at its end. Refers to `packed`.
class GzipReader {
  public:
    GzipReader(Bytes packed, std::string name);  // `name` is for messages
    ~GzipReader();
    GzipReader(const GzipReader&) = delete;
    GzipReader& operator=(const GzipReader&) = delete;

    void read(std::span<std::byte> out);         // fills all of it; throws where the data end before
    size_t read_some(std::span<std::byte> out);  // as much as there is; fewer bytes only at the end
    void finish();                               // throws if there is more, or a checksum is wrong

  private:
    struct Stream;
    size_t inflate_into(std::byte* out, size_t size);
    bool next_member();

    std::string name_;
    std::unique_ptr<Stream> stream_;
};

// All of it; throws if that is more than `most` bytes.
std::vector<std::byte> unpack_gzip(Bytes packed, const std::string& name, size_t most);

}  // namespace lily::io
