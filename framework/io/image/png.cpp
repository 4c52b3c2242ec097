// SPDX-License-Identifier: MIT
#include "framework/io/image/png.h"

#include <spng.h>
#include <zlib.h>

#include <memory>
#include <vector>

#include "framework/io/image/checks.h"
#include "framework/io/image/orientation.h"
#include "framework/io/image/png_colour.h"
#include "framework/io/image/reader.h"
#include "framework/io/image/reduce.h"

namespace lily::io {
namespace {

struct Header {
    int64_t width = 0, height = 0;
    Bytes exif;
    PngColours colours;
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
        const bool is_right = in.u32_be() == checksum(checked);
        if (!is_right && critical) in.damaged("wrong checksum in its {} chunk", in_quotes(type));
        if (first) {
            if (length != 13) in.damaged("IHDR of {} bytes", length);
            Reader ihdr(data, name);
            header.width = ihdr.u32_be();
            header.height = ihdr.u32_be();
        }
        if (is_right || type == "iCCP") header.colours.note(type, data);
        if (type == "eXIf") header.exif = data;
        if (type == "IEND") return header;
    }
}

// libspng's decoder as an object.
class Decoder {
  public:
    Decoder(Bytes bytes, const std::string& name, bool ignore_colour_keys)
        : name_(name), png_(spng_ctx_new(0), spng_ctx_free) {
        check(png_ != nullptr, "{}: not enough memory", in_quotes(name));
        constexpr size_t kMostBytes = 64 << 20;  // unpacked, of a chunk that is not pixels
        done(
            spng_set_crc_action(get(), SPNG_CRC_USE, SPNG_CRC_DISCARD));  // walk_png has checked the critical
        done(spng_set_chunk_limits(get(), kMostBytes, kMostBytes));
        done(spng_set_png_buffer(get(), bytes.data(), bytes.size()));
        done(spng_get_ihdr(get(), &ihdr));
        spng_trns trns{};
        has_trns_ = !ignore_colour_keys && spng_get_trns(get(), &trns) == 0;
    }

    void describe(Raster& raster) const {
        raster.bits = ihdr.bit_depth == 16 ? 16 : 8;
        raster.model =
            (ihdr.color_type & SPNG_COLOR_TYPE_TRUECOLOR) != 0 ? ColourModel::rgb : ColourModel::grey;
        raster.is_indexed = ihdr.color_type == SPNG_COLOR_TYPE_INDEXED || ihdr.bit_depth == 1;
        raster.has_alpha = has_trns_ || (ihdr.color_type & SPNG_COLOR_TYPE_GRAYSCALE_ALPHA) != 0;
        spng_iccp profile{};
        if (spng_get_iccp(get(), &profile) == 0) {
            const auto* first = reinterpret_cast<const std::byte*>(profile.profile);
            raster.profile.assign(first, first + profile.profile_len);
        }
    }

    // The packet of XMP among the texts before the pixels, or empty.
    Bytes xmp() {
        uint32_t count = 0;
        if (spng_get_text(get(), nullptr, &count) != 0) return {};
        texts_.resize(count);
        if (spng_get_text(get(), texts_.data(), &count) != 0) return {};
        for (const spng_text& text : texts_)
            if (std::string_view(text.keyword) == "XML:com.adobe.xmp")
                return {reinterpret_cast<const std::byte*>(text.text), text.length};
        return {};
    }

    template <class T>
    void read(std::vector<T>& samples) {
        size_t size = 0;
        done(spng_decoded_image_size(get(), layout(), &size));
        samples.resize(size / sizeof(T));
        done(spng_decode_image(get(), samples.data(), size, layout(), flags()));
    }

    template <class T>
    void read(RowReducer& reducer) {
        size_t size = 0;
        done(spng_decoded_image_size(get(), layout(), &size));
        std::vector<T> row(size / ihdr.height / sizeof(T));
        done(spng_decode_image(get(), nullptr, 0, layout(), flags() | SPNG_DECODE_PROGRESSIVE));
        for (uint32_t y = 0; y < ihdr.height; ++y) {
            const int error = spng_decode_row(get(), row.data(), row.size() * sizeof(T));
            if (error != SPNG_EOI || y + 1 < ihdr.height) done(error);  // the last row comes with the end
            reducer.add(row.data());
        }
    }

    spng_ihdr ihdr{};

  private:
    spng_ctx* get() const { return png_.get(); }
    void done(int error) const {
        check(error == 0, "{} is damaged: {}", in_quotes(name_), spng_strerror(error));
    }

    int flags() const { return has_trns_ ? SPNG_DECODE_TRNS : 0; }
    // Palettes and fewer than 8 bits are expanded; what has neither, nor a transparent colour, stays as it
    // is.
    int layout() const {
        const bool deep = ihdr.bit_depth == 16;
        switch (ihdr.color_type) {
            case SPNG_COLOR_TYPE_GRAYSCALE:
                if (has_trns_) return deep ? SPNG_FMT_GA16 : SPNG_FMT_GA8;
                return deep ? SPNG_FMT_PNG : SPNG_FMT_G8;
            case SPNG_COLOR_TYPE_INDEXED:
                return has_trns_ ? SPNG_FMT_RGBA8 : SPNG_FMT_RGB8;
            case SPNG_COLOR_TYPE_TRUECOLOR:
                if (has_trns_) return deep ? SPNG_FMT_RGBA16 : SPNG_FMT_RGBA8;
                return SPNG_FMT_PNG;
            default:
                return SPNG_FMT_PNG;
        }
    }

    const std::string& name_;
    std::unique_ptr<spng_ctx, void (*)(spng_ctx*)> png_;
    std::vector<spng_text> texts_;
    bool has_trns_ = false;
};

}  // namespace

bool is_png(Bytes bytes) { return starts_with(bytes, "\x89PNG\r\n\x1a\n"); }

Raster decode_png(Bytes bytes, const std::string& name, const ImageOptions& options) {
    const Header header = walk_png(bytes, name);
    const int by = reduction(name, header.width, header.height, options);
    const auto width = static_cast<int>(header.width);
    const auto height = static_cast<int>(header.height);

    Decoder decoder(bytes, name, options.ignore_colour_keys);
    Raster raster;
    decoder.describe(raster);
    header.colours.describe(raster);
    raster.orientation = stored_orientation(header.exif, decoder.xmp());
    if (by == 1) {
        raster.width = width, raster.height = height;
        raster.bits == 16 ? decoder.read(raster.samples16) : decoder.read(raster.samples8);
        return raster;
    }
    check(decoder.ihdr.interlace_method == SPNG_INTERLACE_NONE,
          "{} is too large for an interlaced PNG: {} x {} pixels; save it again without interlacing",
          in_quotes(name), width, height);
    RowReducer reducer(raster, width, height, by);
    raster.bits == 16 ? decoder.read<uint16_t>(reducer) : decoder.read<uint8_t>(reducer);
    return raster;
}

}  // namespace lily::io
