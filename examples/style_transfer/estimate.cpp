// SPDX-License-Identifier: MIT
#include "examples/style_transfer/estimate.h"

#include <algorithm>
#include <utility>

#include "examples/common/memory.h"
#include "kernels/common/parallel.h"

namespace lily::style_transfer {
namespace {

using models::Vgg19;

// Weights, read and prepared for the convolutions, and the program: 210 MB at most (unless LILY_CONV asks for
// more). Activations, gradients and scratch memory grow with the picture; maps of few positions want other
// copies of the weights, 260 MB with all. Measured (peak resident set): within 11 % from 64 to 1024 pixels.
constexpr double kProgram = 210, kLeast = 260;
constexpr double kPasses = 1.28,
                 kStylePass = 0.5;  // per byte of activations; a style's gradients are not kept
constexpr double kMapped = 120;

double megabytes_of(int64_t width, int64_t height, const std::vector<std::string>& layers, double share) {
    return std::max(
        kLeast, kProgram + share * static_cast<double>(Vgg19::activation_bytes(height, width, layers)) / 1e6);
}

}  // namespace

Estimate::Estimate(const Settings& s, Device device, std::vector<std::string> layers)
    : s_(s), device_(device), layers_(std::move(layers)) {
    Vgg19::least_side(layers_);
}

double Estimate::content_megabytes(int64_t width, int64_t height) const {
    // L-BFGS remembers a hundred steps, the picture's change and the gradient's in each.
    const int64_t steps =
        s_.optimizer == models::OptimizerKind::lbfgs ? std::min<int64_t>(100, s_.iterations) : 0;
    return megabytes_of(width, height, layers_, kPasses) +
           static_cast<double>(steps * 2 * 3 * height * width * 4) / 1e6;
}

double Estimate::style_megabytes(int64_t width, int64_t height) const {
    return megabytes_of(width, height, layers_, kStylePass);
}

void Estimate::check_picture(const char* option, const char* remedy, const SizedPicture& picture,
                             double megabytes) const {
    const int64_t least = Vgg19::least_side(layers_);
    check(std::min(picture.width, picture.height) >= least,
          "{} {} has {}x{} pixels here, too small for the layers asked for, which need {} a side; choose a "
          "larger {}, or "
          "lower layers with --style-layers and --content-layers",
          option, io::in_quotes(picture.path), picture.width, picture.height, least, remedy);
    if (device_ == Device::cuda) return;
    require_memory(fmt::format("{} {} at {}x{} pixels", option, io::in_quotes(picture.path), picture.width,
                               picture.height),
                   megabytes, kMapped, fmt::format("choose a smaller {}", remedy));
}

void Estimate::check_content(const SizedPicture& content) const {
    check_picture("--content", "--size", content, content_megabytes(content.width, content.height));
}

void Estimate::check_style(const SizedPicture& style) const {
    check_picture("--style", "--style-size", style, style_megabytes(style.width, style.height));
}

void Estimate::check_outputs(const models::Picture& content,
                             const std::vector<models::Picture>& styles) const {
    const int channels = content.alpha.width > 0 ? 4 : 3;
    io::check_image_size(s_.output, content.rgb.width, content.rgb.height, channels);
    if (s_.sheet.empty()) return;
    const auto [width, height] = models::sheet_size(content, styles);
    io::check_image_size(s_.sheet, width, height, 3);
    // The scaled pictures, the sheet and its file, beside what the run has.
    const double needed = content_megabytes(content.rgb.width, content.rgb.height) + 10e-6 * width * height;
    require_memory(
        fmt::format("a run with a --sheet {} of {}x{} pixels", io::in_quotes(s_.sheet), width, height),
        needed, kMapped, "leave it out");
}

void Estimate::say(const models::Picture& content, const std::vector<models::Picture>& styles) const {
    // Decoding is over: what it took of a large file is known. A style's pass comes before the content's.
    double most =
        std::max(content_megabytes(content.rgb.width, content.rgb.height), peak_resident_bytes() / 1e6);
    for (const models::Picture& style : styles)
        most = std::max(most, style_megabytes(style.rgb.width, style.rgb.height));
    s_.say("picture {}x{}, {} style picture{}, {} threads: about {:.0f} MB of memory", content.rgb.width,
           content.rgb.height, styles.size(), styles.size() == 1 ? "" : "s", kernels::max_threads(), most);
}

}  // namespace lily::style_transfer
