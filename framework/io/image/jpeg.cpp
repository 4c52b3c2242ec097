// SPDX-License-Identifier: MIT
#include "framework/io/image/jpeg.h"

#include <cstdio>  // jpeglib.h wants to know FILE, jerror.h wants jpeglib.h

#include <jpeglib.h>

#include <jerror.h>

#include <array>
#include <csetjmp>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <vector>

#include "framework/error.h"
#include "framework/io/image/checks.h"
#include "framework/io/image/color_profile.h"
#include "framework/io/image/jpeg_structure.h"
#include "framework/io/image/orientation.h"
#include "framework/io/image/reader.h"
#include "framework/io/image/reduce.h"

namespace lily::io {
namespace {

// Freed also where the constructor of what holds it gives up.
struct Handle {
    Handle() = default;
    ~Handle() { jpeg_destroy_decompress(&info); }
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;

    jpeg_decompress_struct info{};
};

// libjpeg's decoder as an object. Its errors jump out of C code, which no exception may cross: every call of
// the library is made within `run`, from a function without destructors.
class Decoder : public Handle {
  public:
    Decoder(Bytes bytes, const std::string& name) : name_(name) {
        info.err = jpeg_std_error(&errors_);
        info.client_data = this;
        errors_.error_exit = [](j_common_ptr common) { of(common).give_up(); };
        errors_.emit_message = [](j_common_ptr common, int level) {
            if (level < 0) of(common).warned();  // others are traces
        };
        run([&] {
            jpeg_create_decompress(&info);
            jpeg_mem_src(&info, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
            jpeg_save_markers(&info, JPEG_APP0 + 2, 0xFFFF);  // the profile's
            jpeg_read_header(&info, TRUE);
        });
    }

    template <class Calls>
    void run(const Calls& calls) {
        if (setjmp(jump_) != 0) fail("{} is damaged: {}", in_quotes(name_), message_.data());
        calls();
    }

    bool profile_is_incomplete = false;

  private:
    static Decoder& of(j_common_ptr common) { return *static_cast<Decoder*>(common->client_data); }

    [[noreturn]] void give_up() {
        errors_.format_message(reinterpret_cast<j_common_ptr>(&info), message_.data());
        std::longjmp(jump_, 1);
    }

    // libjpeg goes on with grey where data are missing or make no sense, and warns: for us that is the end.
    void warned() {
        switch (errors_.msg_code) {
            case JWRN_BOGUS_ICC:
                profile_is_incomplete = true;
                return;
            case JWRN_EXTRANEOUS_DATA:  // more data than pixels
            case JWRN_ADOBE_XFORM:
            case JWRN_JFIF_MAJOR:
                return;
            default:
                give_up();
        }
    }

    const std::string& name_;
    jpeg_error_mgr errors_{};
    std::jmp_buf jump_{};
    std::array<char, JMSG_LENGTH_MAX> message_{};
};

// Bytes of the coefficients that a JPEG of several scans keeps until its last one.
int64_t coefficient_bytes(const jpeg_decompress_struct& info) {
    int64_t blocks = 0;
    for (int i = 0; i < info.num_components; ++i)
        blocks += int64_t{info.comp_info[i].width_in_blocks} * info.comp_info[i].height_in_blocks;
    return blocks * DCTSIZE2 * static_cast<int64_t>(sizeof(JCOEF));
}

// The profile in the APP2 segments, joined by their numbers.
void read_profile(Decoder& decoder, Raster& raster) {
    JOCTET* joined = nullptr;
    unsigned size = 0;
    decoder.run([&] { jpeg_read_icc_profile(&decoder.info, &joined, &size); });
    const std::unique_ptr<JOCTET, void (*)(void*)> profile(joined, std::free);
    const auto* first = reinterpret_cast<const std::byte*>(joined);
    if (profile != nullptr) raster.profile.assign(first, first + size);
    if (decoder.profile_is_incomplete)
        raster.remarks.push_back(
            "its colour profile lacks a piece and is left out: colours are taken as sRGB's");
}

}  // namespace

bool is_jpeg(Bytes bytes) { return starts_with(bytes, "\xFF\xD8\xFF"); }

Raster decode_jpeg(Bytes bytes, const std::string& name, const ImageOptions& options) {
    const JpegStructure structure = walk_jpeg(bytes, name);
    const int by = reduction(name, structure.width, structure.height, options);

    Decoder decoder(bytes, name);
    jpeg_decompress_struct& info = decoder.info;
    check(info.image_width == structure.width && info.image_height == structure.height,
          "{} is damaged: its size is ambiguous", in_quotes(name));
    constexpr int64_t kMostBytes = 256 << 20;
    if (by > 1 && jpeg_has_multiple_scans(&info) && coefficient_bytes(info) > kMostBytes)
        fail(
            "{} is too large for a progressive JPEG: {} x {} pixels need {} MB before the first is known; "
            "save "
            "it again as baseline JPEG",
            in_quotes(name), structure.width, structure.height, coefficient_bytes(info) / 1'000'000);

    Raster raster;
    raster.orientation = stored_orientation(structure.exif, structure.xmp);
    read_profile(decoder, raster);
    if (raster.profile.empty() && info.num_components == 3 && exif_says_adobe_rgb(structure.exif))
        raster.profile =
            profile_of(ColourModel::rgb, kAdobeRgbGamma, kAdobeRgbPrimaries, "Adobe RGB, as EXIF says");
    const bool has_inks = info.num_components == 4;
    if (has_inks) info.out_color_space = JCS_CMYK;
    raster.model = has_inks                   ? ColourModel::cmyk
                   : info.num_components == 1 ? ColourModel::grey
                                              : ColourModel::rgb;
    decoder.run([&] { jpeg_start_decompress(&info); });

    const size_t row = static_cast<size_t>(info.output_width) * static_cast<size_t>(info.output_components);
    std::vector<uint8_t> line(by > 1 ? row : 0);
    const auto read_row = [&](uint8_t* to) {
        decoder.run([&] { jpeg_read_scanlines(&info, &to, 1); });
        if (has_inks && info.saw_Adobe_marker != 0)  // Adobe writes 255 for no ink
            for (size_t i = 0; i < row; ++i) to[i] = static_cast<uint8_t>(255 - to[i]);
    };
    const auto height = static_cast<int>(info.output_height);
    if (by == 1) {
        raster.width = static_cast<int>(info.output_width), raster.height = height;
        raster.samples8.resize(row * static_cast<size_t>(height));
        for (int y = 0; y < height; ++y) read_row(raster.samples8.data() + row * static_cast<size_t>(y));
    } else {
        RowReducer reducer(raster, static_cast<int>(info.output_width), height, by);
        for (int y = 0; y < height; ++y) {
            read_row(line.data());
            reducer.add(line.data());
        }
    }
    decoder.run([&] { jpeg_finish_decompress(&info); });
    return raster;
}

}  // namespace lily::io
