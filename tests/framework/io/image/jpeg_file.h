// SPDX-License-Identifier: MIT
// Makes JPEG files of every kind by libjpeg, for the tests: save_image writes one kind only.
#pragma once

#include <cstdio>  // jpeglib.h wants to know FILE

#include <jpeglib.h>

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <string>

#include "framework/io/image.h"

namespace lily::io::bytes {

struct JpegKind {
    int h = 1, v = 1;  // how many luma samples there are for one of chroma, across and down
    bool progressive = false, separate_scans = false, arithmetic = false, adobe = true;
    bool inks_as_ycck = false, rgb = false;  // how colours are stored, where not as usual
    unsigned restart_interval = 0;           // in MCUs
    int quality = 92;
};

// `image` has 1, 3 or 4 channels, 4 being C, M, Y, K as libjpeg stores them.
inline std::string jpeg(const Image& image, const JpegKind& kind = {}) {
    jpeg_compress_struct info{};
    jpeg_error_mgr errors{};
    info.err = jpeg_std_error(&errors);
    jpeg_create_compress(&info);
    unsigned char* memory = nullptr;
    unsigned long size = 0;
    jpeg_mem_dest(&info, &memory, &size);
    info.image_width = static_cast<JDIMENSION>(image.width);
    info.image_height = static_cast<JDIMENSION>(image.height);
    info.input_components = image.channels;
    info.in_color_space = image.channels == 1 ? JCS_GRAYSCALE : image.channels == 3 ? JCS_RGB : JCS_CMYK;
    jpeg_set_defaults(&info);
    if (kind.rgb) jpeg_set_colorspace(&info, JCS_RGB);
    if (kind.inks_as_ycck) jpeg_set_colorspace(&info, JCS_YCCK);
    jpeg_set_quality(&info, kind.quality, TRUE);
    info.comp_info[0].h_samp_factor = kind.h;
    info.comp_info[0].v_samp_factor = kind.v;
    info.arith_code = kind.arithmetic ? TRUE : FALSE;
    info.restart_interval = kind.restart_interval;
    if (image.channels == 4) info.write_Adobe_marker = kind.adobe ? TRUE : FALSE;
    jpeg_scan_info scans[4] = {};
    if (kind.separate_scans) {
        for (int i = 0; i < image.channels; ++i) {
            scans[i].comps_in_scan = 1;
            scans[i].component_index[0] = i;
            scans[i].Se = 63;
        }
        info.scan_info = scans;
        info.num_scans = image.channels;
    }
    if (kind.progressive) jpeg_simple_progression(&info);
    jpeg_start_compress(&info, TRUE);
    for (int y = 0; y < image.height; ++y) {
        auto* row = const_cast<JSAMPROW>(image.at(y, 0));
        jpeg_write_scanlines(&info, &row, 1);
    }
    jpeg_finish_compress(&info);
    jpeg_destroy_compress(&info);
    std::string file(reinterpret_cast<const char*>(memory), size);
    std::free(memory);
    return file;
}

}  // namespace lily::io::bytes
