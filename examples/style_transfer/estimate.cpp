// SPDX-License-Identifier: MIT
#include "examples/style_transfer/estimate.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "kernels/common/parallel.h"

namespace lily::style_transfer {
namespace {

// What this process may use: the machine's memory, or less in a container (control groups of version 2 and
// 1).
double available_bytes() {
    double bytes = static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
    for (const char* path : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
        double limit = 0;  // the file says "max" where there is none
        if (std::ifstream(path) >> limit && limit > 0) bytes = std::min(bytes, limit);
    }
    return bytes;
}

}  // namespace

void tell_memory(const Settings& s, Device device, const models::Vgg19& network,
                 const std::vector<std::string>& layers, const models::Picture& content,
                 const std::vector<models::Picture>& styles) {
    network.check_layers(layers);
    const int64_t h = content.rgb.height, w = content.rgb.width;
    // Weights, read and prepared for the convolutions, and the program: 210 MB at most (unless LILY_CONV asks
    // for more). Activations, gradients and scratch memory grow with the picture; maps of few positions want
    // other copies of the weights, 260 MB with all. Measured (peak resident set): within 11 % from 64 to 1024
    // pixels. A style picture's pass keeps less, and comes before.
    double most = 1.28 * static_cast<double>(network.activation_bytes(h, w, layers));
    for (const models::Picture& style : styles)
        most = std::max(most, 0.5 * static_cast<double>(
                                        network.activation_bytes(style.rgb.height, style.rgb.width, layers)));
    // L-BFGS remembers a hundred steps, the picture's change and the gradient's in each.
    const int64_t steps =
        s.optimizer == models::OptimizerKind::lbfgs ? std::min<int64_t>(100, s.iterations) : 0;
    const double megabytes =
        std::max(260.0, 210 + most / 1e6) + static_cast<double>(steps * 2 * 3 * h * w * 4) / 1e6;
    const double available = available_bytes() / 1e6;
    s.say("picture {}x{}, {} style picture{}, {} threads: about {:.0f} MB of memory", w, h, styles.size(),
          styles.size() == 1 ? "" : "s", kernels::max_threads(), megabytes);
    check(device == Device::cuda || megabytes < available,
          "a picture of {}x{} needs about {:.0f} MB, there are {:.0f} here; choose a smaller --size", w, h,
          megabytes, available);
}

}  // namespace lily::style_transfer
