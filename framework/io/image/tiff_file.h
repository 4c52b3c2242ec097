// SPDX-License-Identifier: MIT
// A TIFF in memory, opened by libtiff: its messages, its pages, and the samples of a page as they are stored.
// Included by the files that read TIFF alone.
#pragma once

#include <tiffio.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "framework/io/file.h"

namespace lily::io {

// What a page's tags say of its samples.
struct TiffPage {
    uint32_t width = 0, height = 0;
    uint16_t bits = 1, samples = 1;  // per sample; per pixel
    uint16_t photometric = PHOTOMETRIC_MINISBLACK, format = SAMPLEFORMAT_UINT, orientation = 1;
    uint16_t compression = COMPRESSION_NONE;
    bool is_planar = false;
};

class TiffFile {
  public:
    // No allocation of libtiff's is larger than `max_allocation` bytes. Throws where the file has no page.
    TiffFile(Bytes bytes, const std::string& name, size_t max_allocation);
    TiffFile(const TiffFile&) = delete;
    TiffFile& operator=(const TiffFile&) = delete;

    TIFF* get() const { return tiff_.get(); }
    const std::string& name() const { return name_; }

    // Goes to the first page that is not a reduced copy (page 0 if all are). True if there are more such.
    bool go_to_picture();
    TiffPage page() const;
    // A page below this one, or any of the file, holds a camera's sensor data.
    bool has_sensor_data();

    // The chosen samples of every pixel as stored numbers, (height, width, chosen.size()); T has page.bits.
    template <class T>
    std::vector<T> read(const TiffPage& page, const std::vector<int>& chosen, size_t max_chunk_bytes);

    // By libtiff's own conversion, RGB of 8 bits: for subsampled YCbCr that is not JPEG.
    std::vector<uint8_t> read_as_rgb(const TiffPage& page);

    // Throws what libtiff complained of, or "libtiff cannot read WHAT".
    [[noreturn]] void fail_damaged(const std::string& what) const;
    void check_complaints(const std::string& what) const;

  private:
    static tmsize_t read_bytes(thandle_t self, void* to, tmsize_t size);
    static toff_t seek(thandle_t self, toff_t offset, int whence);
    static int on_error(TIFF*, void* self, const char* module, const char* format, va_list arguments);
    static int on_warning(TIFF*, void* self, const char* module, const char* format, va_list arguments);

    const Bytes bytes_;
    const std::string& name_;
    uint64_t position_ = 0;
    bool ends_early_ = false;  // libtiff asked for bytes past the end
    std::string complaint_;    // the first one
    std::unique_ptr<TIFF, void (*)(TIFF*)> tiff_;
};

}  // namespace lily::io
