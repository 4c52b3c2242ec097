// SPDX-License-Identifier: MIT
#include "models/stylegan/model_file.h"

#include <algorithm>

#include "framework/io/tensors.h"
#include "framework/train/run.h"

namespace lily::models {
namespace {

constexpr int64_t kMostSize = 1 << 20;  // a file that says more is damaged

struct Field {
    const char* key;
    int64_t StyleGanOptions::*value;
};
constexpr Field kFields[] = {{"resolution", &StyleGanOptions::resolution},
                             {"channels", &StyleGanOptions::channels},
                             {"classes", &StyleGanOptions::classes},
                             {"latent", &StyleGanOptions::latent},
                             {"width", &StyleGanOptions::width},
                             {"mapping_layers", &StyleGanOptions::mapping_layers},
                             {"feature_base", &StyleGanOptions::feature_base},
                             {"feature_max", &StyleGanOptions::feature_max},
                             {"stddev_group", &StyleGanOptions::stddev_group}};

// The sizes that a generator's tensors have. Of each block's maps, the least base that gives them.
StyleGanOptions sizes_of(const StateDict& state) {
    const auto shape = [&](const std::string& name, int64_t rank) {
        const auto found = state.find(name);
        check(found != state.end(), "there is no tensor '{}'", name);
        check(found->second.rank() == rank, "'{}' is {}, expected {} dimensions", name, found->second.shape(),
              rank);
        return found->second.shape();
    };
    const auto count = [&](const char* before, const char* after) {
        int64_t n = 0;
        while (state.contains(fmt::format("{}{}{}", before, n, after))) ++n;
        return n;
    };
    StyleGanOptions o;
    const Shape mapping = shape("mapping.layers.0.weight", 2);
    o.mapping_layers = count("mapping.layers.", ".weight");
    o.width = mapping[0];
    if (state.contains("mapping.classes")) o.classes = shape("mapping.classes", 2)[0];
    o.latent = o.classes > 0 ? mapping[1] / 2 : mapping[1];
    const int64_t blocks = count("blocks.", ".conv1.weight");
    constexpr int64_t kLeastBlocks = 2, kMostBlocks = 9;
    check(blocks >= kLeastBlocks && blocks <= kMostBlocks,
          "there are tensors of {} blocks, expected blocks.0 to blocks.1 (8x8) … blocks.8 (1024x1024)",
          blocks);
    o.resolution = int64_t{2} << blocks;
    o.channels = shape(fmt::format("blocks.{}.to_rgb.weight", blocks - 1), 4)[0];
    std::vector<int64_t> features;
    for (int64_t i = 0; i < blocks; ++i)
        features.push_back(shape(fmt::format("blocks.{}.conv1.weight", i), 4)[0]);
    o.feature_max = features[0];
    o.feature_base = 0;
    for (int64_t i = 0; i < blocks; ++i)
        o.feature_base = std::max(o.feature_base, features[static_cast<size_t>(i)] << (i + 1));
    check_options(o);
    for (int64_t i = 0; i < blocks; ++i)
        check(o.features(i) == features[static_cast<size_t>(i)],
              "the blocks have {} feature maps, expected min(base / 2^(i + 1), most) of some base and most",
              fmt::join(features, ", "));
    return o;
}

LoadedStyleGenerator loaded(const StyleGanOptions& options, Growth growth, const StateDict& state) {
    LoadedStyleGenerator loaded{.generator = std::make_unique<StyleGenerator>(options, nn::skip_init),
                                .growth = growth};
    loaded.generator->load_state_dict(state);
    loaded.generator->requires_grad_(false);
    loaded.generator->eval();
    return loaded;
}

}  // namespace

void put_description(io::Checkpoint& checkpoint, const StyleGanOptions& options) {
    checkpoint.metadata["program"] = kStyleGanProgram;
    for (const Field& field : kFields)
        checkpoint.put_integer(field.key, static_cast<uint64_t>(options.*field.value));
}

StyleGanOptions described_stylegan(const io::Checkpoint& checkpoint) {
    const auto by = checkpoint.metadata.find("program");
    check(by != checkpoint.metadata.end() && by->second == kStyleGanProgram,
          "[checkpoint] it was not made by {}", kStyleGanProgram);
    StyleGanOptions options;
    for (const Field& field : kFields) options.*field.value = checkpoint.size(field.key, kMostSize);
    check_options(options);
    return options;
}

void save_generator(const std::string& path, const StyleGenerator& generator, Growth growth) {
    io::Checkpoint checkpoint;
    checkpoint.put("generator", generator.state_dict());
    put_description(checkpoint, generator.options());
    put_growth(checkpoint, growth);
    io::save_checkpoint(path, checkpoint);
}

void put_growth(io::Checkpoint& checkpoint, Growth growth) {
    checkpoint.put_integer("grown_to", static_cast<uint64_t>(growth.resolution));
    checkpoint.metadata["alpha"] = fmt::format("{}", growth.alpha);
}

LoadedStyleGenerator load_style_generator(const std::string& path) {
    const io::Checkpoint checkpoint = io::load_checkpoint(path);
    const bool averaged = !checkpoint.part_or_empty("average").empty();
    if (averaged) train::Run::require_format(checkpoint, path);
    try {
        const StyleGanOptions options = described_stylegan(checkpoint);
        const std::string part = averaged ? "average.average" : "generator";
        // Before a network of described sizes takes memory.
        checkpoint.require_shape(part + ".mapping.layers.0.weight",
                                 {options.width, options.latent * (options.classes > 0 ? 2 : 1)});
        for (int64_t i = 0; i < options.blocks(); ++i)
            checkpoint.require_shape(fmt::format("{}.blocks.{}.conv1.weight", part, i),
                                     {options.features(i), options.features(i), 3, 3});
        return loaded(options, {checkpoint.size("grown_to", kMostSize), checkpoint.number("alpha")},
                      checkpoint.part(part));
    } catch (const Error& error) {
        fail("{}: {}", io::in_quotes(path), error.what());
    }
}

LoadedStyleGenerator load_style_weights(const std::string& path) {
    const StateDict state = io::load_tensors(path).tensors;
    try {
        const StyleGanOptions options = sizes_of(state);
        return loaded(options, {options.resolution}, state);
    } catch (const Error& error) {
        fail("{}: {}", io::in_quotes(path), error.what());
    }
}

}  // namespace lily::models
