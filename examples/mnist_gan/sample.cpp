// SPDX-License-Identifier: MIT
// mnist_gan sample: pictures from noise. mnist_gan walk: from picture to picture.
#include "examples/common/memory.h"
#include "examples/common/saved_files.h"
#include "examples/mnist_gan/commands.h"
#include "framework/io/gif.h"
#include "framework/random.h"
#include "models/gan/model_file.h"
#include "models/gan/walk.h"

namespace lily::mnist_gan {
namespace {

using namespace lily::models;

// Throws if so many samples, and pictures of so many bytes, do not fit.
void require_memory(int64_t samples, const GanOptions& options, double picture_bytes) {
    lily::require_memory(
        fmt::format("making {} pictures", samples),
        kProgramMegabytes + 2e-6 * picture_bytes + 4e-6 * generation_floats(options, samples),
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
    Generator random(s.seed, Stream::samples);
    const Tensor z = closed_walks(randn({s.stops, walks, model.options.latent}, random), s.frames);
    const Tensor samples = model.sample(z.reshape({frames * walks, model.options.latent}), classes, device);
    SavedFiles saved;
    const std::string at = saved.save(s.out, [&](const std::string& path) {
        if (animated)
            io::save_gif(path, walk_frames(samples, walks, model.size, s.grid[0], s.zoom), s.delay);
        else
            io::save_image(path, walk_strip(samples, walks, model.size, s.zoom));
    });
    saved.require_all_in_place();
    s.say("{} frames: {}", frames, at);
    return 0;
}

}  // namespace lily::mnist_gan
