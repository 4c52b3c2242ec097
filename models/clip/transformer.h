// SPDX-License-Identifier: MIT
// The transformer that both towers of CLIP are made of; parameters are named as in OpenAI's weights.
#pragma once

#include "framework/nn/module_list.h"
#include "models/clip/config.h"
#include "models/clip/weights.h"

namespace lily::models {

// Over the last dimension.
class LayerNorm final : public nn::Module {
  public:
    LayerNorm(int64_t width, double eps, const ClipWeights& weights);
    Tensor forward(const Tensor& x) override;

    Tensor weight, bias;  // (width): 1 and 0 at first

  private:
    const double eps_;
};

// x (…,in) -> (…,out); weight (out,in), normal at first, bias (out), 0 at first
class Projection final : public nn::Module {
  public:
    Projection(int64_t in, int64_t out, double std, const ClipWeights& weights);
    Tensor forward(const Tensor& x) override;

    Tensor weight, bias;
};

// x + attention(ln_1 x), then x + mlp(ln_2 x): both norms come before what they are for.
class ResidualBlock final : public nn::Module {
  public:
    ResidualBlock(const ClipTower& tower, const ClipConfig& config, bool causal, const ClipWeights& weights);

    // What the heads of x (N,T,W) found, before their projection.
    Tensor attend(const Tensor& x);
    // The rest, which looks at one row of x and of `found` at a time: (…,W) -> (…,W).
    Tensor finish(const Tensor& x, const Tensor& found);

  private:
    struct Attention : nn::Module {
        Attention(int64_t width, double std_of_projection, const ClipWeights& weights);
        Tensor in_proj_weight, in_proj_bias;  // (3W,W) and (3W): queries, keys, values
        Projection out_proj;
    };
    struct Mlp : nn::Module {
        Mlp(const ClipTower& tower, double std_of_projection, const ClipWeights& weights);
        Projection c_fc, c_proj;
    };

    const int64_t heads_;
    const bool causal_;
    const ClipActivation activation_;
    Attention attn_;
    LayerNorm ln_1_;
    Mlp mlp_;
    LayerNorm ln_2_;
};

class Transformer final : public nn::Module {
  public:
    Transformer(const ClipTower& tower, const ClipConfig& config, bool causal, const ClipWeights& weights);

    // x (N,T,W) -> (N,T,W)
    Tensor forward(const Tensor& x) override;
    // The rows (n,W) of that at `places` (n), counted through all N·T: as nothing looks at the others, the
    // last block does not finish them.
    Tensor rows_at(const Tensor& x, const Tensor& places);

  private:
    nn::ModuleList<ResidualBlock> resblocks_;
};

}  // namespace lily::models
