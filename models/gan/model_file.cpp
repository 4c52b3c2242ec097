// SPDX-License-Identifier: MIT
#include "models/gan/model_file.h"

#include <charconv>

#include "framework/autograd.h"
#include "framework/ops/cat.h"
#include "framework/ops/slice.h"
#include "framework/train/run.h"

namespace lily::models {
namespace {

constexpr int64_t kPiece = 500;  // samples made at once

std::string text_of(const std::vector<int64_t>& sizes) { return fmt::format("{}", fmt::join(sizes, ",")); }

std::vector<int64_t> sizes_of(const io::Checkpoint& checkpoint, const char* key) {
    const std::string& text = checkpoint.text(key);
    std::vector<int64_t> sizes;
    const char* at = text.data();
    const char* const end = at + text.size();
    while (at != end) {
        int64_t size = 0;
        const auto [stop, error] = std::from_chars(at, end, size);
        const bool good = error == std::errc() && size >= 1 && size <= kMostLayerSize &&
                          (stop == end || (*stop == ',' && stop + 1 != end)) && sizes.size() < kMostLayers;
        check(good, "[checkpoint] '{}' is {}, expected layer sizes", key, io::in_quotes(text));
        sizes.push_back(size);
        at = stop == end ? end : stop + 1;
    }
    return sizes;
}

}  // namespace

void put_description(io::Checkpoint& checkpoint, const GanOptions& o, const io::PictureSize& size) {
    for (const auto* hidden : {&o.g_hidden, &o.d_hidden})
        check(hidden->size() <= kMostLayers, "[checkpoint] expected at most {} hidden layers, got {}",
              kMostLayers, hidden->size());
    checkpoint.metadata["program"] = kGanProgram;
    checkpoint.metadata["g_hidden"] = text_of(o.g_hidden);
    checkpoint.metadata["d_hidden"] = text_of(o.d_hidden);
    checkpoint.metadata["dropout"] = fmt::format("{}", o.dropout);
    const std::pair<const char*, int64_t> numbers[] = {
        {"latent", o.latent},        {"classes", o.classes},  {"batch_norm", o.batch_norm ? 1 : 0},
        {"channels", size.channels}, {"height", size.height}, {"width", size.width}};
    for (const auto& [key, value] : numbers) checkpoint.put_integer(key, static_cast<uint64_t>(value));
}

GanOptions described_options(const io::Checkpoint& checkpoint) {
    const auto by = checkpoint.metadata.find("program");
    check(by != checkpoint.metadata.end() && by->second == kGanProgram, "[checkpoint] it was not made by {}",
          kGanProgram);
    GanOptions options{.pixels = described_size(checkpoint).pixels(),
                       .latent = checkpoint.size("latent", kMostLayerSize),
                       .g_hidden = sizes_of(checkpoint, "g_hidden"),
                       .d_hidden = sizes_of(checkpoint, "d_hidden"),
                       .classes = checkpoint.size("classes", kMostLayerSize),
                       .batch_norm = checkpoint.size("batch_norm", kMostLayerSize) != 0};
    options.dropout = checkpoint.number("dropout");
    return options;
}

io::PictureSize described_size(const io::Checkpoint& checkpoint) {
    const io::PictureSize size{checkpoint.size("channels", kMostLayerSize),
                               checkpoint.size("height", kMostLayerSize),
                               checkpoint.size("width", kMostLayerSize)};
    check((size.channels == 1 || size.channels == 3) && size.height >= 1 && size.width >= 1 &&
              size.height * size.width <= kMostLayerSize,
          "[checkpoint] it is for pictures of {}x{}x{}", size.channels, size.height, size.width);
    return size;
}

void save_generator(const std::string& path, const nn::Module& generator, const GanOptions& options,
                    const io::PictureSize& size) {
    io::Checkpoint checkpoint;
    checkpoint.put("generator", generator.state_dict());
    put_description(checkpoint, options, size);
    io::save_checkpoint(path, checkpoint);
}

void save_generator(const std::string& path, GanTrainer& trainer, const io::PictureSize& size) {
    save_generator(path, trainer.best_generator(), trainer.options(), size);
}

LoadedGenerator load_generator(const std::string& path) {
    const io::Checkpoint checkpoint = io::load_checkpoint(path);
    const bool averaged = !checkpoint.part_or_empty("average").empty();
    if (averaged) train::Run::require_format(checkpoint, path);  // of a run: its average is an optim::Ema
    try {
        LoadedGenerator loaded{.options = described_options(checkpoint),
                               .size = described_size(checkpoint),
                               .generator = nullptr};
        const std::string part = averaged ? "average.average" : "generator";
        const std::vector<Shape> layers = generator_layers(loaded.options);
        for (size_t i = 0; i < layers.size(); ++i)
            checkpoint.require_shape(fmt::format("{}.linear{}.weight", part, i), layers[i]);
        if (loaded.options.classes > 0)
            checkpoint.require_shape(part + ".classes.weight", {loaded.options.classes, kClassNumbers});
        loaded.generator = std::make_unique<GanGenerator>(loaded.options, nn::skip_init);
        loaded.generator->load_state_dict(checkpoint.part(part));
        loaded.generator->requires_grad_(false);
        loaded.generator->eval();
        return loaded;
    } catch (const Error& error) {
        fail("{}: {}", io::in_quotes(path), error.what());
    }
}

Tensor LoadedGenerator::sample(const Tensor& z, const std::vector<int64_t>& labels, Device device) const {
    const NoGrad no_grad;
    generator->to(device);
    const int64_t count = z.size(0);
    check(options.classes == 0 || static_cast<int64_t>(labels.size()) == count,
          "[sample] expected a label per sample, got {} for {}", labels.size(), count);
    const Tensor classes = options.classes > 0 ? from_vector(labels, {count}) : Tensor{};
    std::vector<Tensor> pieces;
    for (int64_t i = 0; i < count; i += kPiece) {
        const Tensor label = classes.defined() ? slice(classes, 0, i, i + kPiece).to(device) : Tensor{};
        pieces.push_back(generator->generate(slice(z, 0, i, i + kPiece).to(device), label).to(Device::cpu));
    }
    return cat(pieces, 0);
}

}  // namespace lily::models
