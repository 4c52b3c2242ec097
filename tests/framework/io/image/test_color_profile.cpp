// SPDX-License-Identifier: MIT
#include "framework/io/image/color_profile.h"

#include <lcms2.h>

#include <array>
#include <cmath>
#include <functional>

#include "framework/io/image.h"
#include "framework/io/image/pixels.h"
#include "tests/framework/io/image_bytes.h"
#include "tests/framework/io/io_test.h"

namespace lily::io {
namespace {

using Vector = std::array<double, 3>;
using Matrix = std::array<Vector, 3>;

Vector operator*(const Matrix& m, const Vector& v) {
    Vector out{};
    for (size_t i = 0; i < 3; ++i)
        for (size_t j = 0; j < 3; ++j) out[i] += m[i][j] * v[j];
    return out;
}

// Columns: where the unit colours are in XYZ, for a white of Y = 1. By Cramer's rule.
Matrix to_xyz(const Primaries& p) {
    const auto xyz = [](const Chromaticity& c) { return Vector{c.x / c.y, 1, (1 - c.x - c.y) / c.y}; };
    const Vector r = xyz(p.red), g = xyz(p.green), b = xyz(p.blue), w = xyz(p.white);
    const auto det = [](const Vector& a, const Vector& c, const Vector& d) {
        return a[0] * (c[1] * d[2] - c[2] * d[1]) - c[0] * (a[1] * d[2] - a[2] * d[1]) +
               d[0] * (a[1] * c[2] - a[2] * c[1]);
    };
    const double whole = det(r, g, b);
    const double s[3] = {det(w, g, b) / whole, det(r, w, b) / whole, det(r, g, w) / whole};
    Matrix m{};
    for (size_t i = 0; i < 3; ++i) m[i] = {r[i] * s[0], g[i] * s[1], b[i] * s[2]};
    return m;
}

Matrix inverse(const Matrix& m) {
    const auto minor = [&](size_t i, size_t j) {
        const size_t a = (i + 1) % 3, b = (i + 2) % 3, c = (j + 1) % 3, d = (j + 2) % 3;
        return m[a][c] * m[b][d] - m[a][d] * m[b][c];
    };
    const double det = m[0][0] * minor(0, 0) + m[0][1] * minor(0, 1) + m[0][2] * minor(0, 2);
    Matrix out{};
    for (size_t i = 0; i < 3; ++i)
        for (size_t j = 0; j < 3; ++j) out[j][i] = minor(i, j) / det;
    return out;
}

double light_of_srgb(double v) { return v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4); }
double srgb_of_light(double v) {
    v = std::clamp(v, 0.0, 1.0);
    return v <= 0.0031308 ? v * 12.92 : 1.055 * std::pow(v, 1 / 2.4) - 0.055;
}

// The oracle, for spaces whose white is D65 as sRGB's: light, XYZ, light of sRGB, clipped, its curve.
Vector in_srgb(const Vector& rgb, double gamma, const Primaries& primaries) {
    Vector light{};
    for (size_t i = 0; i < 3; ++i) light[i] = gamma == 0 ? light_of_srgb(rgb[i]) : std::pow(rgb[i], gamma);
    Vector out = inverse(to_xyz(kSrgbPrimaries)) * (to_xyz(primaries) * light);
    for (double& v : out) v = srgb_of_light(v);
    return out;
}

constexpr Primaries kRec2020Primaries{{0.3127, 0.3290}, {0.708, 0.292}, {0.170, 0.797}, {0.131, 0.046}};

Raster raster_of(ColourModel model, bool alpha, int width, int bits) {
    Raster raster;
    raster.width = width;
    raster.height = 1;
    raster.model = model;
    raster.has_alpha = alpha;
    raster.bits = bits;
    const auto n = static_cast<size_t>(width * raster.samples());
    raster.samples8.resize(bits == 8 ? n : 0);
    raster.samples16.resize(bits == 16 ? n : 0);
    return raster;
}

std::vector<std::byte> saved(cmsHPROFILE profile) {
    cmsUInt32Number size = 0;
    REQUIRE(cmsSaveProfileToMem(profile, nullptr, &size));
    std::vector<std::byte> bytes(size);
    REQUIRE(cmsSaveProfileToMem(profile, bytes.data(), &size));
    cmsCloseProfile(profile);
    return bytes;
}

// A scanner of inks: L* from 100 down to 20 with the ink that there is, no hue.
std::vector<std::byte> cmyk_profile() {
    cmsHPROFILE profile = cmsCreateProfilePlaceholder(nullptr);
    cmsSetProfileVersion(profile, 2.1);
    cmsSetDeviceClass(profile, cmsSigInputClass);
    cmsSetColorSpace(profile, cmsSigCmykData);
    cmsSetPCS(profile, cmsSigLabData);
    cmsPipeline* pipeline = cmsPipelineAlloc(nullptr, 4, 3);
    cmsStage* table = cmsStageAllocCLut16bit(nullptr, 9, 4, 3, nullptr);
    const auto sample = [](const cmsUInt16Number* in, cmsUInt16Number* out, void*) -> cmsInt32Number {
        double white = 1;
        for (int i = 0; i < 4; ++i) white *= 1 - in[i] / 65535.0;
        const double l = 20 + 80 * white;
        out[0] = static_cast<cmsUInt16Number>(std::lround(l * 652.8));  // 0xFF00 is 100
        out[1] = out[2] = 0x8000;
        return 1;
    };
    cmsStageSampleCLut16bit(table, sample, nullptr, 0);
    cmsPipelineInsertStage(pipeline, cmsAT_END, table);
    cmsWriteTag(profile, cmsSigAToB0Tag, pipeline);
    cmsWriteTag(profile, cmsSigAToB1Tag, pipeline);
    cmsPipelineFree(pipeline);
    return saved(profile);
}

}  // namespace

TEST_CASE("colour profiles: spaces of any width, as the formulas have it", "[io][image][profile]") {
    const struct {
        const char* name;
        double gamma;
        Primaries primaries;
    } spaces[] = {{"Adobe RGB", kAdobeRgbGamma, kAdobeRgbPrimaries},
                  {"Display P3", 0, kDisplayP3Primaries},
                  {"Rec. 2020 of gamma 2.4", 2.4, kRec2020Primaries},
                  {"linear sRGB", 1, kSrgbPrimaries}};
    constexpr int kSide = 12, kColours = kSide * kSide * kSide;
    for (const auto& [name, gamma, primaries] : spaces) {
        for (const int bits : {8, 16}) {
            for (const bool alpha : {false, true}) {
                INFO(name << ", " << bits << " bits, alpha " << alpha);
                Raster raster = raster_of(ColourModel::rgb, alpha, kColours, bits);
                const double full = bits == 8 ? 255 : 65535;
                const auto step = static_cast<size_t>(raster.samples());
                std::vector<double> stored;
                for (int i = 0; i < kColours; ++i) {
                    for (const int at : {i / (kSide * kSide), i / kSide % kSide, i % kSide})
                        stored.push_back(std::round(at * full / (kSide - 1)));
                    if (alpha) stored.push_back(std::round((i % 7) * full / 6));
                }
                for (size_t i = 0; i < stored.size(); ++i)
                    bits == 8 ? raster.samples8[i] = static_cast<uint8_t>(stored[i])
                              : raster.samples16[i] = static_cast<uint16_t>(stored[i]);
                raster.profile = profile_of(ColourModel::rgb, gamma, primaries, name);
                apply_profile(raster);
                CHECK(raster.profile.empty());
                REQUIRE(raster.remarks.size() == 1);
                CHECK(raster.remarks[0] ==
                      "converted from its colour profile '" + std::string(name) + "' to sRGB");
                double worst = 0;  // in levels of 255
                for (size_t i = 0; i < stored.size(); i += step) {
                    const Vector right = in_srgb(
                        {stored[i] / full, stored[i + 1] / full, stored[i + 2] / full}, gamma, primaries);
                    for (size_t k = 0; k < step; ++k) {
                        const double got = bits == 8 ? raster.samples8[i + k] : raster.samples16[i + k];
                        const double wanted = k < 3 ? right[k] : stored[i + 3] / full;
                        const double off = std::abs(got / full - wanted) * 255;
                        worst = !(off <= worst) ? off : worst;
                    }
                }
                // An ICC profile's numbers have 16 bits: near black a steep curve shows it.
                CHECK(worst <= (bits == 8 ? 1.3 : 0.3));
            }
        }
    }
}

TEST_CASE("colour profiles: the versions of sRGB change nothing, in silence", "[io][image][profile]") {
    std::vector<std::vector<std::byte>> versions;
    versions.push_back(saved(cmsCreate_sRGBProfile()));
    versions.push_back(profile_of(ColourModel::rgb, 0, kSrgbPrimaries, "sRGB"));
    for (const int entries : {26, 42, 1024}) {  // curves as short as the tiniest ones in the wild
        std::vector<cmsUInt16Number> table;
        for (int i = 0; i < entries; ++i)
            table.push_back(static_cast<cmsUInt16Number>(
                std::lround(65535 * light_of_srgb(static_cast<double>(i) / (entries - 1)))));
        cmsToneCurve* curve =
            cmsBuildTabulatedToneCurve16(nullptr, static_cast<cmsUInt32Number>(entries), table.data());
        cmsToneCurve* curves[] = {curve, curve, curve};
        const cmsCIExyY white{0.3127, 0.3290, 1};
        const cmsCIExyYTRIPLE primaries{{0.64, 0.33, 1}, {0.30, 0.60, 1}, {0.15, 0.06, 1}};
        versions.push_back(saved(cmsCreateRGBProfile(&white, &primaries, curves)));
        cmsFreeToneCurve(curve);
    }
    for (const auto& version : versions) {
        for (const int bits : {8, 16}) {
            for (const ColourModel model : {ColourModel::rgb, ColourModel::grey}) {
                Raster raster = raster_of(model, false, 256, bits);
                for (size_t i = 0; i < raster.samples8.size(); ++i)
                    raster.samples8[i] = static_cast<uint8_t>(i * 89);
                for (size_t i = 0; i < raster.samples16.size(); ++i)
                    raster.samples16[i] = static_cast<uint16_t>(i * 20011);
                const Raster before = raster;
                raster.profile = version;
                apply_profile(raster);
                CHECK(raster.remarks.empty());
                CHECK(raster.samples8 == before.samples8);
                CHECK(raster.samples16 == before.samples16);
                CHECK(raster.model == model);
            }
        }
    }
}

TEST_CASE("colour profiles: grey stays grey", "[io][image][profile]") {
    for (const int bits : {8, 16}) {
        for (const bool alpha : {false, true}) {
            Raster raster = raster_of(ColourModel::grey, alpha, 256, bits);
            const int full = bits == 8 ? 255 : 65535, step = raster.samples();
            const auto sample = [&](int i) -> int {
                const auto at = static_cast<size_t>(i);
                return bits == 8 ? raster.samples8[at] : raster.samples16[at];
            };
            for (int i = 0; i < 256; ++i)
                for (int k = 0; k < step; ++k) {
                    const auto at = static_cast<size_t>(i * step + k);
                    const int value = (k == 0 ? i : 255 - i) * (full / 255);
                    bits == 8 ? raster.samples8[at] = static_cast<uint8_t>(value)
                              : raster.samples16[at] = static_cast<uint16_t>(value);
                }
            raster.profile = profile_of(ColourModel::grey, 1.8, kSrgbPrimaries, "gamma 1.8");
            apply_profile(raster);
            CHECK(raster.model == ColourModel::grey);
            CHECK(raster.remarks ==
                  std::vector<std::string>{"converted from its colour profile 'gamma 1.8' to sRGB"});
            for (int i = 0; i < 256; ++i) {
                const double right = srgb_of_light(std::pow(i / 255.0, 1.8)) * 255;
                REQUIRE(std::abs(sample(i * step) * 255.0 / full - right) <= (bits == 8 ? 0.6 : 0.3));
                if (alpha) REQUIRE(sample(i * step + 1) == (255 - i) * (full / 255));
            }
        }
    }
}

TEST_CASE("colour profiles: inks, by their profile with black-point compensation, or plain",
          "[io][image][profile]") {
    const std::vector<std::byte> profile = cmyk_profile();
    for (const int bits : {8, 16}) {
        for (const bool alpha : {false, true}) {
            Raster raster = raster_of(ColourModel::cmyk, alpha, 3, bits);  // no ink, all of it, half of black
            const double inks[3][5] = {{0, 0, 0, 0, 1}, {1, 1, 1, 1, 0.6}, {0, 0, 0, 0.5, 0}};
            const auto step = static_cast<size_t>(raster.samples());
            for (size_t i = 0; i < 3; ++i)
                for (size_t k = 0; k < step; ++k)
                    bits == 8
                        ? raster.samples8[i * step + k] = static_cast<uint8_t>(std::lround(inks[i][k] * 255))
                        : raster.samples16[i * step + k] =
                              static_cast<uint16_t>(std::lround(inks[i][k] * 65535));
            Raster plain = raster;
            raster.profile = profile;
            apply_profile(raster);
            CHECK(raster.model == ColourModel::rgb);
            const ReducedImage image = to_srgb_image(raster);
            REQUIRE(image.image.channels == (alpha ? 4 : 3));
            // Half of the ink is L* 60, Y 0.2812; black, L* 20, is Y 0.0299, which becomes 0: Y 0.259, 140.
            const int right[3] = {255, 0, 140};
            for (int x = 0; x < 3; ++x) {
                for (int k = 0; k < 3; ++k) CHECK(std::abs(image.image.at(0, x)[k] - right[x]) <= 2);
                if (alpha) CHECK(image.image.at(0, x)[3] == std::lround(inks[x][4] * 255));
            }
            plain.profile = profile_of(ColourModel::rgb, 0, kSrgbPrimaries, "sRGB");  // for other pictures
            const ReducedImage as_inks = to_srgb_image(plain);
            CHECK(plain.remarks ==
                  std::vector<std::string>{"its colour profile 'sRGB' is for RGB pictures, and "
                                           "this one is CMYK: taken as plain inks"});
            CHECK(as_inks.image.at(0, 0)[0] == 255);
            CHECK(as_inks.image.at(0, 1)[0] == 0);
            CHECK(std::abs(as_inks.image.at(0, 2)[0] - 127) <= 1);
        }
    }
}

TEST_CASE("colour profiles: what does not fit or is damaged is left out, with a line",
          "[io][image][profile]") {
    const auto remark_of = [](std::vector<std::byte> profile) {
        Raster raster = raster_of(ColourModel::rgb, false, 1, 8);
        raster.samples8 = {200, 60, 40};
        raster.profile = std::move(profile);
        apply_profile(raster);
        CHECK(raster.samples8 == std::vector<uint8_t>{200, 60, 40});
        CHECK(raster.profile.empty());
        return raster.remarks.size() == 1 ? raster.remarks[0]
                                          : fmt::format("{} remarks", raster.remarks.size());
    };
    CHECK(remark_of({}) == "0 remarks");
    CHECK(remark_of(profile_of(ColourModel::grey, 2.2, kSrgbPrimaries, "dots")) ==
          "its colour profile 'dots' is for grey pictures, and this one is RGB: taken as sRGB");
    CHECK(remark_of(cmyk_profile()) ==
          "its colour profile is for CMYK pictures, and this one is RGB: taken as sRGB");
    CHECK(remark_of(std::vector<std::byte>(300, std::byte{7})) ==
          "its colour profile is damaged: taken as sRGB");
    CHECK(remark_of({std::byte{1}}) == "its colour profile is damaged: taken as sRGB");
    const std::vector<std::byte> whole = profile_of(ColourModel::rgb, 2.2, kAdobeRgbPrimaries, "wide");
    for (size_t n = 1; n < whole.size(); n += 13) {
        INFO("cut after " << n);
        CHECK_THAT(remark_of({whole.begin(), whole.begin() + static_cast<ptrdiff_t>(n)}),
                   Catch::Matchers::ContainsSubstring("taken as sRGB"));
    }
    cmsToneCurve* curve = cmsBuildGamma(nullptr, 2);
    cmsToneCurve* curves[] = {curve, curve, curve};
    CHECK_THAT(remark_of(saved(cmsCreateLinearizationDeviceLink(cmsSigRgbData, curves))),
               Catch::Matchers::ContainsSubstring("cannot be used: taken as sRGB"));
    cmsFreeToneCurve(curve);

    CHECK(profile_of(ColourModel::rgb, 100, kSrgbPrimaries, "").empty());
    CHECK(profile_of(ColourModel::rgb, 2.2, {{0.3, 0}, {0.6, 0.3}, {0.3, 0.6}, {0.1, 0.1}}, "").empty());
    CHECK(profile_of(ColourModel::rgb, 2.2, {{0.3, 0.3}, {0.5, 0.5}, {0.5, 0.5}, {0.5, 0.5}}, "").empty());
}

TEST_CASE("PNG: colours described in numbers, by the specification's order", "[io][image][profile]") {
    using bytes::big, bytes::png_chunk;
    const auto read = [](const std::string& chunks, bool grey = false) {
        const std::string row = grey ? std::string("\0\xC8", 2) : std::string("\0\xC8\x3C\x3C", 4);
        std::vector<std::string> remarks;
        const Image image = decode_image(bytes_of(bytes::png(1, 1, 8, grey ? 0 : 2, row, chunks)), "x.png",
                                         {.remarks = &remarks});
        std::string all;
        for (const std::string& remark : remarks) all += remark.substr(remark.find(':') + 2);
        return std::pair(image.pixels, all);
    };
    const auto chromaticities = [](const Primaries& p) {
        std::string data;
        for (const Chromaticity& c : {p.white, p.red, p.green, p.blue})
            data += big(static_cast<uint64_t>(std::lround(c.x * 100'000)), 4) +
                    big(static_cast<uint64_t>(std::lround(c.y * 100'000)), 4);
        return png_chunk("cHRM", data);
    };
    const auto near = [](const std::vector<uint8_t>& got, double gamma, const Primaries& primaries) {
        const Vector right = in_srgb({200 / 255.0, 60 / 255.0, 60 / 255.0}, gamma, primaries);
        for (size_t k = 0; k < got.size(); ++k) CHECK(std::abs(got[k] - right[k] * 255) <= 1.3);
    };
    const std::vector<uint8_t> stored = {200, 60, 60};
    const std::string usual = png_chunk("gAMA", big(45455, 4)), linear = png_chunk("gAMA", big(100'000, 4));
    CHECK(read(usual) == std::pair(stored, std::string()));
    CHECK(read(usual + chromaticities(kSrgbPrimaries)) == std::pair(stored, std::string()));
    CHECK(read(png_chunk("sRGB", std::string(1, '\0')) + linear) == std::pair(stored, std::string()));
    CHECK(read(png_chunk("gAMA", big(0, 4))) == std::pair(stored, std::string()));

    const auto [from_linear, said] = read(linear);
    near(from_linear, 1, kSrgbPrimaries);
    CHECK(said == "converted from its colour profile 'gamma 1.00' to sRGB");
    near(read(linear, true).first, 1, kSrgbPrimaries);  // grey
    near(read(png_chunk("gAMA", big(45475, 4)) + chromaticities(kAdobeRgbPrimaries)).first, kAdobeRgbGamma,
         kAdobeRgbPrimaries);

    const auto code_points = [](int primaries, int curve) {
        return png_chunk("cICP", {static_cast<char>(primaries), static_cast<char>(curve), '\0', '\1'});
    };
    near(read(code_points(12, 13) + linear).first, 0, kDisplayP3Primaries);
    near(read(code_points(9, 8)).first, 1, kRec2020Primaries);
    CHECK(read(code_points(1, 13) + linear) == std::pair(stored, std::string()));
    for (const std::string& data :
         {std::string("x\0\0garbage", 10), std::string("x\0", 2), std::string(100, 'y')})
        CHECK(read(png_chunk("iCCP", data)) ==
              std::pair(stored, std::string("its colour profile is damaged and left out")));
    CHECK(read(code_points(9, 16)) ==  // PQ
          std::pair(stored, std::string("its colour space (cICP 9, 16) is not known here: left out")));
}

TEST_CASE("JPEG: segments of a profile are joined by their numbers; EXIF may say Adobe RGB",
          "[io][image][profile]") {
    const ScratchFolder folder;
    Image flat(16, 16, 3, 60);
    for (size_t i = 0; i < flat.pixels.size(); i += 3) flat.pixels[i] = 200;
    save_image(folder / "x.jpg", flat, 100);
    const std::string plain = text_of(folder / "x.jpg");
    const auto with = [&](const std::string& segments) {
        std::vector<std::string> remarks;
        const Image image = decode_image(bytes_of(plain.substr(0, 2) + segments + plain.substr(2)), "x.jpg",
                                         {.remarks = &remarks});
        return std::pair(std::vector<int>(image.at(8, 8), image.at(8, 8) + 3), remarks);
    };
    const std::vector<std::byte> profile =
        profile_of(ColourModel::rgb, kAdobeRgbGamma, kAdobeRgbPrimaries, "wide");
    const std::string text(reinterpret_cast<const char*>(profile.data()), profile.size());
    const auto segment = [&](int number) {  // of three
        const size_t third = text.size() / 3 + 1;
        const std::string data = std::string("ICC_PROFILE\0", 12) + static_cast<char>(number) + '\3' +
                                 text.substr(third * static_cast<size_t>(number - 1), third);
        return "\xFF\xE2" + bytes::big(data.size() + 2, 2) + data;
    };
    const auto check_wide = [](const std::vector<int>& pixel) {
        for (const auto& [k, right] : {std::pair(0, 231), {1, 57}, {2, 57}})
            CHECK(std::abs(pixel[static_cast<size_t>(k)] - right) <= 2);
    };
    for (const auto& order : {std::array{1, 2, 3}, {3, 1, 2}, {2, 3, 1}}) {
        std::string segments;
        for (const int number : order) segments += segment(number);
        const auto [pixel, remarks] = with(segments);
        check_wide(pixel);
        CHECK(remarks ==
              std::vector<std::string>{"'x.jpg': converted from its colour profile 'wide' to sRGB"});
    }
    const auto [pixel, remarks] = with(segment(1) + segment(3));
    CHECK(std::abs(pixel[0] - 200) <= 2);
    REQUIRE(remarks.size() == 1);
    CHECK_THAT(remarks[0], Catch::Matchers::ContainsSubstring("profile lacks a piece"));

    // IFD 0 at 8: the EXIF directory at 26, which has ColorSpace and the interoperability directory at 56.
    const auto exif = [](uint64_t colour_space, const std::string& index) {
        const auto tag = [](uint64_t id, uint64_t type, uint64_t count, const std::string& value) {
            return bytes::little(id, 2) + bytes::little(type, 2) + bytes::little(count, 4) + value;
        };
        const std::string tiff = "II" + bytes::little(42, 2) + bytes::little(8, 4) + bytes::little(1, 2) +
                                 tag(0x8769, 4, 1, bytes::little(26, 4)) + bytes::little(0, 4) +
                                 bytes::little(2, 2) + tag(0xA001, 3, 1, bytes::little(colour_space, 4)) +
                                 tag(0xA005, 4, 1, bytes::little(56, 4)) + bytes::little(0, 4) +
                                 bytes::little(1, 2) + tag(1, 2, 4, index + '\0') + bytes::little(0, 4);
        return "\xFF\xE1" + bytes::big(tiff.size() + 8, 2) + std::string("Exif\0\0", 6) + tiff;
    };
    const auto [adobe, adobe_remarks] = with(exif(0xFFFF, "R03"));
    check_wide(adobe);
    CHECK(adobe_remarks ==
          std::vector<std::string>{
              "'x.jpg': converted from its colour profile 'Adobe RGB, as EXIF says' to sRGB"});
    for (const auto& [space, index] : {std::pair(1, "R98"), {1, "R03"}, {0xFFFF, "R98"}}) {
        const auto [same, no_remarks] = with(exif(static_cast<uint64_t>(space), index));
        CHECK(std::abs(same[0] - 200) <= 2);
        CHECK(no_remarks.empty());
    }
}

}  // namespace lily::io
