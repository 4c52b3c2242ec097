// SPDX-License-Identifier: MIT
#include "framework/io/image/color_profile.h"

#include <lcms2.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

#include "framework/error.h"

namespace lily::io {
namespace {

using Context = std::unique_ptr<_cmsContext_struct, void (*)(cmsContext)>;
using Profile = std::unique_ptr<void, cmsBool (*)(cmsHPROFILE)>;
using Transform = std::unique_ptr<void, void (*)(cmsHTRANSFORM)>;

// lcms2 reports what it refuses through a handler; a null result says enough.
Context quiet_context() {
    Context context(cmsCreateContext(nullptr, nullptr), cmsDeleteContext);
    check(context != nullptr, "[color_profile] no memory");
    cmsSetLogErrorHandlerTHR(context.get(), [](cmsContext, cmsUInt32Number, const char*) {});
    return context;
}

Profile opened(cmsHPROFILE profile) { return {profile, cmsCloseProfile}; }

constexpr cmsUInt32Number layout(int space, int samples, int bytes, bool alpha) {
    return COLORSPACE_SH(static_cast<cmsUInt32Number>(space)) |
           CHANNELS_SH(static_cast<cmsUInt32Number>(samples)) | EXTRA_SH(alpha ? 1U : 0U) |
           BYTES_SH(static_cast<cmsUInt32Number>(bytes));
}

int lcms_space(ColourModel model) {
    return model == ColourModel::grey ? PT_GRAY : model == ColourModel::rgb ? PT_RGB : PT_CMYK;
}

uint32_t signature(ColourModel model) {
    return model == ColourModel::grey  ? cmsSigGrayData
           : model == ColourModel::rgb ? cmsSigRgbData
                                       : cmsSigCmykData;
}

// A signature in an ICC header. lcms2 returns those of colour space and class as enums that may be none of
// its own.
uint32_t signature_at(const std::vector<std::byte>& profile, size_t at) {
    uint32_t value = 0;
    for (size_t i = at; i < at + 4; ++i) value = value << 8 | std::to_integer<uint32_t>(profile[i]);
    return value;
}

const char* word(uint32_t space) {
    return space == cmsSigGrayData   ? "grey"
           : space == cmsSigRgbData  ? "RGB"
           : space == cmsSigCmykData ? "CMYK"
                                     : "other";
}

// Without cmsFLAGS_NOOPTIMIZE lcms2 folds 16-bit profiles into a table of 33^3 points, up to 26 levels off;
// for 8 bits its short cuts are within one level.
Transform transform(const Context& context, const Profile& from, ColourModel model, bool alpha, int bytes) {
    const Profile srgb = opened(cmsCreate_sRGBProfileTHR(context.get()));
    const cmsUInt32Number flags = cmsFLAGS_BLACKPOINTCOMPENSATION | (alpha ? cmsFLAGS_COPY_ALPHA : 0U) |
                                  (bytes == 2 ? cmsFLAGS_NOOPTIMIZE : 0U);
    return {cmsCreateTransformTHR(context.get(), from.get(),
                                  layout(lcms_space(model), colour_samples(model), bytes, alpha), srgb.get(),
                                  layout(PT_RGB, 3, bytes, alpha), INTENT_RELATIVE_COLORIMETRIC, flags),
            cmsDeleteTransform};
}

// Does the profile leave samples as they are? Files tagged sRGB carry a dozen versions of it, whose curves
// differ by rounding: by 0.5 levels of 255, in one widespread file 1.4.
bool is_srgb(const Context& context, const Profile& profile, ColourModel model) {
    if (model == ColourModel::cmyk) return false;
    const Transform to_srgb = transform(context, profile, model, false, 2);
    if (to_srgb == nullptr) return false;
    constexpr int kSide = 9, kLevel = 257, kMost = kLevel * 3 / 2;
    std::vector<std::array<uint16_t, 3>> colours;
    for (int i = 0; i < 256; ++i) {
        const auto grey = static_cast<uint16_t>(i * kLevel);
        colours.push_back({grey, grey, grey});
    }
    if (model == ColourModel::rgb) {
        const auto at = [](int i) { return static_cast<uint16_t>(i % kSide * 65535 / (kSide - 1)); };
        for (int i = 0; i < kSide * kSide * kSide; ++i)
            colours.push_back({at(i / (kSide * kSide)), at(i / kSide), at(i)});
    }
    return std::all_of(colours.begin(), colours.end(), [&](const std::array<uint16_t, 3>& from) {
        std::array<uint16_t, 3> to{};
        cmsDoTransform(to_srgb.get(), from.data(), to.data(), 1);  // grey: the first sample
        return std::equal(from.begin(), from.end(), to.begin(),
                          [](int a, int b) { return std::abs(a - b) <= kMost; });
    });
}

// " 'Display P3'", or "" where the profile has no name.
std::string named(const Profile& profile) {
    std::vector<char> text(256, '\0');
    cmsGetProfileInfoASCII(profile.get(), cmsInfoDescription, "en", "US", text.data(),
                           static_cast<cmsUInt32Number>(text.size()));
    text.back() = '\0';
    return text.front() == '\0' ? "" : " " + in_quotes(text.data());
}

// Grey stays one sample where the profile keeps it neutral: by a table of what it makes of every value.
template <class T>
bool convert_grey(std::vector<T>& samples, size_t step, cmsHTRANSFORM grey16_to_rgb16) {
    constexpr unsigned kFull = std::numeric_limits<T>::max(), kUnit = 65535 / kFull;
    std::vector<uint16_t> from;
    for (unsigned i = 0; i <= kFull; ++i) from.push_back(static_cast<uint16_t>(i * kUnit));
    std::vector<uint16_t> to(from.size() * 3);
    cmsDoTransform(grey16_to_rgb16, from.data(), to.data(), static_cast<cmsUInt32Number>(from.size()));
    std::vector<T> table;
    for (size_t i = 0; i < to.size(); i += 3) {
        const auto [least, most] = std::minmax({to[i], to[i + 1], to[i + 2]});
        if (most - least > 257) return false;  // a level of 255
        table.push_back(static_cast<T>((to[i + 1] + kUnit / 2) / kUnit));
    }
    for (size_t i = 0; i < samples.size(); i += step) samples[i] = table[samples[i]];
    return true;
}

// lcms2 uses what is there of a profile that was cut off; its first four bytes are its size.
bool is_cut_off(const std::vector<std::byte>& embedded) {
    uint32_t size = 0;
    for (size_t i = 0; i < std::min<size_t>(embedded.size(), 4); ++i)
        size = size << 8 | std::to_integer<uint32_t>(embedded[i]);
    return size > embedded.size();
}

// What a profile does to pictures of one kind.
class Conversion {
  public:
    Conversion(const std::vector<std::byte>& embedded, const Raster& raster)
        : embedded_(embedded), model_(raster.model), has_alpha_(raster.has_alpha), bits_(raster.bits) {
        const Profile profile = opened(cmsOpenProfileFromMemTHR(
            context_.get(), embedded.data(), static_cast<cmsUInt32Number>(embedded.size())));
        const char* assumed = model_ == ColourModel::cmyk ? "plain inks" : "sRGB";
        if (profile == nullptr || is_cut_off(embedded)) {
            remark_ = fmt::format("its colour profile is damaged: taken as {}", assumed);
            return;
        }
        const uint32_t space = signature_at(embedded, 16);
        // Grey pictures tagged with sRGB are common, and right.
        const bool fits = space == signature(model_);
        const bool is_tagged_grey = model_ == ColourModel::grey && space == cmsSigRgbData;
        if ((fits || is_tagged_grey) && is_srgb(context_, profile, fits ? model_ : ColourModel::rgb)) return;
        if (!fits) {
            remark_ = fmt::format("its colour profile{} is for {} pictures, and this one is {}: taken as {}",
                                  named(profile), word(space), word(signature(model_)), assumed);
            return;
        }
        const uint32_t kind = signature_at(embedded, 12);
        if (kind != cmsSigLinkClass && kind != cmsSigAbstractClass && kind != cmsSigNamedColorClass)
            to_rgb_ = transform(context_, profile, model_, has_alpha_, bits_ == 16 ? 2 : 1);
        if (to_rgb_ != nullptr && model_ == ColourModel::grey)
            grey16_to_rgb16_ = transform(context_, profile, model_, false, 2);
        remark_ =
            to_rgb_ == nullptr
                ? fmt::format("its colour profile{} cannot be used: taken as {}", named(profile), assumed)
                : fmt::format("converted from its colour profile{} to sRGB", named(profile));
    }

    bool is_for(const std::vector<std::byte>& embedded, const Raster& raster) const {
        return model_ == raster.model && has_alpha_ == raster.has_alpha && bits_ == raster.bits &&
               embedded_ == embedded;
    }

    void apply(Raster& raster) const {
        if (!remark_.empty()) raster.remarks.push_back(remark_);
        if (to_rgb_ == nullptr) return;
        raster.bits == 16 ? convert(raster, raster.samples16) : convert(raster, raster.samples8);
    }

  private:
    template <class T>
    void convert(Raster& raster, std::vector<T>& samples) const {
        const size_t step = static_cast<size_t>(raster.samples()), step_out = raster.has_alpha ? 4 : 3;
        if (grey16_to_rgb16_ != nullptr && convert_grey(samples, step, grey16_to_rgb16_.get())) return;
        const size_t width = static_cast<size_t>(raster.width), height = static_cast<size_t>(raster.height);
        std::vector<T> out(width * height * step_out);
        for (size_t y = 0; y < height; ++y)
            cmsDoTransform(to_rgb_.get(), samples.data() + y * width * step,
                           out.data() + y * width * step_out, static_cast<cmsUInt32Number>(width));
        samples = std::move(out);
        raster.model = ColourModel::rgb;
    }

    const std::vector<std::byte> embedded_;
    const ColourModel model_;
    const bool has_alpha_;
    const int bits_;
    const Context context_ = quiet_context();
    std::string remark_;                             // "": nothing to say
    Transform to_rgb_{nullptr, cmsDeleteTransform};  // null: the samples stay as they are
    Transform grey16_to_rgb16_{nullptr, cmsDeleteTransform};
};

}  // namespace

void apply_profile(Raster& raster) {
    const std::vector<std::byte> embedded = std::exchange(raster.profile, {});
    if (embedded.empty()) return;
    // Making one takes milliseconds, and the pictures of a data set mostly carry the same profile.
    thread_local std::optional<Conversion> last;
    if (!last || !last->is_for(embedded, raster)) last.emplace(embedded, raster);
    last->apply(raster);
}

std::vector<std::byte> profile_of(ColourModel model, double gamma, const Primaries& p,
                                  const char* description) {
    if (!(gamma == 0 || (gamma >= 0.1 && gamma <= 10))) return {};
    for (const Chromaticity& c : {p.white, p.red, p.green, p.blue})
        if (!(c.x >= 0 && c.y > 0 && c.x + c.y <= 1)) return {};
    const Context context = quiet_context();
    const double srgb[] = {2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045};
    const std::unique_ptr<cmsToneCurve, void (*)(cmsToneCurve*)> curve(
        gamma == 0 ? cmsBuildParametricToneCurve(context.get(), 4, srgb)
                   : cmsBuildGamma(context.get(), gamma),
        cmsFreeToneCurve);
    const cmsCIExyY white{p.white.x, p.white.y, 1};
    const cmsCIExyYTRIPLE primaries{
        {p.red.x, p.red.y, 1}, {p.green.x, p.green.y, 1}, {p.blue.x, p.blue.y, 1}};
    cmsToneCurve* curves[] = {curve.get(), curve.get(), curve.get()};
    const Profile profile = opened(model == ColourModel::grey
                                       ? cmsCreateGrayProfileTHR(context.get(), &white, curve.get())
                                       : cmsCreateRGBProfileTHR(context.get(), &white, &primaries, curves));
    if (profile == nullptr) return {};
    cmsMLU* text = cmsMLUalloc(context.get(), 1);
    cmsMLUsetASCII(text, "en", "US", description);
    cmsWriteTag(profile.get(), cmsSigProfileDescriptionTag, text);
    cmsMLUfree(text);
    cmsUInt32Number size = 0;
    if (!cmsSaveProfileToMem(profile.get(), nullptr, &size)) return {};
    std::vector<std::byte> bytes(size);
    if (!cmsSaveProfileToMem(profile.get(), bytes.data(), &size)) return {};
    return bytes;
}

void lab_to_srgb(const std::vector<float>& lab, uint16_t* rgb) {
    const Context context = quiet_context();
    const Profile from = opened(cmsCreateLab4ProfileTHR(context.get(), nullptr));  // null: D50
    const Profile srgb = opened(cmsCreate_sRGBProfileTHR(context.get()));
    const Transform transform(
        cmsCreateTransformTHR(context.get(), from.get(), TYPE_Lab_FLT, srgb.get(), TYPE_RGB_16,
                              INTENT_RELATIVE_COLORIMETRIC, cmsFLAGS_NOOPTIMIZE),
        cmsDeleteTransform);
    check(transform != nullptr, "[color_profile] no memory");
    cmsDoTransform(transform.get(), lab.data(), rgb, static_cast<cmsUInt32Number>(lab.size() / 3));
}

}  // namespace lily::io
