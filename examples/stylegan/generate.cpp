// SPDX-License-Identifier: MIT
// stylegan generate: a picture for each seed, and a sheet of all.
#include <charconv>

#include "examples/common/saved_files.h"
#include "examples/stylegan/commands.h"
#include "examples/stylegan/figure.h"
#include "framework/io/image.h"

namespace lily::stylegan {

models::Seeds parse_seeds(const char* option, const std::string& text) {
    constexpr uint64_t kMost = 1'000'000;
    models::Seeds seeds;
    const char *at = text.data(), *const end = at + text.size();
    const auto number = [&] {
        uint64_t value = 0;
        const auto [stop, error] = std::from_chars(at, end, value);
        check(error == std::errc(), "{} {} is not a list like 0-63 or 3,5,8-11", option, io::in_quotes(text));
        at = stop;
        return value;
    };
    for (;;) {
        const uint64_t first = number();
        uint64_t last = first;
        if (at != end && *at == '-') {
            ++at;
            last = number();
        }
        check(last >= first && last - first < kMost && seeds.size() < kMost,
              "{} {}: expected at most {} seeds, from the first to the last", option, io::in_quotes(text),
              kMost);
        for (uint64_t seed = first; seed <= last; ++seed) seeds.push_back(seed);
        if (at == end) return seeds;
        check(*at++ == ',', "{} {} is not a list like 0-63 or 3,5,8-11", option, io::in_quotes(text));
    }
}

int run(const GenerateSettings& s) {
    const models::Seeds seeds = parse_seeds("--seeds", s.seeds);
    const models::LoadedStyleGenerator model = models::load_style_generator(s.model);
    models::SampleOptions sampling = s.sampling;
    sampling.device = s.choose();
    io::make_folder(s.out);
    const models::StyleSampler sampler(*model.generator, model.growth, sampling);
    const int64_t side = model.growth.resolution;
    const io::PictureSize size = picture_size(model);
    const std::string sheet = s.out + "/sheet.png";
    const auto [width, height] = io::grid_size(static_cast<int64_t>(seeds.size()), size, s.columns, s.zoom);
    io::check_image_size(sheet, width, height, static_cast<int>(size.channels));
    const Tensor pictures = sampler.pictures(seeds).reshape({-1, size.pixels()});
    SavedFiles saved;
    for (size_t i = 0; i < seeds.size() && !s.sheet_only; ++i)
        saved.save(fmt::format("{}/seed{:04}.png", s.out, seeds[i]), [&](const std::string& path) {
            io::save_image(path, io::to_picture(pictures, static_cast<int64_t>(i), size));
        });
    saved.save(sheet, [&](const std::string& path) {
        io::save_image(path, io::sample_grid(pictures, size, s.columns, s.zoom));
    });
    saved.require_all_in_place();
    s.say("{} pictures of {}x{}: {}", seeds.size(), side, side, s.sheet_only ? sheet : s.out);
    return 0;
}

}  // namespace lily::stylegan
