// SPDX-License-Identifier: MIT
#include "examples/style_transfer/estimate.h"

#include <unistd.h>

#include <algorithm>

#include "framework/io/progress.h"
#include "kernels/common/parallel.h"

namespace lily::style_transfer {

Estimate::Estimate(const Settings& s, const models::Vgg19& network, std::vector<std::string> layers,
                   const models::Picture& content, const std::vector<models::Picture>& styles)
    : s_(s), network_(network), layers_(std::move(layers)), content_(content), styles_(styles) {
    network_.check_layers(layers_);
}

void Estimate::memory() const {
    const int64_t h = content_.rgb.height, w = content_.rgb.width;
    // Weights, read and prepared for the convolutions, and the program: 400 MB at most. Activations,
    // gradients and scratch memory grow with the picture. Measured (peak resident set): within 9 % from 256
    // to 1024 pixels. A style picture's pass keeps less, and comes before.
    double most = 1.28 * static_cast<double>(network_.activation_bytes(h, w, layers_));
    for (const models::Picture& style : styles_)
        most = std::max(most, 0.5 * static_cast<double>(network_.activation_bytes(style.rgb.height,
                                                                                  style.rgb.width, layers_)));
    // L-BFGS remembers a hundred steps, the picture's change and the gradient's in each.
    const int64_t steps =
        s_.optimizer == models::OptimizerKind::lbfgs ? std::min<int64_t>(100, s_.iterations) : 0;
    const double megabytes = 400 + (most + static_cast<double>(steps * 2 * 3 * h * w * 4)) / 1e6;
    const double available =
        static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1e6;
    s_.say("picture {}x{}, {} style picture{}, {} threads: about {:.0f} MB of memory", w, h, styles_.size(),
           styles_.size() == 1 ? "" : "s", kernels::max_threads(), megabytes);
    check(megabytes < available,
          "a picture of {}x{} needs about {:.0f} MB, this machine has {:.0f}; choose a smaller --size", w, h,
          megabytes, available);
}

// An iteration is a forward and a backward pass over the content picture; the styles' passes have also made
// the weights ready.
void Estimate::time(double seconds) const {
    const auto flops = [&](const models::Picture& picture) {
        return static_cast<double>(network_.flops(picture.rgb.height, picture.rgb.width, layers_));
    };
    double all = 0;
    for (const models::Picture& style : styles_) all += flops(style);
    const double per_iteration = 2.0 * seconds * flops(content_) / all;
    s_.say("{} iterations, about {}", s_.iterations,
           io::format_duration(per_iteration * static_cast<double>(s_.iterations)));
}

}  // namespace lily::style_transfer
