// SPDX-License-Identifier: MIT
#include "framework/io/palette.h"

#ifdef LILY_HAS_IMAGEQUANT
#include <libimagequant.h>
#endif

#include <algorithm>

#include "framework/error.h"

namespace lily::io {
namespace {

uint32_t packed(const uint8_t* p) { return (uint32_t{p[0]} << 16) | (uint32_t{p[1]} << 8) | p[2]; }
uint32_t packed(const Colour& c) { return packed(&c.red); }

size_t area(const Image& image) {
    return static_cast<size_t>(image.width) * static_cast<size_t>(image.height);
}

// Sorted; empty if there are more than a palette holds.
std::vector<Colour> exact_colours(const std::vector<Image>& frames) {
    std::vector<uint32_t> found;
    for (const Image& frame : frames) {
        const uint8_t* p = frame.pixels.data();
        uint32_t last = ~uint32_t{0};
        for (size_t i = 0; i < area(frame); ++i, p += 3) {
            if (packed(p) == last) continue;
            last = packed(p);
            const auto at = std::lower_bound(found.begin(), found.end(), last);
            if (at != found.end() && *at == last) continue;
            if (found.size() == size_t{kMostColours}) return {};
            found.insert(at, last);
        }
    }
    std::vector<Colour> colours;
    for (const uint32_t c : found)
        colours.push_back(
            {static_cast<uint8_t>(c >> 16), static_cast<uint8_t>(c >> 8), static_cast<uint8_t>(c)});
    return colours;
}

}  // namespace

#ifdef LILY_HAS_IMAGEQUANT

namespace {

template <auto destroy>
struct Destroy {
    void operator()(auto* object) const { destroy(object); }
};
template <class Object, auto destroy>
using Owned = std::unique_ptr<Object, Destroy<destroy>>;

void require(liq_error error) {
    check(error == LIQ_OK, "[palette] libimagequant cannot reduce the colours (error {})",
          static_cast<int>(error));
}

template <class Object>
Object* require(Object* object) {
    check(object != nullptr, "[palette] no memory");
    return object;
}

}  // namespace

class Palette::Reduced {
  public:
    explicit Reduced(const std::vector<Image>& frames) : attributes_(require(liq_attr_create())) {
        const Owned<liq_histogram, liq_histogram_destroy> histogram(
            require(liq_histogram_create(attributes_.get())));
        for (const Image& frame : frames) {
            const Frame one(frame, attributes_.get());
            require(liq_histogram_add_image(histogram.get(), attributes_.get(), one.image.get()));
        }
        liq_result* result = nullptr;
        require(liq_histogram_quantize(histogram.get(), attributes_.get(), &result));
        result_.reset(result);
        require(liq_set_dithering_level(result, 0));
    }

    std::vector<Colour> colours() const {
        const liq_palette& palette = *require(liq_get_palette(result_.get()));
        std::vector<Colour> list;
        for (unsigned i = 0; i < palette.count; ++i)
            list.push_back({palette.entries[i].r, palette.entries[i].g, palette.entries[i].b});
        return list;
    }

    std::vector<uint8_t> indices(const Image& frame) const {
        const Frame one(frame, attributes_.get());
        std::vector<uint8_t> list(area(frame));
        require(liq_write_remapped_image(result_.get(), one.image.get(), list.data(), list.size()));
        return list;
    }

  private:
    // A picture as libimagequant wants it, with an alpha.
    struct Frame {
        Frame(const Image& frame, liq_attr* attributes) {
            rgba.reserve(4 * area(frame));
            for (size_t i = 0; i < area(frame); ++i) {
                rgba.insert(rgba.end(), &frame.pixels[3 * i], &frame.pixels[3 * i] + 3);
                rgba.push_back(255);
            }
            image.reset(
                require(liq_image_create_rgba(attributes, rgba.data(), frame.width, frame.height, 0)));
        }
        std::vector<uint8_t> rgba;
        Owned<liq_image, liq_image_destroy> image;
    };

    const Owned<liq_attr, liq_attr_destroy> attributes_;
    Owned<liq_result, liq_result_destroy> result_;
};

std::string imagequant_version() {
    const int version = liq_version();
    return fmt::format("{}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

#else

class Palette::Reduced {
  public:
    explicit Reduced(const std::vector<Image>&) {
        fail(
            "[palette] more than {} colours need libimagequant, and this build has none: install "
            "libimagequant-dev and build again",
            kMostColours);
    }
    std::vector<Colour> colours() const { return {}; }
    std::vector<uint8_t> indices(const Image&) const { return {}; }
};

std::string imagequant_version() { return ""; }

#endif

Palette::Palette(const std::vector<Image>& frames) {
    check(!frames.empty(), "[palette] expected at least one picture");
    const int channels = frames[0].channels;
    for (const Image& frame : frames)
        check(frame.channels == channels && (channels == 1 || channels == 3),
              "[palette] expected grey or RGB pictures, all alike, got {} channels", frame.channels);
    if (channels == 1) {
        for (int i = 0; i < kMostColours; ++i) {
            const auto grey = static_cast<uint8_t>(i);
            colours_.push_back({grey, grey, grey});
        }
        return;
    }
    colours_ = exact_colours(frames);
    if (!colours_.empty()) return;
    reduced_ = std::make_unique<Reduced>(frames);
    colours_ = reduced_->colours();
}

Palette::~Palette() = default;

std::vector<uint8_t> Palette::indices(const Image& frame) const {
    if (frame.channels == 1) return frame.pixels;
    if (reduced_) return reduced_->indices(frame);
    std::vector<uint8_t> list(area(frame));
    for (size_t i = 0; i < list.size(); ++i) {
        const auto at = std::lower_bound(colours_.begin(), colours_.end(), packed(&frame.pixels[3 * i]),
                                         [](const Colour& c, uint32_t wanted) { return packed(c) < wanted; });
        list[i] = static_cast<uint8_t>(at - colours_.begin());
    }
    return list;
}

}  // namespace lily::io
