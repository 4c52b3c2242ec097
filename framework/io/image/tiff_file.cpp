// SPDX-License-Identifier: MIT
#ifdef LILY_HAS_TIFF
#include "framework/io/image/tiff_file.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "framework/error.h"

namespace lily::io {
namespace {

// libtiff's decoders only warn where data is missing, and fill the rest with something.
bool means_damage(std::string_view module, std::string_view text) {
    const bool is_decoder = module == "JPEGLib" || module.starts_with("Fax");
    return is_decoder && (text.find("Premature") != text.npos || text.find("Corrupt") != text.npos ||
                          text.find("mismatch") != text.npos);
}

std::string formatted(const char* module, const char* format, va_list arguments) {
    char text[256] = "";
    std::vsnprintf(text, sizeof(text), format, arguments);
    std::string line = (module != nullptr ? std::string(module) + ": " : "") + text;
    for (char& c : line)
        if (c >= 0 && c < 0x20) c = ' ';
    return line;
}

// One row of `count` numbers of `bits` each, the first bit the highest.
template <class T>
void unpack(const uint8_t* row, size_t count, int bits, T* to) {
    if (bits == 8 * static_cast<int>(sizeof(T))) {  // 16 bits: libtiff has turned the bytes
        std::memcpy(to, row, count * sizeof(T));
        return;
    }
    uint32_t held = 0;
    int have = 0;
    for (size_t i = 0; i < count; ++i) {
        while (have < bits) {
            held = held << 8 | *row++;
            have += 8;
        }
        have -= bits;
        to[i] = static_cast<T>(held >> have & ((1U << bits) - 1));
    }
}

}  // namespace

TiffFile::TiffFile(Bytes bytes, const std::string& name, size_t max_allocation)
    : bytes_(bytes), name_(name), tiff_(nullptr, TIFFClose) {
    const std::unique_ptr<TIFFOpenOptions, void (*)(TIFFOpenOptions*)> options(TIFFOpenOptionsAlloc(),
                                                                               TIFFOpenOptionsFree);
    check(options != nullptr, "[tiff] no memory");
    TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), static_cast<tmsize_t>(max_allocation));
    TIFFOpenOptionsSetErrorHandlerExtR(options.get(), on_error, this);
    TIFFOpenOptionsSetWarningHandlerExtR(options.get(), on_warning, this);
    const auto no_write = [](thandle_t, void*, tmsize_t) -> tmsize_t { return 0; };
    const auto close = [](thandle_t) { return 0; };
    const auto size = [](thandle_t self) -> toff_t { return static_cast<TiffFile*>(self)->bytes_.size(); };
    // "m": no mapping, so that every read is seen; the name is for messages, and ours has it.
    tiff_.reset(TIFFClientOpenExt("TIFF", "rm", this, read_bytes, no_write, seek, close, size, nullptr,
                                  nullptr, options.get()));
    if (tiff_ == nullptr || ends_early_) fail_damaged("its directory");
}

tmsize_t TiffFile::read_bytes(thandle_t self, void* to, tmsize_t size) {
    auto& file = *static_cast<TiffFile*>(self);
    const uint64_t left = file.bytes_.size() - std::min<uint64_t>(file.position_, file.bytes_.size());
    const uint64_t n = std::min(left, static_cast<uint64_t>(std::max<tmsize_t>(size, 0)));
    file.ends_early_ = file.ends_early_ || n < static_cast<uint64_t>(size);
    if (n > 0) std::memcpy(to, file.bytes_.data() + file.position_, n);
    file.position_ += n;
    return static_cast<tmsize_t>(n);
}

toff_t TiffFile::seek(thandle_t self, toff_t offset, int whence) {
    auto& file = *static_cast<TiffFile*>(self);
    file.position_ = offset + (whence == SEEK_CUR   ? file.position_
                               : whence == SEEK_END ? file.bytes_.size()
                                                    : 0);
    return file.position_;
}

int TiffFile::on_error(TIFF*, void* self, const char* module, const char* format, va_list arguments) {
    auto& file = *static_cast<TiffFile*>(self);
    if (file.complaint_.empty()) file.complaint_ = formatted(module, format, arguments);
    return 1;  // done: not on stderr
}

int TiffFile::on_warning(TIFF* tiff, void* self, const char* module, const char* format, va_list arguments) {
    if (module == nullptr || format == nullptr) return 1;
    va_list copy;
    va_copy(copy, arguments);
    const std::string text = formatted(nullptr, format, copy);
    va_end(copy);
    return means_damage(module, text) ? on_error(tiff, self, module, format, arguments) : 1;
}

void TiffFile::fail_damaged(const std::string& what) const {
    if (ends_early_) fail("{} is truncated: it ends after {} bytes", in_quotes(name_), bytes_.size());
    fail("{} is damaged: {}", in_quotes(name_),
         complaint_.empty() ? fmt::format("libtiff cannot read {}", what) : complaint_);
}

void TiffFile::check_complaints(const std::string& what) const {
    if (!complaint_.empty()) fail_damaged(what);
}

bool TiffFile::go_to_picture() {
    constexpr int kMostPages = 100;  // looked at
    const auto is_picture = [&] {
        uint32_t kind = 0;
        if (TIFFGetField(get(), TIFFTAG_SUBFILETYPE, &kind))
            return (kind & (FILETYPE_REDUCEDIMAGE | FILETYPE_MASK)) == 0;
        uint16_t old_kind = 0;
        return !TIFFGetField(get(), TIFFTAG_OSUBFILETYPE, &old_kind) || old_kind != OFILETYPE_REDUCEDIMAGE;
    };
    TIFFSetDirectory(get(), 0);
    int first = -1;
    bool has_more = false;
    for (int i = 0; i < kMostPages && !has_more; ++i) {
        if (is_picture()) {
            has_more = first >= 0;
            if (first < 0) first = i;
        }
        if (!TIFFReadDirectory(get())) break;
    }
    if (ends_early_) fail_damaged("its pages");
    complaint_.clear();  // about other pages
    if (!TIFFSetDirectory(get(), static_cast<tdir_t>(std::max(first, 0)))) fail_damaged("its first page");
    return has_more;
}

TiffPage TiffFile::page() const {
    TIFF* tiff = get();
    TiffPage page;
    if (!TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &page.width) ||
        !TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &page.height))
        fail_damaged("its size");
    uint16_t planar = PLANARCONFIG_CONTIG;
    TIFFGetFieldDefaulted(tiff, TIFFTAG_BITSPERSAMPLE, &page.bits);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLESPERPIXEL, &page.samples);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLEFORMAT, &page.format);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_ORIENTATION, &page.orientation);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_COMPRESSION, &page.compression);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_PLANARCONFIG, &planar);
    page.is_planar = planar == PLANARCONFIG_SEPARATE && page.samples > 1;
    if (!TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &page.photometric))
        page.photometric = page.samples >= 3 ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK;
    return page;
}

bool TiffFile::has_sensor_data() {
    const auto holds_it = [&] {
        uint16_t photometric = 0;
        return TIFFGetField(get(), TIFFTAG_PHOTOMETRIC, &photometric) &&
               (photometric == PHOTOMETRIC_CFA || photometric == 34892 /* DNG's LinearRaw */);
    };
    TIFFSetDirectory(get(), 0);
    if (holds_it()) return true;
    uint16_t count = 0;
    const uint64_t* offsets = nullptr;
    if (!TIFFGetField(get(), TIFFTAG_SUBIFD, &count, &offsets) || offsets == nullptr) return false;
    const std::vector<uint64_t> below(offsets, offsets + std::min<int>(count, 8));
    const bool found = std::any_of(below.begin(), below.end(), [&](uint64_t offset) {
        return TIFFSetSubDirectory(get(), offset) && holds_it();
    });
    complaint_.clear();
    return found;
}

template <class T>
std::vector<T> TiffFile::read(const TiffPage& page, const std::vector<int>& chosen, size_t max_chunk_bytes) {
    TIFF* tiff = get();
    const bool tiled = TIFFIsTiled(tiff) != 0;
    uint32_t chunk_width = page.width, chunk_height = page.height;
    if (tiled) {
        TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &chunk_width);
        TIFFGetField(tiff, TIFFTAG_TILELENGTH, &chunk_height);
    } else {
        TIFFGetFieldDefaulted(tiff, TIFFTAG_ROWSPERSTRIP, &chunk_height);
        chunk_height = std::clamp<uint32_t>(chunk_height, 1, page.height);
    }
    const size_t in_row = size_t{chunk_width} * (page.is_planar ? 1 : page.samples);
    const uint64_t row_bytes = (uint64_t{in_row} * page.bits + 7) / 8;
    const uint64_t chunk_bytes = tiled ? TIFFTileSize64(tiff) : TIFFStripSize64(tiff);
    check(chunk_width > 0 && chunk_height > 0 && chunk_bytes <= max_chunk_bytes,
          "{} is too large: strips or tiles of {} bytes", in_quotes(name_), chunk_bytes);
    check(row_bytes <= max_chunk_bytes && chunk_bytes == row_bytes * chunk_height,
          "{} is damaged: strips or tiles of {} bytes where {} rows of {} are due", in_quotes(name_),
          chunk_bytes, chunk_height, row_bytes);

    const size_t step = chosen.size();
    std::vector<T> all(size_t{page.width} * page.height * step);
    std::vector<uint8_t> chunk(chunk_bytes);
    std::vector<T> row(in_row);
    const auto read_plane = [&](uint16_t plane, const std::vector<std::pair<size_t, size_t>>& from_to) {
        const size_t in_pixel = page.is_planar ? 1 : page.samples;
        for (uint32_t top = 0; top < page.height; top += chunk_height) {
            const uint32_t rows = std::min(chunk_height, page.height - top);
            for (uint32_t left = 0; left < page.width; left += chunk_width) {
                const uint32_t columns = std::min(chunk_width, page.width - left);
                const uint64_t due = row_bytes * (tiled ? chunk_height : rows);
                const tmsize_t size = static_cast<tmsize_t>(due);
                const tmsize_t got =
                    tiled
                        ? TIFFReadEncodedTile(tiff, TIFFComputeTile(tiff, left, top, 0, plane), chunk.data(),
                                              size)
                        : TIFFReadEncodedStrip(tiff, TIFFComputeStrip(tiff, top, plane), chunk.data(), size);
                if (got < size || !complaint_.empty()) fail_damaged("its pixels");
                for (uint32_t y = 0; y < rows; ++y) {
                    unpack(chunk.data() + y * row_bytes, columns * in_pixel, page.bits, row.data());
                    T* to = all.data() + (size_t{top + y} * page.width + left) * step;
                    for (const auto& [sample, place] : from_to)
                        for (size_t x = 0; x < columns; ++x)
                            to[x * step + place] = row[x * in_pixel + sample];
                }
            }
        }
    };
    std::vector<std::pair<size_t, size_t>> from_to;
    for (size_t i = 0; i < step; ++i) {
        const auto sample = static_cast<uint16_t>(chosen[i]);
        if (page.is_planar)
            read_plane(sample, {{0, i}});
        else
            from_to.emplace_back(sample, i);
    }
    if (!page.is_planar) read_plane(0, from_to);
    return all;
}

template std::vector<uint8_t> TiffFile::read(const TiffPage&, const std::vector<int>&, size_t);
template std::vector<uint16_t> TiffFile::read(const TiffPage&, const std::vector<int>&, size_t);

std::vector<uint8_t> TiffFile::read_as_rgb(const TiffPage& page) {
    TIFFRGBAImage image;
    char message[1024] = "";
    constexpr int kStopOnError = 1;
    if (!TIFFRGBAImageBegin(&image, get(), kStopOnError, message)) {
        if (complaint_.empty()) complaint_ = message;
        fail_damaged("its pixels");
    }
    const std::unique_ptr<TIFFRGBAImage, void (*)(TIFFRGBAImage*)> end(&image, TIFFRGBAImageEnd);
    image.req_orientation = image.orientation;  // as stored: it cannot turn, only flip
    const size_t pixels = size_t{page.width} * page.height;
    std::vector<uint32_t> packed(pixels);
    if (!TIFFRGBAImageGet(&image, packed.data(), page.width, page.height) || !complaint_.empty())
        fail_damaged("its pixels");
    std::vector<uint8_t> rgb(pixels * 3);
    for (size_t i = 0; i < pixels; ++i) {
        rgb[3 * i] = TIFFGetR(packed[i]);
        rgb[3 * i + 1] = TIFFGetG(packed[i]);
        rgb[3 * i + 2] = TIFFGetB(packed[i]);
    }
    return rgb;
}

}  // namespace lily::io
#endif
