// SPDX-License-Identifier: MIT
#include "examples/clip/model.h"

#include <filesystem>

#include "framework/autograd.h"
#include "framework/data/picture_folder.h"
#include "framework/io/file.h"
#include "framework/ops.h"
#include "models/clip/captions.h"
#include "models/clip/evaluation.h"
#include "models/clip/preprocess.h"

namespace lily::clip {

using namespace lily::models;
namespace fs = std::filesystem;

std::unique_ptr<Clip> open_model(const ModelSettings& s) {
    check(fs::exists(s.model),
          "there is no {}: make one with clip train --data DIR --out DIR, or convert one with python "
          "tools/convert_clip.py ViT-B-32.pt -o {}",
          io::in_quotes(s.model), s.model);
    std::unique_ptr<Clip> model = load_clip(s.model);
    model->to(s.choose());
    return model;
}

ClipTokenizer open_tokenizer(const std::string& vocabulary, const Clip& model) {
    ClipTokenizer tokenizer = ClipTokenizer::load(vocabulary);
    check(tokenizer.size() == model.config.vocab_size,
          "the model has texts of {} different tokens, {} has {}: give its --vocabulary",
          model.config.vocab_size, io::in_quotes(vocabulary), tokenizer.size());
    return tokenizer;
}

Vectors vectors_of_files(const Machine& machine, Clip& model, const std::vector<std::string>& paths) {
    constexpr size_t kPiece = 32;
    const NoGrad no_grad;
    const auto side = static_cast<int>(model.config.image_size);
    const size_t picture = size_t{3} * static_cast<size_t>(side) * static_cast<size_t>(side);
    const Device device = model.parameters().at(0).device();
    Vectors all;
    std::vector<Tensor> features;
    const bool has_bar = !machine.quiet && paths.size() > kPiece;
    io::ProgressBar bar(static_cast<int64_t>(paths.size()), {.quiet = !has_bar});
    for (size_t begin = 0; begin < paths.size(); begin += kPiece) {
        const size_t end = std::min(begin + kPiece, paths.size());
        std::vector<float> pixels;
        int64_t count = 0;
        for (size_t i = begin; i < end; ++i) {
            try {
                const std::vector<uint8_t> bytes = load_clip_pixels(paths[i], side);
                pixels.resize(pixels.size() + picture);
                clip_normalize(bytes, pixels.data() + pixels.size() - picture);
            } catch (const Error& error) {
                const std::string line = fmt::format("warning: left out: {}", error.what());
                has_bar ? bar.message(line) : machine.say("{}", line);
                continue;
            }
            all.names.push_back(paths[i]);
            ++count;
        }
        if (count > 0) {
            const Tensor x = from_vector(pixels, {count, 3, side, side}).to(device);
            features.push_back(normalize(model.encode_image(x), 1).to(Device::cpu));
        }
        bar.update(static_cast<int64_t>(end), "");
    }
    bar.finish();
    if (!features.empty()) all.features = cat(features, 0);
    return all;
}

Tensor vectors_of_texts(Clip& model, const ClipTokenizer& tokenizer, const std::vector<std::string>& texts) {
    std::vector<std::vector<int64_t>> tokens;
    for (const std::string& text : texts)
        tokens.push_back(tokenizer.tokenize(text, LongText::truncate, model.config.context_length));
    std::vector<const std::vector<int64_t>*> rows;
    for (const auto& row : tokens) rows.push_back(&row);
    return embed_texts(model, stack_tokens(rows));
}

std::vector<std::string> expand_pictures(const std::vector<std::string>& paths) {
    std::vector<std::string> files;
    for (const std::string& path : paths) {
        if (!fs::is_directory(path)) {
            files.push_back(path);
            continue;
        }
        for (std::string& file : data::picture_files(path)) files.push_back(std::move(file));
    }
    check(!files.empty(), "there are no pictures in {}", io::in_quotes(paths.at(0)));
    return files;
}

}  // namespace lily::clip
