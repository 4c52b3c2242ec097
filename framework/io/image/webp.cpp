// SPDX-License-Identifier: MIT
#include "framework/io/image/webp.h"

#include "framework/error.h"
#include "framework/io/image/checks.h"
#include "framework/io/image/orientation.h"
#include "framework/io/image/pixels.h"
#include "framework/io/image/reader.h"

#ifdef LILY_HAS_WEBP
#include <webp/decode.h>
#include <webp/demux.h>

#include <memory>
#endif

namespace lily::io {

// RIFF, u32 the size of what follows, WEBP, chunks.
bool is_webp(Bytes bytes) {
    return bytes.size() >= 12 && starts_with(bytes, "RIFF") && starts_with(bytes.subspan(8), "WEBP");
}

#ifndef LILY_HAS_WEBP

std::string webp_version() { return ""; }

Raster decode_webp(Bytes, const std::string& name, const ImageOptions&) {
    fail(
        "{} cannot be read: it is a WebP picture, and this build was made without libwebp; install "
        "libwebp-dev "
        "and build again",
        in_quotes(name));
}

#else

namespace {

const uint8_t* data(Bytes bytes) { return reinterpret_cast<const uint8_t*>(bytes.data()); }

Bytes chunk(const WebPDemuxer* demuxer, const char* letters) {
    WebPChunkIterator found;
    if (!WebPDemuxGetChunk(demuxer, letters, 1, &found)) return {};
    const Bytes bytes = std::as_bytes(std::span(found.chunk.bytes, found.chunk.size));
    WebPDemuxReleaseChunkIterator(&found);  // the bytes are the file's
    return bytes;
}

void decode_still(Raster& raster, Bytes bytes, const std::string& name) {
    const size_t stride = static_cast<size_t>(raster.width) * static_cast<size_t>(raster.samples());
    raster.samples8.resize(stride * static_cast<size_t>(raster.height));
    const auto decode = raster.has_alpha ? WebPDecodeRGBAInto : WebPDecodeRGBInto;
    const uint8_t* decoded = decode(data(bytes), bytes.size(), raster.samples8.data(), raster.samples8.size(),
                                    static_cast<int>(stride));
    check(decoded != nullptr, "{} is damaged: libwebp cannot decode it", in_quotes(name));
}

void decode_first_canvas(Raster& raster, Bytes bytes, const std::string& name) {
    WebPAnimDecoderOptions how;
    WebPAnimDecoderOptionsInit(&how);
    how.color_mode = MODE_RGBA;
    const WebPData file{data(bytes), bytes.size()};
    const std::unique_ptr<WebPAnimDecoder, void (*)(WebPAnimDecoder*)> decoder(
        WebPAnimDecoderNew(&file, &how), WebPAnimDecoderDelete);
    uint8_t* canvas = nullptr;
    int milliseconds = 0;
    check(decoder != nullptr && WebPAnimDecoderGetNext(decoder.get(), &canvas, &milliseconds),
          "{} is damaged: libwebp cannot decode its first frame", in_quotes(name));
    raster.has_alpha = true;
    raster.samples8.assign(
        canvas, canvas + static_cast<size_t>(raster.width) * static_cast<size_t>(raster.height) * 4);
    drop_alpha_if_opaque(raster);
    raster.remarks.emplace_back("an animation: its first picture is taken");
}

}  // namespace

std::string webp_version() {
    const int version = WebPGetDecoderVersion();
    return fmt::format("{}.{}.{}", version >> 16, version >> 8 & 255, version & 255);
}

Raster decode_webp(Bytes bytes, const std::string& name, const ImageOptions& options) {
    Reader in(bytes, name);
    in.skip(4);
    in.need(in.u32_le());  // libwebp is content when the picture itself is all there
    WebPBitstreamFeatures features;
    check(WebPGetFeatures(data(bytes), bytes.size(), &features) == VP8_STATUS_OK,
          "{} is damaged: libwebp cannot read its header", in_quotes(name));
    check_sides(name, features.width, features.height, options);

    Raster raster;
    raster.width = features.width;
    raster.height = features.height;
    raster.has_alpha = features.has_alpha != 0;
    const WebPData file{data(bytes), bytes.size()};
    const std::unique_ptr<WebPDemuxer, void (*)(WebPDemuxer*)> demuxer(WebPDemux(&file), WebPDemuxDelete);
    if (demuxer != nullptr) {
        const Bytes profile = chunk(demuxer.get(), "ICCP");
        raster.profile.assign(profile.begin(), profile.end());
        raster.orientation = stored_orientation(chunk(demuxer.get(), "EXIF"), chunk(demuxer.get(), "XMP "));
    }
    if (features.has_animation)
        decode_first_canvas(raster, bytes, name);
    else
        decode_still(raster, bytes, name);
    return raster;
}

#endif

}  // namespace lily::io
