// SPDX-License-Identifier: MIT
#include "models/clip/transformer.h"

#include <cmath>

#include "framework/ops.h"

namespace lily::models {
namespace {

Tensor filled(const Shape& shape, double value, nn::Init init) {
    return init ? full(shape, value) : empty(shape);
}

// A linear layer whose weight is normal and whose bias is 0 at first.
void restart(nn::Linear& layer, double std, nn::Init init) {
    if (!init) return;
    nn::normal_(layer.weight, 0, std, init.generator());
    layer.bias.fill_(0);
}

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

Tensor normal_weight(const Shape& shape, double std, nn::Init init) {
    Tensor weight = empty(shape);
    if (init) nn::normal_(weight, 0, std, init.generator());
    return weight;
}

LayerNorm::LayerNorm(int64_t width, double eps, nn::Init init)
    : weight(register_parameter("weight", filled({width}, 1, init))),
      bias(register_parameter("bias", filled({width}, 0, init))),
      eps_(eps) {}

Tensor LayerNorm::forward(const Tensor& x) { return layer_norm(x, {weight.size(0)}, weight, bias, eps_); }

ResidualBlock::Attention::Attention(int64_t width, double std_of_projection, nn::Init init)
    : in_proj_weight(register_parameter(
          "in_proj_weight",
          normal_weight({3 * width, width}, 1 / std::sqrt(static_cast<double>(width)), init))),
      in_proj_bias(register_parameter("in_proj_bias", filled({3 * width}, 0, init))),
      out_proj(width, width, nn::skip_init) {
    restart(out_proj, std_of_projection, init);
    register_module("out_proj", out_proj);
}

ResidualBlock::Mlp::Mlp(const ClipTower& tower, double std_of_projection, nn::Init init)
    : c_fc(tower.width, tower.hidden, nn::skip_init), c_proj(tower.hidden, tower.width, nn::skip_init) {
    restart(c_fc, 1 / std::sqrt(2 * static_cast<double>(tower.width)), init);
    restart(c_proj, std_of_projection, init);
    register_module("c_fc", c_fc);
    register_module("c_proj", c_proj);
}

ResidualBlock::ResidualBlock(const ClipTower& tower, const ClipConfig& config, bool causal, nn::Init init)
    : heads_(tower.heads),
      causal_(causal),
      activation_(config.activation),
      attn_(tower.width, projection_std(tower), init),
      ln_1_(tower.width, config.eps, init),
      mlp_(tower, projection_std(tower), init),
      ln_2_(tower.width, config.eps, init) {
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

Transformer::Transformer(const ClipTower& tower, const ClipConfig& config, bool causal, nn::Init init) {
    register_module("resblocks", resblocks_);
    for (int64_t i = 0; i < tower.layers; ++i) resblocks_.add(tower, config, causal, init);
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
