// SPDX-License-Identifier: MIT
// mnist_gan sample: pictures from noise. mnist_gan walk: from picture to picture.
#include <algorithm>
#include <cmath>

#include "examples/common/memory.h"
#include "examples/common/saved_files.h"
#include "examples/mnist_gan/commands.h"
#include "framework/io/gif.h"
#include "framework/ops/slice.h"
#include "framework/random.h"
#include "models/gan/model_file.h"

namespace lily::mnist_gan {
namespace {

using namespace lily::models;

// The point of a great arc from a to b, t in [0,1]: between normal points, straight lines pass too near to 0.
void slerp(const float* a, const float* b, int64_t n, double t, float* out) {
    double aa = 0, bb = 0, ab = 0;
    for (int64_t i = 0; i < n; ++i) {
        aa += a[i] * a[i];
        bb += b[i] * b[i];
        ab += a[i] * b[i];
    }
    const double angle = std::acos(std::clamp(ab / std::sqrt(aa * bb), -1.0, 1.0));
    const bool straight = !(std::sin(angle) > 1e-6);  // the same direction, or opposite ones
    const double of_a = straight ? 1 - t : std::sin((1 - t) * angle) / std::sin(angle);
    const double of_b = straight ? t : std::sin(t * angle) / std::sin(angle);
    for (int64_t i = 0; i < n; ++i) out[i] = static_cast<float>(of_a * a[i] + of_b * b[i]);
}

// z of every frame: (stops · frames, walks, latent), a closed path for each walk.
Tensor path(int64_t stops, int64_t frames, int64_t walks, int64_t latent, uint64_t seed) {
    Generator random(seed, Stream::samples);
    const Tensor points = randn({stops, walks, latent}, random);
    Tensor z = empty({stops * frames, walks, latent});
    float* out = z.mutable_data<float>();
    const float* from = points.data<float>();
    for (int64_t f = 0; f < stops * frames; ++f)
        for (int64_t w = 0; w < walks; ++w) {
            const float* a = from + (f / frames * walks + w) * latent;
            const float* b = from + ((f / frames + 1) % stops * walks + w) * latent;
            const double t = static_cast<double>(f % frames) / static_cast<double>(frames);
            slerp(a, b, latent, t, out + (f * walks + w) * latent);
        }
    return z;
}

// A frame of the animation shows all walks.
std::vector<io::Image> frame_pictures(const Tensor& samples, int64_t walks, const io::PictureSize& size,
                                      const WalkSettings& s) {
    std::vector<io::Image> pictures;
    for (int64_t first = 0; first < samples.size(0); first += walks)
        pictures.push_back(io::sample_grid(slice(samples, 0, first, first + walks), size, s.grid[0], s.zoom));
    return pictures;
}

// A walk is a row: frame f of walk w is sample f · walks + w.
io::Image strip(const Tensor& samples, int64_t walks, const io::PictureSize& size, int zoom) {
    const int64_t frames = samples.size(0) / walks;
    const Tensor rows = samples.reshape({frames, walks, size.pixels()}).transpose(0, 1);
    return io::sample_grid(rows.reshape({walks * frames, size.pixels()}), size, static_cast<int>(frames),
                           zoom);
}

// Throws if so many samples, a generator's two widest maps of them, and pictures of so many bytes do not fit.
void require_memory(int64_t samples, const GanOptions& options, double picture_bytes) {
    int64_t widest = options.latent, before = options.latent;
    for (const Shape& layer : generator_layers(options)) {
        widest = std::max(widest, before + layer[0]);
        before = layer[0];
    }
    lily::require_memory(
        fmt::format("making {} pictures", samples),
        kProgramMegabytes + 2e-6 * picture_bytes +
            4e-6 * static_cast<double>(samples) * static_cast<double>(widest + options.pixels),
        kMappedMegabytes, "make fewer at a time");
}

}  // namespace

int run(const SampleSettings& s) {
    const bool tensor = io::extension_of(s.out) == ".safetensors";
    tensor ? io::check_writable(s.out) : io::check_can_save_image(s.out);
    const LoadedGenerator model = load_generator(s.model);
    const int columns = s.grid[0] > 0 ? s.grid[0] : 8;
    const int64_t count = s.count > 0 ? s.count : int64_t{columns} * (s.grid[1] > 0 ? s.grid[1] : 8);
    check(s.grid[1] == 0 || count <= int64_t{columns} * s.grid[1],
          "{} samples do not fit into a grid of {}x{}", count, columns, s.grid[1]);
    const std::vector<int64_t> classes = classes_for(count, s.digit, model.options.classes);
    double picture_bytes = 0;
    if (!tensor) {
        const auto [width, height] = io::grid_size(count, model.size, columns, s.zoom);
        io::check_image_size(s.out, width, height, static_cast<int>(model.size.channels));
        picture_bytes = static_cast<double>(width) * height * static_cast<double>(model.size.channels);
    }
    const Device device = s.choose();
    require_memory(count, model.options, picture_bytes);
    Generator random(s.seed, Stream::samples);
    const Tensor samples = model.sample(randn({count, model.options.latent}, random), classes, device);
    SavedFiles saved;
    const std::string at = saved.save(s.out, [&](const std::string& path) {
        if (tensor)
            io::save_tensors(path, {{"samples", samples}});
        else
            io::save_image(path, io::sample_grid(samples, model.size, columns, s.zoom));
    });
    saved.require_all_in_place();
    s.say("{} samples: {}", count, at);
    return 0;
}

int run(const WalkSettings& s) {
    const bool animated = io::extension_of(s.out) == ".gif";
    animated ? io::check_writable(s.out) : io::check_can_save_image(s.out);
    const LoadedGenerator model = load_generator(s.model);
    check(!animated || model.size.channels == 1,
          "animations are of grey pictures only; name a .png for a strip");
    const int64_t walks = animated ? int64_t{s.grid[0]} * s.grid[1] : s.grid[1], frames = s.stops * s.frames;
    const std::vector<int64_t> of_walks = classes_for(walks, s.digit, model.options.classes);
    std::vector<int64_t> classes;
    for (int64_t f = 0; f < frames; ++f) classes.insert(classes.end(), of_walks.begin(), of_walks.end());
    // Of a strip a walk is a row.
    const auto [width, height] =
        animated ? io::grid_size(walks, model.size, s.grid[0], s.zoom)
                 : io::grid_size(frames * walks, model.size, static_cast<int>(frames), s.zoom);
    animated ? io::check_gif_size(s.out, width, height)
             : io::check_image_size(s.out, width, height, static_cast<int>(model.size.channels));
    const Device device = s.choose();
    require_memory(frames * walks, model.options,
                   static_cast<double>(width) * height *
                       static_cast<double>(model.size.channels * (animated ? frames : 1)));
    const Tensor z = path(s.stops, s.frames, walks, model.options.latent, s.seed);
    const Tensor samples = model.sample(z.reshape({frames * walks, model.options.latent}), classes, device);
    SavedFiles saved;
    const std::string at = saved.save(s.out, [&](const std::string& path) {
        if (animated)
            io::save_gif(path, frame_pictures(samples, walks, model.size, s), s.delay);
        else
            io::save_image(path, strip(samples, walks, model.size, s.zoom));
    });
    saved.require_all_in_place();
    s.say("{} frames: {}", frames, at);
    return 0;
}

}  // namespace lily::mnist_gan
