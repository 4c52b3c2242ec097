// SPDX-License-Identifier: MIT
// The objective of neural style transfer (Gatys, Ecker & Bethge 2016, equations 1 to 7, and total variation):
//
//   content   E_c = ½ Σ (F - P)², or its mean; F, P: features of the image and of the content picture
//   style     E_l = Σ (G - A)² / (4 N²); G = F Fᵀ/M, A the same of the style; N channels, M positions
//   smooth    TV  = Σ |x[h+1,w] - x[h,w]| + |x[h,w+1] - x[h,w]|
//   total     α Σ w_l E_c + β Σ w_l E_l + λ TV
//
// Dividing each Gram matrix by its own M is the paper's 1/(4 N² M²) where both pictures have one size, and
// right where not.
#pragma once

#include <string>
#include <vector>

#include "models/vgg19/vgg19.h"

namespace lily::models {

struct LayerWeight {
    std::string layer;
    double weight;
};
// "relu1_1:0.5,relu2_1": names with weights; a name without one has `default_weight`.
std::vector<LayerWeight> parse_layers(const std::string& text, double default_weight);

enum class ContentReduction { mean, sum };

struct StyleTransferOptions {
    std::vector<LayerWeight> content_layers = {{"relu4_2", 1}};
    std::vector<LayerWeight> style_layers = {
        {"relu1_1", 0.2}, {"relu2_1", 0.2}, {"relu3_1", 0.2}, {"relu4_1", 0.2}, {"relu5_1", 0.2}};
    double content_weight = 1e3;  // α
    double style_weight = 5e6;    // β
    double tv_weight = 1e-6;      // λ
    ContentReduction content_reduction = ContentReduction::mean;

    std::vector<std::string> layers() const;  // the names of all
};

// The weighted terms of the loss; rank 0.
struct LossTerms {
    Tensor content, style, tv, total;
};
struct LossValues {
    double content = 0, style = 0, tv = 0, total = 0;
};
// The four in one tensor, in that order, and what is in it: read back at once.
Tensor in_one(const LossTerms& terms);
LossValues values_of(const Tensor& losses);

class StyleTransferLoss {
  public:
    // content, styles: pictures (1,3,H,W) as Vgg19's input; styles may have any sizes. `blend`: a weight per
    // style (empty: equal ones); the target is the mean of the styles' Gram matrices with these weights.
    // Targets are computed once: the styles' here, the content's with the first loss, of whose picture they
    // are mostly the features too.
    StyleTransferLoss(const Vgg19& network, StyleTransferOptions options, const Tensor& content,
                      const std::vector<Tensor>& styles, std::vector<double> blend = {});

    LossTerms operator()(const Tensor& x);

    const StyleTransferOptions& options() const { return options_; }

  private:
    const Vgg19* network_;
    StyleTransferOptions options_;
    Tensor content_;
    Activations content_features_;  // empty before the first loss
    std::map<std::string, Tensor> style_grams_;
};

}  // namespace lily::models
