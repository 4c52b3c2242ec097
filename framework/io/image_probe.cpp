// SPDX-License-Identifier: MIT
#include "framework/io/image_probe.h"

#include <libexif/exif-data.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "framework/error.h"

namespace lily::io {
namespace {

// Reads numbers of either byte order; a read past the end says that the file is truncated.
class Reader {
  public:
    Reader(Bytes bytes, const std::string& name) : bytes_(bytes), name_(name) {}

    size_t position = 0;

    size_t left() const { return bytes_.size() - position; }
    void need(uint64_t n) const {
        if (n > left()) fail("{} is truncated: it ends after {} bytes", in_quotes(name_), bytes_.size());
    }
    Bytes take(uint64_t n) {
        need(n);
        const Bytes part = bytes_.subspan(position, static_cast<size_t>(n));
        position += static_cast<size_t>(n);
        return part;
    }
    void skip(uint64_t n) { take(n); }
    uint32_t u8() { return little(1); }
    uint32_t u16_le() { return little(2); }
    uint32_t u32_le() { return little(4); }
    int32_t i32_le() { return static_cast<int32_t>(little(4)); }
    uint32_t u16_be() { return big(2); }
    uint32_t u32_be() { return big(4); }

    template <class... Args>
    [[noreturn]] void damaged(fmt::format_string<Args...> what, Args&&... args) const {
        fail("{} is damaged: {}", in_quotes(name_), fmt::format(what, std::forward<Args>(args)...));
    }
    template <class... Args>
    [[noreturn]] void unsupported(fmt::format_string<Args...> what, Args&&... args) const {
        fail("{} cannot be read: {}", in_quotes(name_), fmt::format(what, std::forward<Args>(args)...));
    }

  private:
    uint32_t little(size_t n) {
        const Bytes part = take(n);
        uint32_t value = 0;
        for (size_t i = n; i-- > 0;) value = value << 8 | std::to_integer<uint32_t>(part[i]);
        return value;
    }
    uint32_t big(size_t n) {
        uint32_t value = 0;
        for (const std::byte b : take(n)) value = value << 8 | std::to_integer<uint32_t>(b);
        return value;
    }

    Bytes bytes_;
    const std::string& name_;
};

bool starts_with(Bytes bytes, std::string_view magic) {
    return bytes.size() >= magic.size() && std::memcmp(bytes.data(), magic.data(), magic.size()) == 0;
}

uint32_t crc32(Bytes bytes) {
    static const auto table = [] {
        std::array<uint32_t, 256> t{};
        for (uint32_t i = 0; i < 256; ++i) {
            t[i] = i;
            for (int bit = 0; bit < 8; ++bit) t[i] = t[i] & 1 ? t[i] >> 1 ^ 0xEDB88320u : t[i] >> 1;
        }
        return t;
    }();
    uint32_t crc = ~0u;
    for (const std::byte b : bytes) crc = crc >> 8 ^ table[(crc ^ std::to_integer<uint32_t>(b)) & 255];
    return ~crc;
}

// Signature, then chunks: u32 length, 4 letters, data, CRC-32 of letters and data.
ImageHeader probe_png(Bytes bytes, const std::string& name) {
    Reader in(bytes, name);
    in.skip(8);
    ImageHeader header{.format = ImageFormat::kPng};
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
        if (in.u32_be() != crc32(checked) && critical)
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

// Tables of u8 id, 16 counts (codes of 1 to 16 bits), and a byte for each code: at most 256, or the decoder's
// table overflows (stb_image 2.27 does not look).
void check_huffman_tables(Reader tables) {
    while (tables.left() > 0) {
        tables.skip(1);
        uint32_t codes = 0;
        for (int bits = 1; bits <= 16; ++bits) codes += tables.u8();
        if (codes > 256) tables.damaged("a Huffman table of {} codes", codes);
        tables.skip(codes);
    }
}

// SOI, then segments FF marker u16 length data; after a scan header come entropy-coded bytes, where FF 00 is
// a data byte FF and FF D0..D7 are restart markers. The file is whole when the end marker FF D9 is reached.
ImageHeader probe_jpeg(Bytes bytes, const std::string& name) {
    Reader in(bytes, name);
    in.skip(2);
    ImageHeader header{.format = ImageFormat::kJpeg};
    bool has_scan = false;
    for (;;) {
        uint32_t marker = in.u8();
        if (marker != 0xFF) in.damaged("no JPEG marker at byte {}", in.position - 1);
        while (marker == 0xFF) marker = in.u8();  // any number of fill bytes FF
        if (marker == 0xD9) break;
        if (marker == 0x01 || (marker >= 0xD0 && marker <= 0xD7)) continue;  // markers without a segment
        if (marker < 0xC0) in.damaged("unknown JPEG marker FF {:02X}", marker);

        const uint32_t length = in.u16_be();
        if (length < 2) in.damaged("JPEG segment of {} bytes", length);
        const Bytes data = in.take(length - 2);
        const bool is_frame =
            marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
        if (is_frame) {
            if (marker > 0xC2) in.unsupported("lossless, hierarchical and arithmetic JPEG are not supported");
            if (header.width != 0) in.damaged("more than one JPEG frame header");
            Reader frame(data, name);
            if (frame.u8() != 8) in.unsupported("only 8-bit JPEG is supported");
            header.height = frame.u16_be();
            header.width = frame.u16_be();
            if (header.width == 0 || header.height == 0)
                in.unsupported("its JPEG header does not give its size");
        }
        if (marker == 0xC4) check_huffman_tables(Reader(data, name));
        if (marker == 0xE1 && header.exif.empty() && starts_with(data, std::string_view("Exif\0\0", 6)))
            header.exif = data;
        if (marker != 0xDA) continue;

        if (header.width == 0) in.damaged("a JPEG scan before the frame header");
        has_scan = true;
        for (;;) {  // to the next marker that is neither a stuffed byte nor a restart
            const Bytes rest = bytes.subspan(in.position);
            const auto* ff = static_cast<const std::byte*>(std::memchr(rest.data(), 0xFF, rest.size()));
            in.skip(ff == nullptr ? rest.size() : static_cast<size_t>(ff - rest.data()));
            in.need(2);
            const auto next = std::to_integer<uint32_t>(bytes[in.position + 1]);
            if (next != 0 && (next < 0xD0 || next > 0xD7)) break;
            in.skip(2);
        }
    }
    if (!has_scan) in.damaged("a JPEG without a picture in it");
    return header;
}

// 14 bytes of file header (signature, size, reserved, offset of the pixels), then an information header whose
// size tells its version. Rows are padded to 4 bytes.
ImageHeader probe_bmp(Bytes bytes, const std::string& name) {
    Reader in(bytes, name);
    in.skip(10);
    const uint32_t pixels_at = in.u32_le();
    const uint32_t version = in.u32_le();
    ImageHeader header{.format = ImageFormat::kBmp};
    uint32_t compression = 0;
    uint32_t bits = 0;
    if (version == 12) {
        header.width = in.u16_le();
        header.height = in.u16_le();
        in.skip(2);
        bits = in.u16_le();
    } else {
        header.width = in.i32_le();
        header.height = std::abs(int64_t{in.i32_le()});  // negative: rows from top to bottom
        in.skip(2);
        bits = in.u16_le();
        compression = in.u32_le();
    }
    if (compression != 0 && compression != 3) in.unsupported("compressed BMP is not supported");
    if (bits != 1 && bits != 4 && bits != 8 && bits != 16 && bits != 24 && bits != 32)
        in.unsupported("a BMP of {} bits per pixel", bits);
    if (version == 12 && bits < 24) in.unsupported("an OS/2 BMP with a palette; save it again as PNG");
    if (header.width <= 0 || header.height == 0) return header;  // refused by the caller

    const uint64_t row = (static_cast<uint64_t>(header.width) * bits + 31) / 32 * 4;
    const uint32_t palette_at = 14 + version;
    if (pixels_at < palette_at) in.damaged("its pixels overlap its header");
    in.position = std::min<size_t>(pixels_at, bytes.size());
    if (row > in.left() / static_cast<uint64_t>(header.height)) in.need(UINT64_MAX);
    if (bits < 16) {  // every pixel must have its palette entry: the decoder does not look
        const uint32_t colours = (pixels_at - palette_at) / 4;
        if (colours == 0 || colours > 256) in.damaged("a palette of {} colours", colours);
        const auto per_byte = static_cast<int64_t>(8 / bits);
        for (int64_t y = 0; y < header.height && colours < 1u << bits; ++y) {
            const Bytes line = in.take(row);
            for (int64_t x = 0; x < header.width; ++x) {
                const auto shift = static_cast<uint32_t>(per_byte - 1 - x % per_byte) * bits;
                const auto packed = std::to_integer<uint32_t>(line[static_cast<size_t>(x / per_byte)]);
                const uint32_t index = packed >> shift & ((1u << bits) - 1);
                if (index >= colours) in.damaged("colour {} of a palette of {}", index, colours);
            }
        }
    }
    return header;
}

// 18 bytes: id length, colour map type, image type, map first u16, map length u16, map entry bits, x u16, y
// u16, width u16, height u16, bits per pixel, descriptor. Types 1 palette, 2 colour, 3 grey; + 8 run-length
// coded.
ImageHeader probe_tga(Bytes bytes, const std::string& name) {
    Reader in(bytes, name);
    const auto implausible = [&](bool is) {
        if (is) fail("{} is not a picture (PNG, JPEG, BMP or TGA)", in_quotes(name));
    };
    implausible(bytes.size() < 18);
    const uint32_t id_length = in.u8();
    const uint32_t map_type = in.u8();
    const uint32_t image_type = in.u8();
    const uint32_t map_first = in.u16_le();
    const uint32_t map_length = in.u16_le();
    const uint32_t map_bits = in.u8();
    in.skip(4);
    ImageHeader header{.format = ImageFormat::kTga};
    header.width = in.u16_le();
    header.height = in.u16_le();
    const uint32_t bits = in.u8();
    in.skip(1);
    const uint32_t kind = image_type & 7;
    const bool run_length = (image_type & 8) != 0;
    implausible(map_type > 1 || (image_type & ~0xFu) != 0 || kind < 1 || kind > 3 ||
                (kind == 1 && map_type == 0));
    implausible(bits != 8 && bits != 15 && bits != 16 && bits != 24 && bits != 32);
    implausible(kind == 1 && bits != 8);
    implausible(kind == 3 && bits != 8 && bits != 16);
    const auto is_map_depth = [](uint32_t b) { return b == 8 || b == 15 || b == 16 || b == 24 || b == 32; };
    implausible(map_type == 1 && !is_map_depth(map_bits));
    // stb_image skips map_first bytes where the format means entries, and ignores the map of a true-colour
    // picture.
    if (map_type == 1 && (kind != 1 || map_first != 0 || map_length == 0))
        in.unsupported("an unusual colour map; save it without one");
    in.skip(id_length);
    if (map_type == 1) in.skip(uint64_t{map_length} * ((map_bits + 7) / 8));

    const uint64_t pixel_bytes = (bits + 7) / 8;
    const auto pixels = static_cast<uint64_t>(header.width * header.height);
    if (!run_length) {
        in.need(pixels * pixel_bytes);
        return header;
    }
    for (uint64_t done = 0; done < pixels;) {  // packets: count - 1, high bit set: one pixel repeated
        const uint32_t packet = in.u8();
        const uint64_t count = (packet & 127) + 1;
        in.skip(packet & 128 ? pixel_bytes : count * pixel_bytes);
        done += count;
    }
    return header;
}

}  // namespace

ImageHeader probe_image(Bytes bytes, const std::string& name) {
    check(!bytes.empty(), "{} is empty", in_quotes(name));
    if (starts_with(bytes, "\x89PNG\r\n\x1a\n")) return probe_png(bytes, name);
    if (starts_with(bytes, "\xFF\xD8\xFF")) return probe_jpeg(bytes, name);
    // "BM" can begin a text: the version of the information header, at byte 14, decides.
    if (starts_with(bytes, "BM") && bytes.size() < 18)
        fail("{} is truncated: it ends after {} bytes", in_quotes(name), bytes.size());
    if (starts_with(bytes, "BM")) {
        uint32_t version = 0;
        for (size_t i = 4; i-- > 0;) version = version << 8 | std::to_integer<uint32_t>(bytes[14 + i]);
        if (version == 12 || version == 40 || version == 56 || version == 108 || version == 124)
            return probe_bmp(bytes, name);
    }
    if (extension_of(name) == ".tga") return probe_tga(bytes, name);
    fail("{} is not a picture (PNG, JPEG, BMP or TGA)", in_quotes(name));
}

int exif_orientation(Bytes exif) {
    constexpr size_t kMaxBytes = 1 << 20;
    if (exif.size() < 8 || exif.size() > kMaxBytes) return 1;
    const std::string_view prefix("Exif\0\0", 6);
    std::vector<unsigned char> block;
    if (!starts_with(exif, prefix)) block.assign(prefix.begin(), prefix.end());
    const auto* first = reinterpret_cast<const unsigned char*>(exif.data());
    block.insert(block.end(), first, first + exif.size());

    const std::unique_ptr<ExifData, void (*)(ExifData*)> data(exif_data_new(), exif_data_unref);
    if (!data) return 1;
    exif_data_load_data(data.get(), block.data(), static_cast<unsigned>(block.size()));
    const ExifEntry* entry = exif_content_get_entry(data->ifd[EXIF_IFD_0], EXIF_TAG_ORIENTATION);
    if (entry == nullptr || entry->format != EXIF_FORMAT_SHORT || entry->size < 2) return 1;
    const int orientation = exif_get_short(entry->data, exif_data_get_byte_order(data.get()));
    return orientation >= 1 && orientation <= 8 ? orientation : 1;
}

}  // namespace lily::io
