// SPDX-License-Identifier: MIT
#include "framework/io/image/bmp.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <vector>

#include "framework/io/image/checks.h"
#include "framework/io/image/reader.h"
#include "framework/io/image/stb.h"

namespace lily::io {
namespace {

constexpr uint32_t kNone = 0, kRuns8 = 1, kRuns4 = 2, kMasks = 3, kFourMasks = 6;

// What the many kinds of header say. A file begins with 14 bytes: signature, size, reserved, offset of the
// pixels; then comes the information header, whose size tells its version.
struct Header {
    uint32_t pixels_at = 0, version = 0;
    int64_t width = 0, height = 0;  // a negative height: rows from top to bottom
    uint32_t bits = 0, compression = kNone;
    std::array<uint32_t, 4> masks = {};  // red, green, blue, alpha
    Bytes palette;
    uint32_t entry_bytes = 4;  // of the palette: blue, green, red, and 0
    Bytes profile;

    bool is_os2() const { return version == 12 || version == 16 || version == 64; }
    int64_t rows() const { return std::abs(height); }
    uint64_t row_bytes() const { return (static_cast<uint64_t>(width) * bits + 31) / 32 * 4; }
    uint32_t colours() const { return static_cast<uint32_t>(palette.size()) / entry_bytes; }
};

void read_masks(Reader& in, Header& header) {
    const bool has_own = header.compression == kMasks || header.compression == kFourMasks;
    if (header.bits != 16 && header.bits != 32) {
        if (has_own) in.damaged("colour masks for {} bits per pixel", header.bits);
        return;
    }
    if (!has_own) {  // 5 bits each, or 8 and a byte that means nothing
        header.masks = header.bits == 16 ? std::array<uint32_t, 4>{0x7C00, 0x03E0, 0x001F, 0}
                                         : std::array<uint32_t, 4>{0xFF0000, 0xFF00, 0xFF, 0};
        return;
    }
    const bool has_alpha = header.version >= 56 || header.compression == kFourMasks;
    for (size_t i = 0; i < (has_alpha ? 4 : 3); ++i) {
        const uint32_t mask = header.masks[i] = in.u32_le();
        const uint32_t ones = mask == 0 ? 0 : mask >> std::countr_zero(mask);
        if ((ones & (ones + 1)) != 0 || (mask == 0 && i < 3)) in.damaged("a colour mask of {:08X}", mask);
        if (ones > 0xFF) in.unsupported("a BMP of {} bits per colour", std::popcount(ones));
    }
}

// The header of version 5 may point to an ICC profile behind it.
void read_profile(Bytes bytes, const std::string& name, Header& header) {
    Reader in(bytes, name);
    in.skip(14 + 56);
    constexpr uint32_t kEmbedded = 0x4D424544;  // 'MBED'
    if (in.u32_le() != kEmbedded) return;
    in.seek(14 + 112);
    const uint64_t at = uint64_t{14} + in.u32_le();
    const uint32_t size = in.u32_le();
    if (at > bytes.size() || size > bytes.size() - at) in.damaged("its colour profile is not in the file");
    header.profile = bytes.subspan(static_cast<size_t>(at), size);
}

Header read_header(Bytes bytes, const std::string& name) {
    Reader in(bytes, name);
    in.skip(10);
    Header header;
    header.pixels_at = in.u32_le();
    header.version = in.u32_le();
    if (header.version == 12) {
        header.width = in.u16_le();
        header.height = in.u16_le();
        header.entry_bytes = 3;
    } else {
        header.width = in.i32_le();
        header.height = in.i32_le();
    }
    in.skip(2);  // planes
    header.bits = in.u16_le();
    if (header.version >= 40) header.compression = in.u32_le();

    const uint32_t bits = header.bits;
    if (bits != 1 && bits != 4 && bits != 8 && bits != 16 && bits != 24 && bits != 32)
        in.unsupported("a BMP of {} bits per pixel", bits);
    const uint32_t compression = header.compression;
    if (header.is_os2() && compression > kRuns4)
        in.unsupported("an OS/2 BMP of compression {}; save it again as PNG", compression);
    if (compression == 4 || compression == 5)
        in.unsupported("a {} inside of a BMP; save it again as PNG", compression == 4 ? "JPEG" : "PNG");
    if (compression > kFourMasks)
        in.unsupported("a BMP of compression {}; save it again as PNG", compression);
    if ((compression == kRuns8 && bits != 8) || (compression == kRuns4 && bits != 4))
        in.damaged("run-length coding {} of {} bits per pixel", compression, bits);
    if (compression == kRuns8 || compression == kRuns4) {
        if (header.height < 0) in.damaged("run-length coding from top to bottom");
    }

    // Masks stand behind the oldest header of Windows, and are part of the later ones.
    in.seek(14 + std::min(header.version, 40U));
    read_masks(in, header);
    if (header.version == 124) read_profile(bytes, name, header);
    const size_t palette_at = std::max<size_t>(in.position, 14 + header.version);
    if (header.pixels_at < palette_at) in.damaged("its pixels overlap its header");
    if (bits < 16) {
        in.seek(palette_at);
        const size_t room = (header.pixels_at - palette_at) / header.entry_bytes;
        if (room == 0) in.damaged("a palette of 0 colours");
        header.palette = in.take(std::min<size_t>(room, size_t{1} << bits) * header.entry_bytes);
    }
    return header;
}

// Run-length coding: a count and a value; or 0 and 0: end of the row, 1: end of the picture, 2: skip columns
// and rows, n: n values as they are. Values of 4 bits are two to the byte. What is skipped is colour 0.
std::vector<std::byte> expand_runs(Reader in, const Header& header, bool& skips) {
    const auto width = static_cast<size_t>(header.width);
    const auto rows = static_cast<size_t>(header.rows());
    const size_t stride = (width + 3) / 4 * 4;
    std::vector<std::byte> indices(stride * rows);
    const bool nibbles = header.bits == 4;
    size_t x = 0;
    size_t y = 0;
    size_t done = 0;
    const auto put = [&](uint32_t value) {
        if (x >= width || y >= rows) in.damaged("a run beyond the end of row {}", y);
        indices[y * stride + x++] = static_cast<std::byte>(value);
        ++done;
    };
    while (y < rows) {
        const uint32_t count = in.u8();
        const uint32_t value = in.u8();
        if (count > 0) {
            for (uint32_t i = 0; i < count; ++i) put(!nibbles ? value : i % 2 == 0 ? value >> 4 : value & 15);
        } else if (value == 0) {
            x = 0;
            ++y;
        } else if (value == 1) {
            if (y + 1 < rows || x == 0) in.damaged("its run-length coding ends in row {} of {}", y, rows);
            break;
        } else if (value == 2) {
            x += in.u8();
            y += in.u8();
        } else {
            const uint32_t bytes = nibbles ? (value + 1) / 2 : value;
            const Bytes values = in.take(bytes);
            for (uint32_t i = 0; i < value; ++i) {
                const auto packed = std::to_integer<uint32_t>(values[nibbles ? i / 2 : i]);
                put(!nibbles ? packed : i % 2 == 0 ? packed >> 4 : packed & 15);
            }
            in.skip(bytes % 2);  // to an even number of bytes
        }
    }
    skips = done < width * rows;
    return indices;
}

// Every pixel must have its palette entry: stb does not look.
void check_indices(Reader in, const Header& header, uint32_t bits, uint64_t row_bytes) {
    if (header.colours() >= 1U << bits) return;
    const auto per_byte = static_cast<int64_t>(8 / bits);
    for (int64_t y = 0; y < header.rows(); ++y) {
        const Bytes line = in.take(row_bytes);
        for (int64_t x = 0; x < header.width; ++x) {
            const auto shift = static_cast<uint32_t>(per_byte - 1 - x % per_byte) * bits;
            const auto packed = std::to_integer<uint32_t>(line[static_cast<size_t>(x / per_byte)]);
            const uint32_t index = packed >> shift & ((1U << bits) - 1);
            if (index >= header.colours())
                in.damaged("colour {} of a palette of {}", index, header.colours());
        }
    }
}

// The one kind of header that stb is given: version 4 with masks for 16 and 32 bits, else version 3.
std::vector<std::byte> plain_header(const Header& header, uint32_t bits) {
    std::vector<std::byte> out;
    const auto put = [&](int64_t value, int bytes) {
        for (int i = 0; i < bytes; ++i) out.push_back(static_cast<std::byte>(value >> (8 * i)));
    };
    const auto put_zeros = [&](size_t bytes) { out.resize(out.size() + bytes); };
    const bool has_masks = bits == 16 || bits == 32;
    const int64_t version = has_masks ? 108 : 40;
    put('B' | 'M' << 8, 2);
    put_zeros(8);
    put(14 + version + int64_t{4} * header.colours(), 4);
    put(version, 4);
    put(header.width, 4);
    put(header.height, 4);
    put(1, 2);
    put(bits, 2);
    put(has_masks ? kMasks : kNone, 4);
    put_zeros(20);
    if (has_masks)
        for (const uint32_t mask : header.masks) put(mask, 4);
    out.resize(static_cast<size_t>(14 + version));
    for (uint32_t i = 0; i < header.colours(); ++i) {
        const Bytes entry = header.palette.subspan(size_t{i} * header.entry_bytes, 3);
        out.insert(out.end(), entry.begin(), entry.end());
        put_zeros(1);
    }
    return out;
}

// Index i of the palette is grey level i: not a palette but levels of grey.
bool has_grey_ramp(const Header& header) {
    for (size_t i = 0; i < header.colours(); ++i)
        for (size_t c = 0; c < 3; ++c)
            if (std::to_integer<size_t>(header.palette[i * header.entry_bytes + c]) != i) return false;
    return header.colours() > 2;
}

}  // namespace

bool is_bmp(Bytes bytes, const std::string& name) {
    if (!starts_with(bytes, "BM")) return false;
    Reader in(bytes, name);
    in.skip(14);
    const uint32_t version = in.u32_le();
    return version == 12 || version == 16 || version == 40 || version == 52 || version == 56 ||
           version == 64 || version == 108 || version == 124;
}

Raster decode_bmp(Bytes bytes, const std::string& name, const ImageOptions& options) {
    const Header header = read_header(bytes, name);
    check_sides(name, header.width, header.rows(), options);
    Reader in(bytes, name);
    in.seek(header.pixels_at);

    std::vector<std::byte> expanded;
    bool skips = false;
    uint32_t bits = header.bits;
    Bytes pixels;
    if (header.compression == kRuns8 || header.compression == kRuns4) {
        expanded = expand_runs(in, header, skips);
        pixels = expanded;
        bits = 8;
    } else {
        pixels = in.take(header.row_bytes() * static_cast<uint64_t>(header.rows()));
    }
    const uint64_t row_bytes = pixels.size() / static_cast<uint64_t>(header.rows());
    if (bits <= 8) check_indices(Reader(pixels, name), header, bits, row_bytes);
    Raster raster = decode_by_stb(plain_header(header, bits), pixels, name, header.width, header.rows());
    raster.is_indexed = bits <= 8 && !has_grey_ramp(header);
    raster.profile.assign(header.profile.begin(), header.profile.end());
    if (skips)
        raster.remarks.push_back("pixels that its run-length coding skips have the palette's first colour");
    return raster;
}

}  // namespace lily::io
