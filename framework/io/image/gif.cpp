// SPDX-License-Identifier: MIT
#include "framework/io/image/gif.h"

#include <gif_lib.h>

#include <algorithm>
#include <array>
#include <memory>

#include "framework/error.h"
#include "framework/io/image/checks.h"
#include "framework/io/image/pixels.h"
#include "framework/io/image/reader.h"

namespace lily::io {
namespace {

int close(GifFileType* file) { return DGifCloseFile(file, nullptr); }

// giflib's decoder, reading from memory, record by record: DGifSlurp would unpack every frame.
class Decoder {
  public:
    Decoder(Bytes bytes, const std::string& name) : bytes_(bytes), name_(name), file_(nullptr, close) {
        int error = 0;
        file_.reset(DGifOpen(this, read, &error));
        if (file_ == nullptr) failed(error);
    }

    const GifFileType& file() const { return *file_; }
    GifRecordType next_record() {
        GifRecordType type = UNDEFINED_RECORD_TYPE;
        require(DGifGetRecordType(file_.get(), &type));
        return type;
    }
    // The index of the transparent colour that the extension names, or what it was before.
    int extension(int transparent) {
        int code = 0;
        GifByteType* block = nullptr;  // its length, then its bytes
        require(DGifGetExtension(file_.get(), &code, &block));
        GraphicsControlBlock control;
        if (code == GRAPHICS_EXT_FUNC_CODE && block != nullptr &&
            DGifExtensionToGCB(block[0], block + 1, &control) == GIF_OK)
            transparent = control.TransparentColor;
        while (block != nullptr) require(DGifGetExtensionNext(file_.get(), &block));
        return transparent;
    }
    void image_header() { require(DGifGetImageDesc(file_.get())); }
    void line(std::vector<GifByteType>& indices) {
        require(DGifGetLine(file_.get(), indices.data(), static_cast<int>(indices.size())));
    }
    void skip_image() {
        int bits = 0;
        GifByteType* block = nullptr;
        require(DGifGetCode(file_.get(), &bits, &block));
        while (block != nullptr) require(DGifGetCodeNext(file_.get(), &block));
    }

  private:
    static int read(GifFileType* file, GifByteType* to, int size) {
        auto& self = *static_cast<Decoder*>(file->UserData);
        const size_t n = std::min(static_cast<size_t>(size), self.bytes_.size() - self.position_);
        std::copy_n(reinterpret_cast<const GifByteType*>(self.bytes_.data()) + self.position_, n, to);
        self.position_ += n;
        self.at_end_ = self.at_end_ || n < static_cast<size_t>(size);
        return static_cast<int>(n);
    }
    void require(int result) const {
        if (result != GIF_OK) failed(file_->Error);
    }
    [[noreturn]] void failed(int error) const {
        if (at_end_) fail("{} is truncated: it ends after {} bytes", in_quotes(name_), bytes_.size());
        const char* text = GifErrorString(error);
        fail("{} is damaged: {}", in_quotes(name_), text != nullptr ? text : "giflib cannot read it");
    }

    const Bytes bytes_;
    const std::string& name_;
    size_t position_ = 0;
    bool at_end_ = false;
    std::unique_ptr<GifFileType, int (*)(GifFileType*)> file_;
};

// The order of an interlaced picture's rows: every eighth, those between, …
std::vector<int> row_order(int height, bool interlaced) {
    std::vector<int> rows;
    if (!interlaced) {
        for (int y = 0; y < height; ++y) rows.push_back(y);
        return rows;
    }
    for (const auto& [first, step] : {std::array{0, 8}, {4, 8}, {2, 4}, {1, 2}})
        for (int y = first; y < height; y += step) rows.push_back(y);
    return rows;
}

// Index i is grey level i: not a palette but levels of grey.
bool is_grey_ramp(const ColorMapObject& colours) {
    for (int i = 0; i < colours.ColorCount; ++i)
        if (colours.Colors[i].Red != i || colours.Colors[i].Green != i || colours.Colors[i].Blue != i)
            return false;
    return true;
}

// What lies outside the canvas is cut off, as everywhere.
void draw_frame(Raster& raster, Decoder& decoder, int transparent) {
    const GifImageDesc frame = decoder.file().Image;
    const ColorMapObject* colours = frame.ColorMap != nullptr ? frame.ColorMap : decoder.file().SColorMap;
    std::vector<GifByteType> indices(static_cast<size_t>(frame.Width));
    for (const int row : row_order(frame.Height, frame.Interlace)) {
        decoder.line(indices);
        const int y = frame.Top + row;
        if (y >= raster.height) continue;
        for (int column = 0; column < frame.Width && frame.Left + column < raster.width; ++column) {
            const int index = indices[static_cast<size_t>(column)];
            if (index == transparent) continue;
            const size_t at = static_cast<size_t>(y) * static_cast<size_t>(raster.width) +
                              static_cast<size_t>(frame.Left + column);
            uint8_t* pixel = raster.samples8.data() + at * 4;
            if (index < colours->ColorCount) {  // past the palette: black, as PNG's
                const GifColorType& colour = colours->Colors[index];
                pixel[0] = colour.Red, pixel[1] = colour.Green, pixel[2] = colour.Blue;
            }
            pixel[3] = 255;
        }
    }
}

}  // namespace

bool is_gif(Bytes bytes) { return starts_with(bytes, "GIF87a") || starts_with(bytes, "GIF89a"); }

Raster decode_gif(Bytes bytes, const std::string& name, const ImageOptions& options) {
    Decoder decoder(bytes, name);
    Raster raster;
    raster.has_alpha = true;
    int transparent = NO_TRANSPARENT_COLOR, frames = 0;
    for (;;) {  // to the end, so that a file that was cut off is found out
        const GifRecordType type = decoder.next_record();
        if (type == TERMINATE_RECORD_TYPE) break;
        if (type == EXTENSION_RECORD_TYPE) transparent = decoder.extension(transparent);
        if (type != IMAGE_DESC_RECORD_TYPE) continue;
        decoder.image_header();
        if (++frames > 1) {
            decoder.skip_image();
            continue;
        }
        const GifFileType& file = decoder.file();
        const GifImageDesc& frame = file.Image;
        // Some writers leave the canvas 0 x 0.
        raster.width = file.SWidth > 0 ? file.SWidth : frame.Left + frame.Width;
        raster.height = file.SHeight > 0 ? file.SHeight : frame.Top + frame.Height;
        check_sides(name, raster.width, raster.height, options);
        check_sides(name, frame.Width, frame.Height, options);
        check(frame.ColorMap != nullptr || file.SColorMap != nullptr, "{} is damaged: it has no palette",
              in_quotes(name));
        raster.is_indexed = !is_grey_ramp(frame.ColorMap != nullptr ? *frame.ColorMap : *file.SColorMap);
        if (options.ignore_colour_keys) transparent = NO_TRANSPARENT_COLOR;
        raster.samples8.assign(static_cast<size_t>(raster.width) * static_cast<size_t>(raster.height) * 4, 0);
        draw_frame(raster, decoder, transparent);
    }
    check(frames > 0, "{} is damaged: a GIF without a picture", in_quotes(name));
    if (frames > 1) raster.remarks.emplace_back("an animation: its first picture is taken");
    drop_alpha_if_opaque(raster);
    return raster;
}

}  // namespace lily::io
