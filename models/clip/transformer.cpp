// SPDX-License-Identifier: MIT
#include "models/clip/transformer.h"

#include <cmath>

#include "framework/ops.h"

namespace lily::models {
namespace {

Tensor activated(ClipActivation activation, const Tensor& x) {
    switch (activation) {
        case ClipActivation::quick_gelu:
            return quick_gelu(x);
        case ClipActivation::gelu:
            return gelu(x);
        case ClipActivation::gelu_tanh:
            break;
    }
    return gelu(x, GeluApproximation::tanh);
}

// The standard deviation of the two projections back to x, smaller the more of them are added up.
double projection_std(const ClipTower& tower) {
    return 1 / std::sqrt(static_cast<double>(tower.width) * 2 * static_cast<double>(tower.layers));
}

}  // namespace

LayerNorm::LayerNorm(int64_t width, double eps, const ClipWeights& weights)
    : weight(register_parameter("weight", weights.filled("weight", {width}, 1))),
      bias(register_parameter("bias", weights.filled("bias", {width}, 0))),
      eps_(eps) {}

Tensor LayerNorm::forward(const Tensor& x) { return layer_norm(x, {weight.size(0)}, weight, bias, eps_); }

Projection::Projection(int64_t in, int64_t out, double std, const ClipWeights& weights)
    : weight(register_parameter("weight", weights.normal("weight", {out, in}, std))),
      bias(register_parameter("bias", weights.filled("bias", {out}, 0))) {}

Tensor Projection::forward(const Tensor& x) { return linear(x, weight, bias); }

ResidualBlock::Attention::Attention(int64_t width, double std_of_projection, const ClipWeights& weights)
    : in_proj_weight(register_parameter(
          "in_proj_weight",
          weights.normal("in_proj_weight", {3 * width, width}, 1 / std::sqrt(static_cast<double>(width))))),
      in_proj_bias(register_parameter("in_proj_bias", weights.filled("in_proj_bias", {3 * width}, 0))),
      out_proj(width, width, std_of_projection, weights.in("out_proj")) {
    register_module("out_proj", out_proj);
}

ResidualBlock::Mlp::Mlp(const ClipTower& tower, double std_of_projection, const ClipWeights& weights)
    : c_fc(tower.width, tower.hidden, 1 / std::sqrt(2 * static_cast<double>(tower.width)),
           weights.in("c_fc")),
      c_proj(tower.hidden, tower.width, std_of_projection, weights.in("c_proj")) {
    register_module("c_fc", c_fc);
    register_module("c_proj", c_proj);
}

ResidualBlock::ResidualBlock(const ClipTower& tower, const ClipConfig& config, bool causal,
                             const ClipWeights& weights)
    : heads_(tower.heads),
      causal_(causal),
      activation_(config.activation),
      attn_(tower.width, projection_std(tower), weights.in("attn")),
      ln_1_(tower.width, config.eps, weights.in("ln_1")),
      mlp_(tower, projection_std(tower), weights.in("mlp")),
      ln_2_(tower.width, config.eps, weights.in("ln_2")) {
    register_module("attn", attn_);
    register_module("ln_1", ln_1_);
    register_module("mlp", mlp_);
    register_module("ln_2", ln_2_);
}

Tensor ResidualBlock::attend(const Tensor& x) {
    const Tensor qkv = linear(ln_1_(x), attn_.in_proj_weight, attn_.in_proj_bias);
    return self_attention(qkv, heads_, {.causal = causal_});
}

Tensor ResidualBlock::finish(const Tensor& x, const Tensor& found) {
    const Tensor h = x + attn_.out_proj(found);
    return h + mlp_.c_proj(activated(activation_, mlp_.c_fc(ln_2_(h))));
}

Transformer::Transformer(const ClipTower& tower, const ClipConfig& config, bool causal,
                         const ClipWeights& weights) {
    register_module("resblocks", resblocks_);
    for (int64_t i = 0; i < tower.layers; ++i)
        resblocks_.add(tower, config, causal, weights.in(fmt::format("resblocks.{}", i)));
}

Tensor Transformer::forward(const Tensor& x) {
    Tensor h = x;
    for (ResidualBlock* block : resblocks_) h = block->finish(h, block->attend(h));
    return h;
}

Tensor Transformer::rows_at(const Tensor& x, const Tensor& places) {
    const auto chosen = [&](const Tensor& rows) {
        return index_select(reshape(rows, {-1, rows.size(2)}), 0, places);
    };
    Tensor h = x;
    for (size_t i = 0; i + 1 < resblocks_.size(); ++i) h = resblocks_[i].finish(h, resblocks_[i].attend(h));
    if (resblocks_.size() == 0) return chosen(h);
    ResidualBlock& last = resblocks_[resblocks_.size() - 1];
    return last.finish(chosen(h), chosen(last.attend(h)));
}

}  // namespace lily::models
