// SPDX-License-Identifier: MIT
#include "models/clip/evaluation.h"

#include <algorithm>
#include <cmath>

#include "framework/autograd.h"
#include "framework/ops.h"
#include "models/clip/trainer.h"

namespace lily::models {
namespace {

constexpr int64_t kPiece = 256;

Device device_of(const Clip& model) { return model.parameters().at(0).device(); }

// Ranks of the right ones: how many wrong columns of a row are before its best right one; ties count as
// before.
template <class IsRight>
std::array<double, 3> found(const std::vector<float>& similarity, int64_t rows, int64_t columns,
                            const IsRight& is_right) {
    std::array<double, 3> share = {};
    for (int64_t i = 0; i < rows; ++i) {
        const float* row = similarity.data() + i * columns;
        float best = -2;
        for (int64_t j = 0; j < columns; ++j)
            if (is_right(i, j)) best = std::max(best, row[j]);
        int64_t before = 0;
        for (int64_t j = 0; j < columns; ++j) before += !is_right(i, j) && row[j] >= best;
        for (size_t k = 0; k < share.size(); ++k) share[k] += before < Recall::kAt[k];
    }
    for (double& s : share) s /= static_cast<double>(std::max<int64_t>(1, rows));
    return share;
}

// That at least one of `right` among `all` is in k drawn without replacement.
double chance(int64_t right, int64_t all, int64_t k) {
    double none = 1;
    for (int64_t i = 0; i < std::min(k, all); ++i)
        none *= std::max(0.0, static_cast<double>(all - right - i) / static_cast<double>(all - i));
    return 1 - none;
}

}  // namespace

Tensor embed_pictures(Clip& model, const data::Dataset& set) {
    const NoGrad no_grad;
    std::vector<Tensor> pieces;
    for (int64_t begin = 0; begin < set.count; begin += kPiece) {
        const Tensor pixels = data::to_pixels(set, begin, std::min(begin + kPiece, set.count));
        const Tensor x = normalised_pixels(pixels, model.config.image_size).to(device_of(model));
        pieces.push_back(normalize(model.encode_image(x), 1).to(Device::cpu));
    }
    return cat(pieces, 0);
}

Tensor embed_texts(Clip& model, const Tensor& tokens) {
    const NoGrad no_grad;
    std::vector<Tensor> pieces;
    for (int64_t begin = 0; begin < tokens.size(0); begin += kPiece)
        pieces.push_back(
            normalize(model.encode_text(slice(tokens, 0, begin, begin + kPiece)), 1).to(Device::cpu));
    return cat(pieces, 0);
}

Recall recall(const Tensor& pictures, const Tensor& texts, const std::vector<int64_t>& meaning) {
    const NoGrad no_grad;
    const int64_t n = pictures.size(0), m = texts.size(0);
    check(static_cast<int64_t>(meaning.size()) == n,
          "[recall] expected the text of each of {} pictures, got {}", n, meaning.size());
    const auto right = [&](int64_t picture, int64_t text) {
        return meaning[static_cast<size_t>(picture)] == text;
    };
    const Tensor similarity = matmul(pictures, Transposed::no, texts, Transposed::yes);
    Recall r{.pictures = n, .texts = m};
    r.text_of_picture = found(similarity.to_vector<float>(), n, m, right);
    r.picture_of_text = found(transpose(similarity, 0, 1).to_vector<float>(), m, n,
                              [&](int64_t text, int64_t picture) { return right(picture, text); });
    for (size_t k = 0; k < r.kAt.size(); ++k) {
        r.chance_text[k] = chance(1, m, Recall::kAt[k]);
        for (int64_t text = 0; text < m; ++text)
            r.chance_picture[k] +=
                chance(std::count(meaning.begin(), meaning.end(), text), n, Recall::kAt[k]) /
                static_cast<double>(m);
    }
    return r;
}

Tensor class_features(Clip& model, const ClipTokenizer& tokenizer, const std::vector<std::string>& names,
                      const std::vector<std::string>& templates) {
    const NoGrad no_grad;
    std::vector<std::vector<int64_t>> all;
    for (const std::string& name : names)
        for (const std::string& text : templates)
            all.push_back(
                tokenizer.tokenize(fill_template(text, name), LongText::refuse, model.config.context_length));
    std::vector<const std::vector<int64_t>*> texts;
    for (const std::vector<int64_t>& text : all) texts.push_back(&text);
    const Tensor features = embed_texts(model, stack_tokens(texts));
    return normalize(mean(features.reshape({static_cast<int64_t>(names.size()),
                                            static_cast<int64_t>(templates.size()), -1}),
                          {1}),
                     1);
}

std::vector<int64_t> nearest_class(const Tensor& pictures, const Tensor& classes) {
    const NoGrad no_grad;
    return argmax(matmul(pictures, Transposed::no, classes, Transposed::yes), 1).to_vector<int64_t>();
}

double zero_shot_accuracy(const Tensor& pictures, const Tensor& classes, const std::vector<uint8_t>& labels) {
    const std::vector<int64_t> found = nearest_class(pictures, classes);
    check(found.size() == labels.size(),
          "[zero_shot_accuracy] expected a label of each of {} pictures, got {}", found.size(),
          labels.size());
    int64_t right = 0;
    for (size_t i = 0; i < found.size(); ++i) right += found[i] == labels[i];
    return static_cast<double>(right) / static_cast<double>(found.size());
}

}  // namespace lily::models
