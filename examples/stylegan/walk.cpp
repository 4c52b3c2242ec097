// SPDX-License-Identifier: MIT
// stylegan walk: from picture to picture and back to the first, on straight lines between their w.
#include <algorithm>

#include "examples/common/memory.h"
#include "examples/common/saved_files.h"
#include "examples/stylegan/commands.h"
#include "examples/stylegan/figure.h"
#include "framework/io/gif.h"
#include "framework/ops.h"
#include "models/gan/walk.h"

namespace lily::stylegan {
namespace {

constexpr double kProgramMegabytes = 100, kMappedMegabytes = 70;
constexpr const char* kRemedy = "choose fewer frames or walks, or a smaller --zoom";

}  // namespace

int run(const WalkSettings& s) {
    const bool animated = io::extension_of(s.out) == ".gif";
    if (animated) io::check_writable(s.out);
    const models::Seeds seeds = parse_seeds("--seeds", s.seeds);
    const auto count = static_cast<int64_t>(seeds.size()), walks = int64_t{s.grid[0]} * s.grid[1];
    check(count % walks == 0 && count >= 2 * walks,
          "--seeds: expected 2 or more for each of the {} walks of --grid, all as many, got {}", walks,
          count);
    const models::LoadedStyleGenerator model = models::load_style_generator(s.model);
    const io::PictureSize size = picture_size(model);
    const int zoom = zoom_of(s.zoom, size);
    const auto [width, height] = io::grid_size(walks, size, s.grid[0], zoom);
    animated ? io::check_gif_size(s.out, width, height)
             : io::check_image_size(s.out + "/frame0000.png", width, height, static_cast<int>(size.channels));
    const int64_t stops = count / walks, frames = stops * s.frames;
    models::SampleOptions sampling = s.sampling;
    sampling.device = s.choose();
    const double kept = double(width) * height * static_cast<double>(size.channels * (animated ? frames : 1));
    require_memory(fmt::format("an animation of {} frames", frames), kProgramMegabytes + 1.2e-6 * kept,
                   kMappedMegabytes, kRemedy);

    const models::StyleSampler sampler(*model.generator, model.growth, sampling);
    const Tensor points = sampler.w(seeds).to(Device::cpu);
    const Tensor path =
        models::closed_walks(points.reshape({stops, walks, points.size(1)}), s.frames, models::Path::lines);
    // The noise of a walk is that of its first seed throughout.
    const models::Seeds noise(seeds.begin(), seeds.begin() + walks);
    if (!animated) io::make_folder(s.out);
    SavedFiles saved;
    std::vector<io::Image> pictures;
    for (int64_t f = 0; f < frames; ++f) {
        const Tensor w = slice(path, 0, f, f + 1).reshape({walks, points.size(1)}).to(sampling.device);
        const Tensor made = sampler.pictures(sampler.styles(w), noise).reshape({walks, size.pixels()});
        io::Image picture = io::sample_grid(made, size, s.grid[0], zoom);
        if (animated)
            pictures.push_back(std::move(picture));
        else
            saved.save(fmt::format("{}/frame{:04}.png", s.out, f),
                       [&](const std::string& to) { io::save_image(to, picture); });
    }
    if (animated) saved.save(s.out, [&](const std::string& to) { io::save_gif(to, pictures, s.delay); });
    saved.require_all_in_place();
    s.say("{} frames of {}x{}: {}", frames, width, height, s.out);
    return 0;
}

}  // namespace lily::stylegan
