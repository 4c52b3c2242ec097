// SPDX-License-Identifier: MIT
#include "models/gan/walk.h"

#include <algorithm>
#include <cmath>

#include "framework/ops/shape.h"
#include "framework/ops/slice.h"

namespace lily::models {
namespace {

// The point of a great arc from a to b, or of a line, t in [0,1].
void between(const float* a, const float* b, int64_t n, double t, Path path, float* out) {
    double aa = 0, bb = 0, ab = 0;
    for (int64_t i = 0; i < n; ++i) {
        aa += a[i] * a[i];
        bb += b[i] * b[i];
        ab += a[i] * b[i];
    }
    const double angle = std::acos(std::clamp(ab / std::sqrt(aa * bb), -1.0, 1.0));
    // Also if they have the same direction, or opposite ones.
    const bool straight = path == Path::lines || !(std::sin(angle) > 1e-6);
    const double of_a = straight ? 1 - t : std::sin((1 - t) * angle) / std::sin(angle);
    const double of_b = straight ? t : std::sin(t * angle) / std::sin(angle);
    for (int64_t i = 0; i < n; ++i) out[i] = static_cast<float>(of_a * a[i] + of_b * b[i]);
}

}  // namespace

Tensor closed_walks(const Tensor& points, int64_t frames, Path path) {
    check(points.rank() == 3 && points.dtype() == DType::f32 && frames >= 1,
          "[closed_walks] expected points (stops,walks,latent) of f32, got {}", points.shape());
    const int64_t stops = points.size(0), walks = points.size(1), latent = points.size(2);
    const Tensor here = points.to(Device::cpu).contiguous();
    Tensor z = empty({stops * frames, walks, latent});
    float* out = z.mutable_data<float>();
    const float* from = here.data<float>();
    for (int64_t f = 0; f < stops * frames; ++f)
        for (int64_t w = 0; w < walks; ++w) {
            const float* a = from + (f / frames * walks + w) * latent;
            const float* b = from + ((f / frames + 1) % stops * walks + w) * latent;
            const double t = static_cast<double>(f % frames) / static_cast<double>(frames);
            between(a, b, latent, t, path, out + (f * walks + w) * latent);
        }
    return z;
}

std::vector<io::Image> walk_frames(const Tensor& samples, int64_t walks, const io::PictureSize& size,
                                   int columns, int zoom) {
    std::vector<io::Image> pictures;
    for (int64_t first = 0; first < samples.size(0); first += walks)
        pictures.push_back(io::sample_grid(slice(samples, 0, first, first + walks), size, columns, zoom));
    return pictures;
}

io::Image walk_strip(const Tensor& samples, int64_t walks, const io::PictureSize& size, int zoom) {
    const int64_t frames = samples.size(0) / walks;
    const Tensor rows = samples.reshape({frames, walks, size.pixels()}).transpose(0, 1);
    return io::sample_grid(rows.reshape({walks * frames, size.pixels()}), size, static_cast<int>(frames),
                           zoom);
}

}  // namespace lily::models
