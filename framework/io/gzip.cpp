// SPDX-License-Identifier: MIT
#include "framework/io/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "framework/error.h"

namespace lily::io {

bool is_gzip(Bytes bytes) {
    return bytes.size() >= 2 && bytes[0] == std::byte{0x1f} && bytes[1] == std::byte{0x8b};
}

struct GzipReader::Stream {
    z_stream z = {};
    bool ended = false;
};

GzipReader::GzipReader(Bytes packed, std::string name)
    : name_(std::move(name)), stream_(std::make_unique<Stream>()) {
    check(packed.size() <= std::numeric_limits<uInt>::max(), "{} is too large: {} bytes of gzip",
          in_quotes(name_), packed.size());
    z_stream& z = stream_->z;
    z.next_in =
        reinterpret_cast<Bytef*>(const_cast<std::byte*>(packed.data()));  // NOLINT: zlib does not write there
    z.avail_in = static_cast<uInt>(packed.size());
    check(inflateInit2(&z, 16 + MAX_WBITS) == Z_OK, "[gzip] zlib does not start");  // 16: gzip, not zlib
}

GzipReader::~GzipReader() { inflateEnd(&stream_->z); }

// Goes to the member behind the one that has ended; false where there is none. Anything else than zeros there
// is an error: gzip warns of it, and here nobody could.
bool GzipReader::next_member() {
    z_stream& z = stream_->z;
    while (z.avail_in > 0 && *z.next_in == 0) ++z.next_in, --z.avail_in;
    if (z.avail_in == 0) return false;
    check(z.avail_in >= 2 && z.next_in[0] == 0x1f && z.next_in[1] == 0x8b,
          "{} has {} bytes after its gzip data", in_quotes(name_), z.avail_in);
    check(inflateReset(&z) == Z_OK, "[gzip] zlib does not start");
    return true;
}

// Up to `size` bytes; fewer only where the last member ends.
size_t GzipReader::inflate_into(std::byte* out, size_t size) {
    z_stream& z = stream_->z;
    size_t done = 0;
    while (done < size && !stream_->ended) {
        const size_t piece = std::min(size - done, size_t{1} << 30);
        z.next_out = reinterpret_cast<Bytef*>(out + done);
        z.avail_out = static_cast<uInt>(piece);
        const int result = inflate(&z, Z_NO_FLUSH);
        done += piece - z.avail_out;
        check(result != Z_BUF_ERROR, "{} is cut short in its gzip data", in_quotes(name_));
        check(result == Z_OK || result == Z_STREAM_END, "{} is damaged: {}", in_quotes(name_),
              z.msg ? z.msg : "bad gzip data");
        stream_->ended = result == Z_STREAM_END && !next_member();
    }
    return done;
}

void GzipReader::read(std::span<std::byte> out) {
    check(inflate_into(out.data(), out.size()) == out.size(), "{} ends before its data do", in_quotes(name_));
}

size_t GzipReader::read_some(std::span<std::byte> out) { return inflate_into(out.data(), out.size()); }

void GzipReader::finish() {
    std::byte more{};
    check(inflate_into(&more, 1) == 0, "{} has more data than its header says", in_quotes(name_));
}

std::vector<std::byte> unpack_gzip(Bytes packed, const std::string& name, size_t most) {
    constexpr size_t kPiece = size_t{1} << 18;
    GzipReader reader(packed, name);
    std::vector<std::byte> unpacked;
    for (size_t done = 0;;) {
        check(done <= most, "{} unpacks to more than {} bytes", in_quotes(name), most);
        unpacked.resize(done + kPiece);
        const size_t added = reader.read_some(std::span(unpacked).subspan(done));
        done += added;
        if (added == kPiece) continue;
        unpacked.resize(done);
        check(done <= most, "{} unpacks to more than {} bytes", in_quotes(name), most);
        return unpacked;
    }
}

}  // namespace lily::io
