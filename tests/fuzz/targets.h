// SPDX-License-Identifier: MIT
// What the fuzzers call, apart from them so that the tests can replay the corpus. Bad input may only throw
// Error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "framework/data/caption.h"
#include "framework/data/idx.h"
#include "framework/error.h"
#include "framework/io/gzip.h"
#include "framework/io/image.h"
#include "framework/io/npy.h"
#include "framework/io/safetensors.h"
#include "models/clip/clean_text.h"
#include "models/clip/tokenizer.h"

namespace lily::io {

// True where the bytes were accepted. Each is tried as a .tga as well, the one format that needs its name,
// and reduced as it is read.
inline bool fuzz_image(const uint8_t* data, size_t size) {
    bool accepted = false;
    const ImageOptions in_full = {.max_pixels = 1 << 18};
    const ImageOptions reduced = {.max_pixels = 64, .max_reduced_pixels = 1 << 18, .longest_side = 2};
    for (const auto& [name, options] :
         {std::pair("fuzz.jpg", in_full), {"fuzz.tga", in_full}, {"fuzz.jpg", reduced}}) {
        try {
            const ReducedImage read =
                decode_reduced_image(std::as_bytes(std::span(data, size)), name, options);
            const Image& image = read.image;
            if (image.width < 1 || image.height < 1 || image.channels < 1 || image.channels > 4) std::abort();
            if (!(read.box.left >= 0 && read.box.right <= image.width && read.box.top >= 0 &&
                  read.box.bottom <= image.height))
                std::abort();
            accepted = true;
        } catch (const Error&) {
        }
    }
    return accepted;
}

// Reads every byte that the parser vouches for.
inline bool fuzz_safetensors(const uint8_t* data, size_t size) {
    try {
        const SafetensorsFile file = SafetensorsFile::parse(std::as_bytes(std::span(data, size)), "fuzz");
        size_t total = 0;
        for (const SafetensorsEntry& entry : file.entries()) {
            if (&file.at(entry.name) != &entry) std::abort();
            for (const std::byte b : entry.data) total += std::to_integer<size_t>(b) | 1;
            if (entry.dtype == "F32" && file.values<float>(entry).size() * 4 != entry.data.size())
                std::abort();
        }
        if (total > size * 255) std::abort();
        return true;
    } catch (const Error&) {
        return false;
    }
}

inline bool fuzz_idx(const uint8_t* data, size_t size) {
    try {
        const lily::data::IdxArray array =
            lily::data::parse_idx(std::as_bytes(std::span(data, size)), "fuzz");
        int64_t total = 1;
        for (const int64_t n : array.shape) total *= n;
        if (array.shape.empty() || total != static_cast<int64_t>(array.values.size())) std::abort();
        return true;
    } catch (const Error&) {
        return false;
    }
}

// What is written again as it was read is the same to the parser.
inline bool fuzz_npy(const uint8_t* data, size_t size) {
    try {
        const NpyArray array = parse_npy(std::as_bytes(std::span(data, size)), "fuzz");
        size_t total = array.descr == "|u1" ? 1 : array.descr == "<f4" ? 4 : 8;
        for (const int64_t n : array.shape) total *= static_cast<size_t>(n);
        if (total != array.data.size()) std::abort();
        const std::string header = npy_header(array.descr, array.shape);
        std::vector<std::byte> again(header.size() + total);
        std::memcpy(again.data(), header.data(), header.size());
        std::memcpy(again.data() + header.size(), array.data.data(), total);
        const NpyArray same = parse_npy(again, "again");
        if (same.descr != array.descr || same.shape != array.shape) std::abort();
        return true;
    } catch (const Error&) {
        return false;
    }
}

// A caption that is taken is one line of UTF-8 and its own caption.
inline bool fuzz_caption(const uint8_t* data, size_t size) {
    try {
        const std::string caption = lily::data::parse_caption({reinterpret_cast<const char*>(data), size});
        if (caption.empty() || caption.find('\n') != std::string::npos) std::abort();
        if (lily::data::parse_caption(caption) != caption) std::abort();
        return true;
    } catch (const Error&) {
        return false;
    }
}

// A vocabulary, and a text behind its first 0 byte. The ids of a text spell its words.
inline bool fuzz_clip_tokens(const uint8_t* data, size_t size) {
    const std::string_view all(reinterpret_cast<const char*>(data), size);
    const Bytes bytes = std::as_bytes(std::span(data, size));
    const size_t split = is_gzip(bytes) ? size : std::min(all.find('\0'), size);
    try {
        const std::string text(split < size ? all.substr(split + 1) : "A cat's &lt;caf\u00c9&gt; 2024!");
        const auto tokenizer = models::ClipTokenizer::parse(bytes.first(split), "fuzz");
        const std::vector<int64_t> ids = tokenizer.encode(text);
        const std::string clean = models::clean_text(text);
        std::string words;
        for (const std::string_view word : models::split_words(clean))
            words.append(word) += word == "<|startoftext|>" || word == "<|endoftext|>" ? "" : " ";
        if (tokenizer.decode(ids) != words) std::abort();
        return true;
    } catch (const Error&) {
        return false;
    }
}

}  // namespace lily::io
