// SPDX-License-Identifier: MIT
#include "framework/io/image/checks.h"

#include <algorithm>

#include "framework/error.h"
#include "framework/io/file.h"

namespace lily::io {
namespace {

void check_sides_up_to(const std::string& name, int64_t width, int64_t height, int64_t most) {
    check(width > 0 && height > 0, "{} is damaged: its header says {} x {} pixels", in_quotes(name), width,
          height);
    check(width <= most / height, "{} is too large: {} x {} pixels, at most {} million are read",
          in_quotes(name), width, height, most / 1'000'000);
}

}  // namespace

void check_sides(const std::string& name, int64_t width, int64_t height, const ImageOptions& options) {
    check_sides_up_to(name, width, height, options.max_pixels);
}

int reduction(const std::string& name, int64_t width, int64_t height, const ImageOptions& options) {
    const bool may_shrink = options.longest_side > 0 || options.shortest_side > 0;
    check_sides_up_to(
        name, width, height,
        may_shrink ? std::max(options.max_pixels, options.max_reduced_pixels) : options.max_pixels);
    if (width <= options.max_pixels / height) return 1;
    const int64_t longest = std::max(width, height);
    const int64_t by_longest = options.longest_side > 0 ? longest / 2 / options.longest_side : 1;
    const int64_t by_shortest =
        options.shortest_side > 0 ? std::min(width, height) / 2 / options.shortest_side : 1;
    const int64_t by = std::max(by_longest, by_shortest);
    check(by >= 2,
          "{} is too large to be read in full: {} x {} pixels, above {} million a picture is only read to be "
          "shrunk, to a longer side of at most {} here",
          in_quotes(name), width, height, options.max_pixels / 1'000'000, longest / 4);
    return static_cast<int>(by);
}

}  // namespace lily::io
