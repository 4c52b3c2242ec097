// SPDX-License-Identifier: MIT
#include "models/clip/loss.h"

#include "framework/autograd.h"
#include "framework/ops.h"

namespace lily::models {
namespace {

// -mean over the rows of Σ_j t_ij ln softmax(logits)_ij, t the positives of a row, in equal parts.
Tensor rows_loss(const Tensor& logits, const Tensor& positives) {
    const Tensor targets = positives / sum(positives, {1}, true);
    return -sum(targets * log_softmax(logits, 1)) / static_cast<double>(logits.size(0));
}

}  // namespace

Tensor joint_positives(const std::vector<int64_t>& captions) {
    const auto n = static_cast<int64_t>(captions.size());
    std::vector<float> together;
    together.reserve(captions.size() * captions.size());
    for (const int64_t a : captions)
        for (const int64_t b : captions) together.push_back(a == b ? 1 : 0);
    return from_vector(together, {n, n});
}

Tensor clip_loss(ClipLoss loss, const Tensor& logits, const Tensor& positives) {
    check(logits.rank() == 2 && logits.size(0) == logits.size(1) && positives.shape() == logits.shape(),
          "[clip_loss] expected logits (N,N) and as many positives, got {} and {}", logits.shape(),
          positives.shape());
    if (loss == ClipLoss::sigmoid)  // -ln σ(z) = softplus(-z)
        return sum(softplus(logits * (1.0 - 2.0 * positives))) / static_cast<double>(logits.size(0));
    return (rows_loss(logits, positives) + rows_loss(transpose(logits, 0, 1), transpose(positives, 0, 1))) *
           0.5;
}

double backward_in_pieces(const std::vector<FeaturePiece>& pieces, const LossOfFeatures& loss,
                          const BackwardOptions& options) {
    check(!pieces.empty(), "[backward_in_pieces] expected at least one piece");
    if (pieces.size() == 1) {
        const Tensor value = loss(pieces[0]());
        value.backward(options);
        return value.item<double>();
    }
    // The values alone; all features become leaves, and the loss gives their gradients.
    std::vector<std::vector<Tensor>> values;  // by kind, by piece
    for (const FeaturePiece& piece : pieces) {
        const NoGrad no_grad;
        const std::vector<Tensor> features = piece();
        values.resize(features.size());
        for (size_t k = 0; k < features.size(); ++k) values[k].push_back(features[k]);
    }
    std::vector<Tensor> leaves;
    for (const std::vector<Tensor>& of_kind : values) {
        leaves.push_back(cat(of_kind, 0).detach());
        leaves.back().set_requires_grad(true);
    }
    // What the loss itself has of parameters (a scale, a bias) is reached here too.
    const Tensor value = loss(leaves);
    value.backward();
    int64_t begin = 0;
    for (size_t i = 0; i < pieces.size(); ++i) {
        const std::vector<Tensor> features = pieces[i]();
        std::vector<Tensor> dL_dfeatures;
        const int64_t end = begin + features[0].size(0);
        for (const Tensor& leaf : leaves) dL_dfeatures.push_back(slice(leaf.grad(), 0, begin, end));
        backward(features, dL_dfeatures, i + 1 == pieces.size() ? options : BackwardOptions{});
        begin = end;
    }
    return value.item<double>();
}

}  // namespace lily::models
