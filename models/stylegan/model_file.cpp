// SPDX-License-Identifier: MIT
#include "models/stylegan/model_file.h"

#include <charconv>

#include "framework/train/run.h"

namespace lily::models {
namespace {

constexpr uint64_t kMostSize = 1 << 20;  // a file that says more is damaged

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

int64_t size_of(const io::Checkpoint& checkpoint, const char* key) {
    const uint64_t value = checkpoint.integer(key);
    check(value <= kMostSize, "[checkpoint] '{}' is {}, expected at most {}", key, value, kMostSize);
    return static_cast<int64_t>(value);
}

double number_of(const io::Checkpoint& checkpoint, const char* key) {
    const std::string& text = checkpoint.text(key);
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    check(error == std::errc() && end == text.data() + text.size(),
          "[checkpoint] '{}' is {}, expected a number", key, io::in_quotes(text));
    return value;
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
    for (const Field& field : kFields) options.*field.value = size_of(checkpoint, field.key);
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
        LoadedStyleGenerator loaded{
            .generator = std::make_unique<StyleGenerator>(options, nn::skip_init),
            .growth = {size_of(checkpoint, "grown_to"), number_of(checkpoint, "alpha")}};
        loaded.generator->load_state_dict(checkpoint.part(part));
        loaded.generator->requires_grad_(false);
        loaded.generator->eval();
        return loaded;
    } catch (const Error& error) {
        fail("{}: {}", io::in_quotes(path), error.what());
    }
}

}  // namespace lily::models
