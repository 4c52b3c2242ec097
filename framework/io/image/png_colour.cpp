// SPDX-License-Identifier: MIT
#include "framework/io/image/png_colour.h"

#include <cmath>

#include "framework/error.h"
#include "framework/io/image/reader.h"

namespace lily::io {
namespace {

constexpr Primaries kRec2020Primaries{{0.3127, 0.3290}, {0.708, 0.292}, {0.170, 0.797}, {0.131, 0.046}};

bool are_srgb(const Primaries& p) {
    const auto near = [](const Chromaticity& a, const Chromaticity& b) {
        return std::abs(a.x - b.x) < 0.005 && std::abs(a.y - b.y) < 0.005;
    };
    return near(p.white, kSrgbPrimaries.white) && near(p.red, kSrgbPrimaries.red) &&
           near(p.green, kSrgbPrimaries.green) && near(p.blue, kSrgbPrimaries.blue);
}

const Primaries* known_primaries(uint8_t code) {  // ITU-T H.273
    return code == 1    ? &kSrgbPrimaries
           : code == 9  ? &kRec2020Primaries
           : code == 12 ? &kDisplayP3Primaries
                        : nullptr;
}

}  // namespace

void PngColours::note(std::string_view type, Bytes data) {
    const std::string no_name;
    Reader in(data, no_name);
    if (type == "iCCP") has_profile_ = true;
    if (type == "sRGB") is_srgb_ = true;
    if (type == "gAMA" && data.size() == 4)
        if (const uint32_t value = in.u32_be(); value > 0) gamma_ = 100'000.0 / value;
    if (type == "cHRM" && data.size() == 32) {
        Primaries p;
        for (Chromaticity* c : {&p.white, &p.red, &p.green, &p.blue}) {
            c->x = in.u32_be() / 100'000.0;
            c->y = in.u32_be() / 100'000.0;
        }
        primaries_ = p;
    }
    if (type == "cICP" && data.size() == 4) {
        code_points_.clear();
        for (int i = 0; i < 4; ++i) code_points_.push_back(static_cast<uint8_t>(in.u8()));
    }
}

void PngColours::describe(Raster& raster) const {
    if (!code_points_.empty()) {
        const Primaries* primaries = known_primaries(code_points_[0]);
        const uint8_t curve = code_points_[1];
        const double gamma = curve == 4 ? 2.2 : curve == 5 ? 2.8 : curve == 8 ? 1 : 0;
        const bool is_known = gamma > 0 || curve == 13;  // 13: sRGB's
        if (primaries != nullptr && is_known && code_points_[2] == 0 && code_points_[3] == 1) {
            const std::string name = fmt::format("cICP {}, {}", code_points_[0], curve);
            raster.profile = primaries == &kSrgbPrimaries && gamma == 0
                                 ? std::vector<std::byte>()
                                 : profile_of(raster.model, gamma, *primaries, name.c_str());
            return;
        }
        raster.remarks.push_back(fmt::format("its colour space (cICP {}, {}) is not known here: left out",
                                             code_points_[0], curve));
    }
    if (raster.profile.empty() && has_profile_)
        raster.remarks.emplace_back("its colour profile is damaged and left out");
    if (!raster.profile.empty() || is_srgb_ || (gamma_ == 0 && !primaries_)) return;
    // 1 / 2.2, which nearly all writers mean by sRGB's own curve.
    const bool is_usual = gamma_ == 0 || std::abs(gamma_ / 2.2 - 1) < 0.05;
    const Primaries primaries = primaries_.value_or(kSrgbPrimaries);
    if (is_usual && are_srgb(primaries)) return;
    raster.profile =
        profile_of(raster.model, gamma_, primaries,
                   gamma_ == 0 ? "primaries of its own" : fmt::format("gamma {:.2f}", gamma_).c_str());
}

}  // namespace lily::io
