// SPDX-License-Identifier: MIT
// What CLIP is trained by: each picture finds its text among all of the batch, and each text its picture.
#pragma once

#include <functional>
#include <vector>

#include "framework/tensor.h"

namespace lily::models {

enum class ClipLoss { softmax, sigmoid };

// captions (N): equal numbers have equal captions, all of which count as right. -> (N,N) f32, 1 for pairs
// that belong together, else 0.
Tensor joint_positives(const std::vector<int64_t>& captions);

// logits (N,N), pictures down, texts across: scaled cosines.
//   softmax  ½ (-mean over the rows of ln p(right) - mean over the columns of the same), p = softmax; where
//            several are right, the mean of their ln p (Radford et al. 2021, figure 3)
//   sigmoid  -mean over the rows of Σ ln σ(± logit), + for what is right (Zhai et al. 2023, algorithm 1)
Tensor clip_loss(ClipLoss loss, const Tensor& logits, const Tensor& positives);

// Backward of a loss of many features, with the graph of one piece of the batch in memory at a time (Gao et
// al. 2021, "gradient caching"): each piece is computed twice, first for its values, then for its graph. The
// gradients are those of the whole batch at once, except for rounding. A piece must give the same features
// both times.
//   pieces[i]()    -> features of that piece, such as {pictures (n,E), texts (n,E)}
//   loss(features) -> rank 0; features[k]: those of all pieces, along dimension 0
// Returns the loss. `options` are for the last pass, which is the last to reach any parameter.
using FeaturePiece = std::function<std::vector<Tensor>()>;
using LossOfFeatures = std::function<Tensor(const std::vector<Tensor>& features)>;
double backward_in_pieces(const std::vector<FeaturePiece>& pieces, const LossOfFeatures& loss,
                          const BackwardOptions& options = {});

}  // namespace lily::models
