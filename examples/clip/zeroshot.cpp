// SPDX-License-Identifier: MIT
// clip zeroshot
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "examples/clip/commands.h"
#include "examples/clip/model.h"
#include "framework/autograd.h"
#include "framework/io/file.h"
#include "framework/ops.h"
#include "models/clip/evaluation.h"

namespace lily::clip {
namespace {

using namespace lily::models;

const std::vector<std::string> kDefaultTemplates = {"a photo of {}"};
// What a picture of none of the labels is like: texts that name nothing.
const std::vector<std::string> kNothing = {"a photo", "a picture of something", "an image of something else"};
const char* const kNoneOfThese = "none of these";

std::string bar_of(double share) {
    constexpr double kWidth = 30;
    std::string bar;
    for (int i = 0; i < static_cast<int>(std::lround(share * kWidth)); ++i) bar += "█";
    return bar;
}

}  // namespace

int run(const ZeroshotSettings& s) {
    const std::unique_ptr<Clip> model = open_model(s);
    const ClipTokenizer tokenizer = open_tokenizer(s.vocabulary, *model);
    const NoGrad no_grad;
    std::vector<std::string> labels = s.labels;
    const std::vector<std::string>& templates = s.templates.empty() ? kDefaultTemplates : s.templates;
    Tensor texts = class_features(*model, tokenizer, labels, templates);
    if (s.none_of_these) {
        const Tensor nothing = mean(vectors_of_texts(*model, tokenizer, kNothing), {0}, true);
        texts = cat({texts, normalize(nothing, 1)}, 0);
        labels.emplace_back(kNoneOfThese);
    }
    const Vectors pictures = vectors_of_files(s, *model, expand_pictures(s.images));
    check(!pictures.names.empty(), "none of the pictures can be read");
    model->to(Device::cpu);
    const Tensor logits = model->logits(pictures.features, texts);
    const std::vector<double> probability = softmax(logits, 1).to(DType::f64).to_vector<double>();
    const std::vector<double> cosine =
        matmul(pictures.features, Transposed::no, texts, Transposed::yes).to(DType::f64).to_vector<double>();

    size_t width = 0;
    for (const std::string& label : labels) width = std::max(width, label.size());
    auto json = nlohmann::ordered_json::array();
    for (size_t i = 0; i < pictures.names.size(); ++i) {
        std::vector<size_t> order(labels.size());
        std::iota(order.begin(), order.end(), 0);
        const double* row = probability.data() + i * labels.size();
        std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return row[a] > row[b]; });
        fmt::print("{}\n", pictures.names[i]);
        nlohmann::ordered_json found = {{"image", pictures.names[i]},
                                        {"labels", nlohmann::ordered_json::array()}};
        for (const size_t j : order) {
            fmt::print("  {:{}}  {:6.2f} %  {}\n", labels[j], width, 100 * row[j], bar_of(row[j]));
            found["labels"].push_back(
                {{"label", labels[j]}, {"probability", row[j]}, {"cosine", cosine[i * labels.size() + j]}});
        }
        json.push_back(std::move(found));
    }
    io::finish_stdout();
    if (!s.json.empty()) io::write_file_atomically(s.json, json.dump(2) + "\n");
    return 0;
}

}  // namespace lily::clip
