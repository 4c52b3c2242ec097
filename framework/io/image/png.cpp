// SPDX-License-Identifier: MIT
#include "framework/io/image/png.h"

#include <zlib.h>

#include "framework/io/image/checks.h"
#include "framework/io/image/orientation.h"
#include "framework/io/image/reader.h"
#include "framework/io/image/stb.h"

namespace lily::io {
namespace {

struct Header {
    int64_t width = 0, height = 0;
    Bytes exif;
};

uint32_t checksum(Bytes bytes) {
    return static_cast<uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

// Signature, then chunks: u32 length, 4 letters, data, CRC-32 of letters and data.
Header walk_png(Bytes bytes, const std::string& name) {
    Reader in(bytes, name);
    in.skip(8);
    Header header;
    for (bool first = true;; first = false) {
        const uint32_t length = in.u32_be();
        in.need(uint64_t{length} + 8);
        const Bytes checked = bytes.subspan(in.position, length + 4);
        const std::string_view type(reinterpret_cast<const char*>(checked.data()), 4);
        const Bytes data = checked.subspan(4);
        in.skip(checked.size());
        if (type == "CgBI") in.unsupported("Apple's private PNG variant; save it again as a standard PNG");
        if (first != (type == "IHDR")) in.damaged("a PNG begins with one IHDR chunk");
        // Lower-case first letter: a chunk one may do without, and encoders get those wrong now and then.
        const bool critical = (type[0] & 0x20) == 0 || type == "tRNS";
        if (in.u32_be() != checksum(checked) && critical)
            in.damaged("wrong checksum in its {} chunk", in_quotes(type));
        if (first) {
            if (length != 13) in.damaged("IHDR of {} bytes", length);
            Reader ihdr(data, name);
            header.width = ihdr.u32_be();
            header.height = ihdr.u32_be();
        }
        if (type == "eXIf") header.exif = data;
        if (type == "IEND") return header;
    }
}

}  // namespace

bool is_png(Bytes bytes) { return starts_with(bytes, "\x89PNG\r\n\x1a\n"); }

Raster decode_png(Bytes bytes, const std::string& name, const ImageOptions& options) {
    const Header header = walk_png(bytes, name);
    check_sides(name, header.width, header.height, options);
    Raster raster = decode_by_stb(bytes, {}, name, header.width, header.height);
    raster.orientation = stored_orientation(header.exif);
    return raster;
}

}  // namespace lily::io
