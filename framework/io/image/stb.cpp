// SPDX-License-Identifier: MIT
#include "framework/io/image/stb.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "framework/error.h"

namespace {

// No allocation of stb_image may be larger: a header that asks for gigabytes fails like any lack of memory.
thread_local size_t largest_allocation = 0;

// Zeroed: what a damaged file does not bring is black, not undefined.
void* limited_malloc(size_t bytes) { return bytes <= largest_allocation ? std::calloc(1, bytes) : nullptr; }

}  // namespace

// Static: a program that links this library may carry its own stb. CMake compiles this file with -fwrapv,
// because stb_image lets integers overflow on damaged files.
#define STBI_MALLOC limited_malloc
#define STBI_REALLOC std::realloc  // only PNG, which is not read by it, would grow memory
#define STBI_FREE std::free
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_BMP
#define STBI_ONLY_TGA
#define STBI_NO_STDIO
#include <stb/stb_image.h>

namespace lily::io {

namespace {

// Two pieces of memory as one file.
struct Pieces {
    Bytes head, body;

    int read(char* to, int size) {
        const Bytes& from = head.empty() ? body : head;
        const size_t n = std::min(static_cast<size_t>(size), from.size());
        std::memcpy(to, from.data(), n);
        skip(static_cast<int>(n));
        return static_cast<int>(n);
    }
    void skip(int n) {  // negative: stb returns what it has read too much; it does not in a whole file
        for (Bytes* piece : {&head, &body}) {
            const size_t here = std::min(static_cast<size_t>(std::max(n, 0)), piece->size());
            *piece = piece->subspan(here);
            n -= static_cast<int>(here);
        }
    }
};

constexpr stbi_io_callbacks kCallbacks = {
    [](void* pieces, char* to, int size) { return static_cast<Pieces*>(pieces)->read(to, size); },
    [](void* pieces, int n) { static_cast<Pieces*>(pieces)->skip(n); },
    [](void* pieces) -> int {
        const auto* p = static_cast<const Pieces*>(pieces);
        return p->head.empty() && p->body.empty() ? 1 : 0;
    },
};

}  // namespace

Raster decode_by_stb(Bytes head, Bytes body, const std::string& name, int64_t width, int64_t height) {
    // At most 4 bytes a pixel; twice that where a buffer is turned over.
    largest_allocation = static_cast<size_t>(width * height) * 8 + (1 << 20);
    Pieces pieces{head, body};
    Raster raster;
    int channels = 0;
    const std::unique_ptr<stbi_uc, void (*)(void*)> decoded(
        stbi_load_from_callbacks(&kCallbacks, &pieces, &raster.width, &raster.height, &channels, 0),
        std::free);
    check(decoded != nullptr, "{} is damaged or of an unsupported kind ({})", in_quotes(name),
          stbi_failure_reason());
    check(raster.width == width && raster.height == height, "{} is damaged: its size is ambiguous",
          in_quotes(name));
    raster.model = channels < 3 ? ColourModel::grey : ColourModel::rgb;
    raster.has_alpha = channels % 2 == 0;
    const stbi_uc* first = decoded.get();
    raster.samples8.assign(first, first + width * height * channels);
    if (raster
            .has_alpha) {  // a picture of nothing but transparent pixels is one whose last byte is not alpha
        const auto step = static_cast<size_t>(channels);
        bool is_visible = false;
        for (size_t i = step - 1; i < raster.samples8.size(); i += step)
            is_visible |= raster.samples8[i] != 0;
        if (!is_visible) make_opaque(raster);
    }
    return raster;
}

void make_opaque(Raster& raster) {
    const auto step = static_cast<size_t>(raster.samples());
    for (size_t i = step - 1; i < raster.samples8.size(); i += step) raster.samples8[i] = 255;
}

}  // namespace lily::io
