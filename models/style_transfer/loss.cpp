// SPDX-License-Identifier: MIT
#include "models/style_transfer/loss.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include "framework/autograd.h"
#include "framework/ops.h"

namespace lily::models {
namespace {

std::vector<std::string> names_of(const std::vector<LayerWeight>& layers) {
    std::vector<std::string> names;
    for (const LayerWeight& l : layers) names.push_back(l.layer);
    return names;
}

void check_weights(const StyleTransferOptions& options) {
    for (const auto& [what, value] : {std::pair{"content weight", options.content_weight},
                                      {"style weight", options.style_weight},
                                      {"total variation weight", options.tv_weight}})
        check(std::isfinite(value) && value >= 0, "[style_transfer] the {} must not be negative, got {}",
              what, value);
    check(!options.content_layers.empty() && !options.style_layers.empty(),
          "[style_transfer] expected at least one layer each for content and style");
}

// 1 / M: Gram matrices are F Fᵀ / M
double per_position(const Tensor& features) {
    return 1.0 / static_cast<double>(features.size(2) * features.size(3));
}

bool same_picture(const Tensor& a, const Tensor& b) {
    const NoGrad no_grad;
    return a.shape() == b.shape() && sum(abs(a - b)).item<double>() == 0;
}

std::vector<double> normalised_blend(std::vector<double> blend, size_t styles) {
    check(styles > 0, "[style_transfer] expected at least one style picture");
    if (blend.empty()) blend.assign(styles, 1);
    check(blend.size() == styles, "[style_transfer] {} blend weights for {} style pictures", blend.size(),
          styles);
    for (const double weight : blend)
        check(std::isfinite(weight) && weight >= 0,
              "[style_transfer] blend weights must not be negative, got {}", weight);
    const double total = std::accumulate(blend.begin(), blend.end(), 0.0);
    check(total > 0, "[style_transfer] the blend weights are all zero");
    check(std::isfinite(total), "[style_transfer] the blend weights add up to {}", total);
    for (double& weight : blend) weight /= total;
    return blend;
}

}  // namespace

std::vector<std::string> StyleTransferOptions::layers() const {
    std::vector<std::string> names = names_of(content_layers);
    for (const LayerWeight& l : style_layers) names.push_back(l.layer);
    return names;
}

std::vector<LayerWeight> parse_layers(const std::string& text, double default_weight) {
    std::vector<LayerWeight> layers;
    for (size_t begin = 0; begin <= text.size();) {
        const size_t end = std::min(text.find(',', begin), text.size());
        const std::string item = text.substr(begin, end - begin);
        const size_t colon = item.find(':');
        LayerWeight layer{item.substr(0, colon), default_weight};
        check(!layer.layer.empty(), "[style_transfer] an empty layer name in '{}'; write relu1_1,relu2_1:0.5",
              text);
        if (colon != std::string::npos) {
            const char* last = item.data() + item.size();
            const auto [stop, error] = std::from_chars(item.data() + colon + 1, last, layer.weight);
            check(error == std::errc{} && stop == last && std::isfinite(layer.weight) && layer.weight >= 0,
                  "[style_transfer] '{}' is not a layer with a weight; write relu1_1:0.5", item);
        }
        for (const LayerWeight& other : layers)
            check(other.layer != layer.layer, "[style_transfer] layer {} is named twice", layer.layer);
        layers.push_back(layer);
        begin = end + 1;
    }
    return layers;
}

Tensor in_one(const LossTerms& terms) {
    const NoGrad no_grad;
    std::vector<Tensor> parts;
    for (const Tensor* t : {&terms.content, &terms.style, &terms.tv, &terms.total})
        parts.push_back(reshape(*t, {1}));
    return cat(parts, 0);
}

LossValues values_of(const Tensor& losses) {
    const std::vector<double> v = losses.to_vector<double>();
    return {v[0], v[1], v[2], v[3]};
}

StyleTransferLoss::StyleTransferLoss(const Vgg19& network, StyleTransferOptions options,
                                     const Tensor& content, const std::vector<Tensor>& styles,
                                     std::vector<double> blend)
    : network_(&network), options_(std::move(options)), content_(content.detach()) {
    check_weights(options_);
    network_->check_layers(options_.layers());
    blend = normalised_blend(std::move(blend), styles.size());
    const NoGrad no_grad;
    for (size_t i = 0; i < styles.size(); ++i) {
        const auto read = [&](const std::string& layer, const Tensor& f) {
            const Tensor g = gram(f, per_position(f)) * blend[i];
            Tensor& target = style_grams_[layer];
            target = target.defined() ? target + g : g;
        };
        network_->forward(styles[i], names_of(options_.style_layers), read);
    }
    // Memory of other sizes would stay unused beside the content's; that of the same size need not be asked
    // for again.
    const auto has_other_size = [&](const Tensor& style) { return style.shape() != content.shape(); };
    if (std::any_of(styles.begin(), styles.end(), has_other_size)) allocator(content.device()).empty_cache();
}

LossTerms StyleTransferLoss::operator()(const Tensor& x) {
    Activations content = content_features_;
    if (content.empty() && !same_picture(x, content_)) {
        const NoGrad no_grad;
        content = network_->forward(content_, names_of(options_.content_layers));
    }
    const auto add_to = [](Tensor& sum, const Tensor& term) { sum = sum.defined() ? sum + term : term; };
    LossTerms loss;
    const auto read = [&](const std::string& name, const Tensor& f) {
        for (const auto& [layer, weight] : options_.content_layers) {
            if (layer != name) continue;
            // If there is none yet, x is the content picture.
            const Tensor& target = content.try_emplace(layer, f.detach()).first->second;
            const double count =
                options_.content_reduction == ContentReduction::mean ? static_cast<double>(f.numel()) : 1;
            add_to(loss.content, sse_loss(f, target, options_.content_weight * weight * 0.5 / count));
        }
        for (const auto& [layer, weight] : options_.style_layers) {
            if (layer != name) continue;
            const double n = static_cast<double>(f.size(1));
            add_to(loss.style, gram_loss(f, style_grams_.at(layer), per_position(f),
                                         options_.style_weight * weight / (4 * n * n)));
        }
    };
    network_->forward(x, options_.layers(), read);
    content_features_ = std::move(content);
    loss.tv = total_variation(x) * options_.tv_weight;
    loss.total = loss.content + loss.style + loss.tv;
    return loss;
}

}  // namespace lily::models
