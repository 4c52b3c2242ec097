// SPDX-License-Identifier: MIT
// Hand-made picture files for the tests: formats and variants that save_image does not write.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace lily::io::bytes {

inline std::string big(uint64_t value, int bytes) {
    std::string out;
    for (int i = bytes; i-- > 0;) out += static_cast<char>(value >> (8 * i));
    return out;
}
inline std::string little(uint64_t value, int bytes) {
    const std::string reversed = big(value, bytes);
    return {reversed.rbegin(), reversed.rend()};
}

inline std::string png_chunk(const std::string& type, const std::string& data) {
    const std::string body = type + data;
    uint32_t crc = ~0U;
    for (const char c : body) {
        crc ^= static_cast<uint8_t>(c);
        for (int bit = 0; bit < 8; ++bit) crc = crc & 1 ? crc >> 1 ^ 0xEDB88320U : crc >> 1;
    }
    return big(data.size(), 4) + body + big(~crc, 4);
}

// `packed`: a zlib stream of rows; `extra`: chunks before the pixels.
inline std::string png_of_packed(uint32_t width, uint32_t height, int depth, int colour_type,
                                 const std::string& packed, const std::string& extra = "") {
    const std::string header = big(width, 4) + big(height, 4) + static_cast<char>(depth) +
                               static_cast<char>(colour_type) + std::string(3, '\0');
    return "\x89PNG\r\n\x1a\n" + png_chunk("IHDR", header) + extra + png_chunk("IDAT", packed) +
           png_chunk("IEND", "");
}

// `rows`: for each row its filter byte (0) and its samples, packed as they are.
inline std::string png(uint32_t width, uint32_t height, int depth, int colour_type, const std::string& rows,
                       const std::string& extra = "") {
    uint32_t a = 1;
    uint32_t b = 0;
    for (const char c : rows) a = (a + static_cast<uint8_t>(c)) % 65521, b = (b + a) % 65521;
    const std::string stored = "\x78\x01\x01" + little(rows.size(), 2) + little(~rows.size(), 2) + rows +
                               big(b, 2) + big(a, 2);  // zlib: one stored block
    return png_of_packed(width, height, depth, colour_type, stored, extra);
}

// 24-bit (`pixels` BGR) or, with a palette (BGR0 each), 8-bit BMP; rows bottom to top, padded by the caller.
inline std::string bmp(int32_t width, int32_t height, const std::string& pixels,
                       const std::string& palette = "") {
    const uint32_t at = 54 + static_cast<uint32_t>(palette.size());
    return "BM" + little(at + pixels.size(), 4) + little(0, 4) + little(at, 4) + little(40, 4) +
           little(static_cast<uint32_t>(width), 4) + little(static_cast<uint32_t>(height), 4) + little(1, 2) +
           little(palette.empty() ? 24 : 8, 2) + std::string(24, '\0') + palette + pixels;
}

// type 2 colour, 3 grey, + 8 run-length coded; rows top to bottom.
inline std::string tga(int type, int width, int height, int bits, const std::string& pixels) {
    return std::string(2, '\0') + static_cast<char>(type) + std::string(9, '\0') +
           little(static_cast<uint32_t>(width), 2) + little(static_cast<uint32_t>(height), 2) +
           static_cast<char>(bits) + '\x20' + pixels;
}

// The JPEG segment that holds nothing but an orientation; Motorola or Intel byte order.
inline std::string exif_segment(int orientation, bool motorola) {
    const auto number = [&](uint32_t value, int n) { return motorola ? big(value, n) : little(value, n); };
    const auto value = static_cast<uint32_t>(orientation);
    const std::string tiff = (motorola ? "MM" : "II") + number(42, 2) + number(8, 4) + number(1, 2) +
                             number(0x0112, 2) + number(3, 2) + number(1, 4) + number(value, 2) +
                             number(0, 2) + number(0, 4);
    return "\xFF\xE1" + big(tiff.size() + 8, 2) + std::string("Exif\0\0", 6) + tiff;
}

}  // namespace lily::io::bytes
