// SPDX-License-Identifier: MIT
#include "framework/io/image/orientation.h"

#include <libexif/exif-data.h>

#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "framework/io/image/reader.h"

namespace lily::io {
namespace {

using Tags = std::unique_ptr<ExifData, void (*)(ExifData*)>;

Tags read_tags(Bytes exif) {
    constexpr size_t kMaxBytes = 1 << 20;
    if (exif.size() < 8 || exif.size() > kMaxBytes) return {nullptr, exif_data_unref};
    const std::string_view prefix("Exif\0\0", 6);
    std::vector<unsigned char> block;
    if (!starts_with(exif, prefix)) block.assign(prefix.begin(), prefix.end());
    const auto* first = reinterpret_cast<const unsigned char*>(exif.data());
    block.insert(block.end(), first, first + exif.size());
    Tags tags(exif_data_new(), exif_data_unref);
    if (tags) exif_data_load_data(tags.get(), block.data(), static_cast<unsigned>(block.size()));
    return tags;
}

// 0: there is none.
int short_tag(ExifData* tags, ExifIfd directory, ExifTag tag) {
    if (tags == nullptr) return 0;
    const ExifEntry* entry = exif_content_get_entry(tags->ifd[directory], tag);
    if (entry == nullptr || entry->format != EXIF_FORMAT_SHORT || entry->size < 2) return 0;
    return exif_get_short(entry->data, exif_data_get_byte_order(tags));
}

// <… tiff:Orientation="6"> or <tiff:Orientation>6</tiff:Orientation>; 0: it has none.
int xmp_orientation(Bytes xmp) {
    const std::string_view text(reinterpret_cast<const char*>(xmp.data()), xmp.size());
    const std::string_view key = "tiff:Orientation";
    const size_t at = text.find(key);
    if (at == std::string_view::npos) return 0;
    const size_t value = text.find_first_not_of("=>\"' \t\r\n", at + key.size());
    if (value == std::string_view::npos || text[value] < '0' || text[value] > '9') return 0;
    return text[value] - '0';
}

}  // namespace

int stored_orientation(Bytes exif, Bytes xmp) {
    int orientation = short_tag(read_tags(exif).get(), EXIF_IFD_0, EXIF_TAG_ORIENTATION);
    if (orientation == 0) orientation = xmp_orientation(xmp);
    return orientation >= 1 && orientation <= 8 ? orientation : 1;
}

bool exif_says_adobe_rgb(Bytes exif) {
    const Tags tags = read_tags(exif);
    constexpr int kUncalibrated = 0xFFFF;
    if (short_tag(tags.get(), EXIF_IFD_EXIF, EXIF_TAG_COLOR_SPACE) != kUncalibrated) return false;
    const ExifEntry* index =
        exif_content_get_entry(tags->ifd[EXIF_IFD_INTEROPERABILITY], EXIF_TAG_INTEROPERABILITY_INDEX);
    return index != nullptr && index->size >= 3 && std::memcmp(index->data, "R03", 3) == 0;
}

}  // namespace lily::io
