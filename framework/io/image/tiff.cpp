// SPDX-License-Identifier: MIT
#include "framework/io/image/tiff.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "framework/error.h"
#include "framework/io/image/checks.h"
#include "framework/io/image/color_profile.h"
#include "framework/io/image/kinds.h"
#include "framework/io/image/reader.h"
#ifdef LILY_HAS_TIFF
#include "framework/io/image/tiff_file.h"
#endif

namespace lily::io {

using namespace std::string_view_literals;

// Byte order, 42 or (BigTIFF) 43.
bool is_tiff(Bytes bytes) {
    return starts_with(bytes, "II*\0"sv) || starts_with(bytes, "MM\0*"sv) || starts_with(bytes, "II+\0"sv) ||
           starts_with(bytes, "MM\0+"sv);
}

#ifndef LILY_HAS_TIFF

std::string tiff_version() { return ""; }

Raster decode_tiff(Bytes, const std::string& name, const ImageOptions&) {
    fail(
        "{} cannot be read: it is a TIFF picture, and this build was made without libtiff; install "
        "libtiff-dev "
        "and build again",
        in_quotes(name));
}

#else

namespace {

constexpr uint16_t kLinearRaw = 34892;  // DNG

[[noreturn]] void refuse_tiff(const std::string& name, const std::string& what) {
    refuse_kind(name, "a TIFF of " + what, "convert {in}'[0]' {out} (package imagemagick)");
}

// A raw file's first page is a thumbnail, which would pass for the picture.
void refuse_raw_files(TiffFile& file, Bytes bytes) {
    const std::string extension = extension_of(file.name());
    if (bytes.size() > 10 && starts_with(bytes.subspan(8), "CR")) refuse_raw(file.name(), "CR2");
    uint8_t* version = nullptr;
    if (TIFFGetField(file.get(), TIFFTAG_DNGVERSION, &version)) refuse_raw(file.name(), "DNG");
    for (const char* raw : {".nef", ".nrw", ".arw", ".srf", ".sr2", ".pef", ".srw", ".3fr", ".iiq", ".erf",
                            ".kdc", ".dcr", ".mos", ".dng", ".cr2"})
        if (extension == raw) refuse_raw(file.name(), raw + 1);
    if (file.has_sensor_data()) refuse_raw(file.name(), "a camera's sensor data in TIFF");
}

const char* refused_photometric(uint16_t photometric) {
    switch (photometric) {
        case PHOTOMETRIC_MASK:
            return "a transparency mask";
        case PHOTOMETRIC_ITULAB:
            return "ITU L*a*b* colours";
        case PHOTOMETRIC_LOGL:
        case PHOTOMETRIC_LOGLUV:
            return "high dynamic range (LogLuv)";
        case PHOTOMETRIC_CFA:
        case kLinearRaw:
            return "a camera's sensor data";
        default:
            return nullptr;
    }
}

// What the samples of a pixel are.
struct Layout {
    int colours = 1;  // stored samples of colour: 1 for a palette
    int alpha = -1;   // which sample
    bool is_multiplied = false;
    std::string remark;
};

void refuse_unusual_samples(const std::string& name, const TiffPage& page) {
    if (const char* what = refused_photometric(page.photometric)) refuse_tiff(name, what);
    const bool is_lab = page.photometric == PHOTOMETRIC_CIELAB || page.photometric == PHOTOMETRIC_ICCLAB;
    if (page.format == SAMPLEFORMAT_IEEEFP)
        refuse_tiff(name, fmt::format("{}-bit floating-point samples", page.bits));
    if (page.format == SAMPLEFORMAT_COMPLEXINT || page.format == SAMPLEFORMAT_COMPLEXIEEEFP)
        refuse_tiff(name, "complex numbers");
    if (page.format == SAMPLEFORMAT_INT && !is_lab) refuse_tiff(name, "signed samples");
    if (page.bits < 1 || page.bits > 16) refuse_tiff(name, fmt::format("{}-bit samples", page.bits));
    if (is_lab && page.bits != 8 && page.bits != 16)
        refuse_tiff(name, fmt::format("{}-bit L*a*b* colours", page.bits));
    if (!TIFFIsCODECConfigured(page.compression))
        refuse_tiff(name, fmt::format("compression {}, which this libtiff does not have", page.compression));
}

Layout layout_of(const TiffFile& file, const TiffPage& page) {
    Layout layout;
    switch (page.photometric) {
        case PHOTOMETRIC_MINISWHITE:
        case PHOTOMETRIC_MINISBLACK:
        case PHOTOMETRIC_PALETTE:
            break;
        case PHOTOMETRIC_RGB:
        case PHOTOMETRIC_YCBCR:
        case PHOTOMETRIC_CIELAB:
        case PHOTOMETRIC_ICCLAB:
            layout.colours = 3;
            break;
        case PHOTOMETRIC_SEPARATED: {
            uint16_t inks = INKSET_CMYK;
            TIFFGetFieldDefaulted(file.get(), TIFFTAG_INKSET, &inks);
            if (inks != INKSET_CMYK) refuse_tiff(file.name(), "inks other than CMYK");
            layout.colours = 4;
            break;
        }
        default:
            refuse_tiff(file.name(), fmt::format("photometric interpretation {}", page.photometric));
    }
    constexpr int kMostSamples = 16;
    if (page.samples > kMostSamples) refuse_tiff(file.name(), fmt::format("{} channels", page.samples));
    check(page.samples >= layout.colours, "{} is damaged: {} samples per pixel where {} are due",
          in_quotes(file.name()), page.samples, layout.colours);

    const int extra = page.samples - layout.colours;
    uint16_t count = 0;
    const uint16_t* kinds = nullptr;
    TIFFGetFieldDefaulted(file.get(), TIFFTAG_EXTRASAMPLES, &count, &kinds);
    for (int i = 0; i < std::min<int>(count, extra) && layout.alpha < 0; ++i) {
        if (kinds[i] != EXTRASAMPLE_ASSOCALPHA && kinds[i] != EXTRASAMPLE_UNASSALPHA) continue;
        layout.alpha = layout.colours + i;
        layout.is_multiplied = kinds[i] == EXTRASAMPLE_ASSOCALPHA;
    }
    if (const int unused = extra - (layout.alpha >= 0 ? 1 : 0); unused > 0)
        layout.remark = fmt::format("{} extra channel{}, not declared as transparency: left out", unused,
                                    unused == 1 ? "" : "s");
    return layout;
}

// Numbers of `bits` bits to the full range of T, the nearest.
template <class T>
void stretch(std::vector<T>& samples, int bits) {
    if (bits == std::numeric_limits<T>::digits) return;
    const uint32_t most = (1U << bits) - 1;
    std::vector<T> table(most + 1);
    for (uint32_t v = 0; v <= most; ++v)
        table[v] = static_cast<T>((uint64_t{v} * std::numeric_limits<T>::max() + most / 2) / most);
    for (T& sample : samples) sample = table[sample];
}

// Colours that stand multiplied by their alpha.
template <class T>
void divide_by_alpha(std::vector<T>& samples, size_t step) {
    constexpr uint32_t kFull = std::numeric_limits<T>::max();
    for (size_t i = 0; i < samples.size(); i += step) {
        const uint32_t a = samples[i + step - 1];
        for (size_t k = 0; k + 1 < step; ++k) {
            const uint64_t c = samples[i + k];
            samples[i + k] = static_cast<T>(a == 0 ? 0 : std::min<uint64_t>((c * kFull + a / 2) / a, kFull));
        }
    }
}

template <class T>
std::vector<uint8_t> through_palette(const TiffFile& file, const TiffPage& page,
                                     const std::vector<T>& samples, size_t step) {
    uint16_t* colours[3] = {};
    if (!TIFFGetField(file.get(), TIFFTAG_COLORMAP, &colours[0], &colours[1], &colours[2]))
        file.fail_damaged("its palette");
    const size_t entries = size_t{1} << page.bits;
    // Entries have 16 bits. Some old programs wrote 8, and many write 256 times those.
    const auto all = [&](auto&& is) {
        return std::all_of(std::begin(colours), std::end(colours),
                           [&](const uint16_t* map) { return std::all_of(map, map + entries, is); });
    };
    const bool is_8_bit = all([](uint16_t v) { return v < 256; });
    const bool is_shifted = all([](uint16_t v) { return v % 256 == 0; });
    const auto reduced = [&](uint32_t v) { return is_8_bit ? v : is_shifted ? v / 256 : (v + 128) / 257; };
    std::vector<uint8_t> out;
    out.reserve(samples.size() / step * (step + 2));
    for (size_t i = 0; i < samples.size(); i += step) {
        for (const uint16_t* map : colours) out.push_back(static_cast<uint8_t>(reduced(map[samples[i]])));
        if (step == 2)  // alpha of as many bits as an index
            out.push_back(static_cast<uint8_t>((samples[i + 1] * 255U + (entries - 1) / 2) / (entries - 1)));
    }
    return out;
}

// CIELAB: a* and b* signed; ICCLAB: with an offset of 128.
template <class T>
std::vector<uint16_t> from_lab(const std::vector<T>& samples, size_t step, bool icc) {
    constexpr bool k8 = sizeof(T) == 1;
    const float l_unit = k8 ? 100.0f / 255 : icc ? 100.0f / 65280 : 100.0f / 65535;
    const auto chroma = [&](T v) {
        const float units = k8 ? 1.0f : 256.0f;
        if (icc) return static_cast<float>(v) / units - 128;
        return static_cast<float>(static_cast<std::make_signed_t<T>>(v)) / units;
    };
    constexpr size_t kBatch = size_t{1} << 16;
    const size_t pixels = samples.size() / step;
    std::vector<uint16_t> out(samples.size());
    std::vector<float> lab;
    std::vector<uint16_t> rgb;
    for (size_t first = 0; first < pixels; first += kBatch) {
        const size_t n = std::min(kBatch, pixels - first);
        lab.clear();
        rgb.resize(n * 3);
        for (const T* p = samples.data() + first * step; lab.size() < n * 3; p += step)
            lab.insert(lab.end(), {static_cast<float>(p[0]) * l_unit, chroma(p[1]), chroma(p[2])});
        lab_to_srgb(lab, rgb.data());
        for (size_t i = 0; i < n; ++i) {
            std::copy_n(rgb.data() + i * 3, 3, out.data() + (first + i) * step);
            if (step == 4)
                out[(first + i) * step + 3] =
                    static_cast<uint16_t>(samples[(first + i) * step + 3] * (k8 ? 257 : 1));
        }
    }
    return out;
}

void store(Raster& raster, std::vector<uint8_t> samples) { raster.samples8 = std::move(samples); }
void store(Raster& raster, std::vector<uint16_t> samples) {
    raster.samples16 = std::move(samples);
    raster.bits = 16;
}

template <class T>
void read_samples(TiffFile& file, const TiffPage& page, const Layout& layout, size_t max_chunk_bytes,
                  Raster& raster) {
    std::vector<int> chosen(static_cast<size_t>(layout.colours));
    for (size_t i = 0; i < chosen.size(); ++i) chosen[i] = static_cast<int>(i);
    if (layout.alpha >= 0) chosen.push_back(layout.alpha);
    const size_t step = chosen.size();
    std::vector<T> samples = file.read<T>(page, chosen, max_chunk_bytes);
    raster.has_alpha = layout.alpha >= 0;
    if (page.photometric == PHOTOMETRIC_PALETTE)
        return store(raster, through_palette(file, page, samples, step));
    if (page.photometric == PHOTOMETRIC_CIELAB || page.photometric == PHOTOMETRIC_ICCLAB)
        return store(raster, from_lab(samples, step, page.photometric == PHOTOMETRIC_ICCLAB));
    stretch(samples, page.bits);
    if (layout.is_multiplied) divide_by_alpha(samples, step);
    if (page.photometric == PHOTOMETRIC_MINISWHITE)
        for (size_t i = 0; i < samples.size(); i += step)
            samples[i] = static_cast<T>(std::numeric_limits<T>::max() - samples[i]);
    store(raster, std::move(samples));
}

}  // namespace

std::string tiff_version() {
    const std::string_view text = TIFFGetVersion();  // "LIBTIFF, Version 4.5.0\nCopyright …"
    const size_t from = text.find_first_of("0123456789");
    return from == text.npos ? "?" : std::string(text.substr(from, text.find('\n', from) - from));
}

Raster decode_tiff(Bytes bytes, const std::string& name, const ImageOptions& options) {
    const size_t max_chunk_bytes = static_cast<size_t>(options.max_pixels) * 8;  // 16-bit RGBA
    TiffFile file(bytes, name, std::max(max_chunk_bytes, bytes.size()) + (1 << 20));
    refuse_raw_files(file, bytes);
    const bool has_more_pages = file.go_to_picture();
    const TiffPage page = file.page();
    check_sides(name, page.width, page.height, options);
    refuse_unusual_samples(name, page);
    const Layout layout = layout_of(file, page);

    Raster raster;
    raster.width = static_cast<int>(page.width);
    raster.height = static_cast<int>(page.height);
    raster.orientation = page.orientation >= 1 && page.orientation <= 8 ? page.orientation : 1;
    raster.model = layout.colours == 4                       ? ColourModel::cmyk
                   : layout.colours == 3                     ? ColourModel::rgb
                   : page.photometric == PHOTOMETRIC_PALETTE ? ColourModel::rgb
                                                             : ColourModel::grey;
    raster.is_indexed = page.photometric == PHOTOMETRIC_PALETTE || page.bits == 1;
    if (has_more_pages) raster.remarks.emplace_back("a file of several pages: the first is taken");
    if (!layout.remark.empty()) raster.remarks.push_back(layout.remark);
    const bool is_lab = page.photometric == PHOTOMETRIC_CIELAB || page.photometric == PHOTOMETRIC_ICCLAB;
    uint32_t profile_bytes = 0;
    void* profile = nullptr;
    if (!is_lab && TIFFGetField(file.get(), TIFFTAG_ICCPROFILE, &profile_bytes, &profile)) {
        const auto* first = static_cast<const std::byte*>(profile);
        raster.profile.assign(first, first + profile_bytes);
    }

    if (page.photometric == PHOTOMETRIC_YCBCR && page.compression == COMPRESSION_JPEG)
        TIFFSetField(file.get(), TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    else if (page.photometric == PHOTOMETRIC_YCBCR) {
        raster.samples8 = file.read_as_rgb(page);
        return raster;
    }
    if (page.bits <= 8)
        read_samples<uint8_t>(file, page, layout, max_chunk_bytes, raster);
    else
        read_samples<uint16_t>(file, page, layout, max_chunk_bytes, raster);
    return raster;
}

#endif

}  // namespace lily::io
