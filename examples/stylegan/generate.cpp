// SPDX-License-Identifier: MIT
// stylegan generate: a picture for each seed or given latent, and a sheet of all.
#include <charconv>

#include "examples/common/saved_files.h"
#include "examples/stylegan/commands.h"
#include "examples/stylegan/figure.h"
#include "framework/io/image.h"
#include "framework/io/npy_tensor.h"
#include "framework/ops.h"

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

namespace {

Tensor load_latents(const std::string& path) {
    const Tensor latents = io::load_npy(path);
    check(is_floating(latents.dtype()) && latents.rank() >= 2,
          "{} holds {} {}, expected a row of f32 or f64 per picture", io::in_quotes(path),
          name(latents.dtype()), latents.shape());
    return latents.to(DType::f32);
}

// A style per layer, of which w (N,width) is truncated, or each of (N,layers,width).
std::vector<Tensor> styles_of(const Tensor& latents, const models::Seeds& seeds, Space space,
                              const models::StyleSampler& sampler) {
    if (space == Space::z) return sampler.styles(sampler.w(latents, seeds));
    const models::StyleGanOptions& o = sampler.generator().options();
    const int64_t count = latents.size(0), layers = latents.rank() == 3 ? latents.size(1) : 1;
    check(latents.shape() == Shape{count, o.width} || latents.shape() == Shape{count, o.layers(), o.width},
          "--latents of --space w: expected (N,{}) or (N,{},{}), got {}", o.width, o.layers(), o.width,
          latents.shape());
    const Tensor ws = latents.reshape({count, layers, o.width}).to(sampler.options().device);
    if (layers == 1) return sampler.styles(ws.reshape({count, o.width}));
    std::vector<Tensor> styles;
    for (int64_t i = 0; i < layers; ++i)
        styles.push_back(
            sampler.styles(slice(ws, 1, i, i + 1).reshape({count, o.width}))[static_cast<size_t>(i)]);
    return styles;
}

// Each picture's file and the sheet of all.
void save_folder(const GenerateSettings& s, const Tensor& pictures, const io::PictureSize& size,
                 const std::vector<std::string>& names, SavedFiles& saved) {
    for (size_t i = 0; i < names.size() && !s.sheet_only; ++i)
        saved.save(fmt::format("{}/{}.png", s.out, names[i]), [&](const std::string& path) {
            io::save_image(path, io::to_picture(pictures, static_cast<int64_t>(i), size));
        });
    saved.save(s.out + "/sheet.png", [&](const std::string& path) {
        io::save_image(path, io::sample_grid(pictures, size, s.columns, s.zoom));
    });
}

}  // namespace

int run(const GenerateSettings& s) {
    check(!s.model.empty() || !s.weights.empty(), "name a model with --model, or with --weights");
    check(!s.out.empty() || !s.npy.empty(), "name a folder with --out, or a file with --npy");
    if (!s.npy.empty()) io::check_writable(s.npy);
    const Tensor latents = s.latents.empty() ? Tensor{} : load_latents(s.latents);
    models::Seeds seeds;
    if (latents.defined())  // each row's noise and class are those of the seed of its number
        for (int64_t i = 0; i < latents.size(0); ++i) seeds.push_back(static_cast<uint64_t>(i));
    else
        seeds = parse_seeds("--seeds", s.seeds);
    const models::LoadedStyleGenerator model =
        s.weights.empty() ? models::load_style_generator(s.model) : models::load_style_weights(s.weights);
    models::SampleOptions sampling = s.sampling;
    sampling.device = s.choose();
    const models::StyleSampler sampler(*model.generator, model.growth, sampling);
    const int64_t side = model.growth.resolution;
    const io::PictureSize size = picture_size(model);
    if (!s.out.empty()) {
        io::make_folder(s.out);
        const auto [width, height] =
            io::grid_size(static_cast<int64_t>(seeds.size()), size, s.columns, s.zoom);
        io::check_image_size(s.out + "/sheet.png", width, height, static_cast<int>(size.channels));
    }
    const Tensor pictures = latents.defined()
                                ? sampler.pictures(styles_of(latents, seeds, s.space, sampler), seeds)
                                : sampler.pictures(seeds);
    SavedFiles saved;
    if (!s.npy.empty()) saved.save(s.npy, [&](const std::string& path) { io::save_npy(path, pictures); });
    if (!s.out.empty()) {
        std::vector<std::string> names;
        for (const uint64_t seed : seeds)
            names.push_back(fmt::format("{}{:04}", latents.defined() ? "latent" : "seed", seed));
        save_folder(s, pictures.reshape({-1, size.pixels()}), size, names, saved);
    }
    saved.require_all_in_place();
    s.say("{} pictures of {}x{}: {}", seeds.size(), side, side,
          s.out.empty()  ? s.npy
          : s.sheet_only ? s.out + "/sheet.png"
                         : s.out);
    return 0;
}

}  // namespace lily::stylegan
