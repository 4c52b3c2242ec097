// SPDX-License-Identifier: MIT
// Do the golden values see what others got wrong? A second CLIP, written out with other ops, agrees with
// them, and with any one of these mistakes it does not.
#include "framework/autograd.h"
#include "tests/catch.h"
#include "tests/models/golden_clip.h"

namespace lily::testing {
namespace {

enum class Mistake {
    none,
    gelu,
    epsilon,
    no_causal_mask,
    class_token_last,
    text_read_at_its_begin,
    text_read_behind_its_end,
    end_cut_off,
    dot_of_raw_features,
    no_logit_scale
};

class Twin {
  public:
    Twin(const ClipCase& c, Mistake mistake) : c_(c), mistake_(mistake) {
        models::Clip model(c.config, nn::skip_init);
        name_seeded(model);
        for (const auto& [name, tensor] : model.state_dict()) state_[name] = tensor.clone();
    }

    Tensor images() const {
        const int64_t n = std::ssize(c_.lengths), width = c_.config.vision.width;
        Tensor patches = conv2d(clip_pixels(c_), at("visual.conv1.weight"), {},
                                {.stride = {c_.config.patch_size, c_.config.patch_size}});
        patches = transpose(patches.contiguous().flatten(2), 1, 2);
        const Tensor token = expand(reshape(at("visual.class_embedding"), {1, 1, width}), {n, 1, width});
        const bool last = mistake_ == Mistake::class_token_last;
        Tensor x = last ? cat({patches, token}, 1) : cat({token, patches}, 1);
        x = norm(x + at("visual.positional_embedding"), "visual.ln_pre");
        x = blocks(x, "visual.transformer.", c_.config.vision, false);
        const Tensor row = norm(slice(x, 1, 0, 1), "visual.ln_post");
        return matmul(squeeze(row, 1), at("visual.proj"));
    }

    Tensor texts() const {
        Tensor tokens = clip_tokens(c_);
        const int64_t length = tokens.size(1), end_id = c_.config.vocab_size - 1;
        std::vector<int64_t> ids = tokens.to_vector<int64_t>(), rows;
        for (size_t text = 0; text < c_.lengths.size(); ++text) {
            int64_t end = c_.lengths[text] - 1;
            if (mistake_ == Mistake::end_cut_off)
                ids[text * static_cast<size_t>(length) + static_cast<size_t>(end)] = 0;
            if (mistake_ == Mistake::text_read_at_its_begin) end = 0;
            if (mistake_ == Mistake::text_read_behind_its_end) end = length - 1;
            rows.push_back(static_cast<int64_t>(text) * length + end);
        }
        CHECK(tokens.to_vector<int64_t>()[static_cast<size_t>(length - 1)] == end_id);
        tokens = from_vector(ids, tokens.shape());
        Tensor x = embedding(tokens, at("token_embedding.weight")) + at("positional_embedding");
        x = norm(blocks(x, "transformer.", c_.config.text, mistake_ != Mistake::no_causal_mask), "ln_final");
        const Tensor chosen =
            index_select(reshape(x, {-1, x.size(2)}), 0, from_vector(rows, {std::ssize(rows)}));
        return matmul(chosen, at("text_projection"));
    }

    Tensor logits() const {
        const auto unit = [](const Tensor& x) { return x / sqrt(sum(square(x), {1}, true)); };
        const bool raw = mistake_ == Mistake::dot_of_raw_features;
        const Tensor a = raw ? images() : unit(images()), b = raw ? texts() : unit(texts());
        const Tensor cosines = matmul(a, transpose(b, 0, 1));
        return mistake_ == Mistake::no_logit_scale ? cosines : exp(at("logit_scale")) * cosines;
    }

  private:
    const Tensor& at(const std::string& name) const { return state_.at(name); }
    Tensor norm(const Tensor& x, const std::string& name) const {
        const Tensor centred = x - mean(x, {-1}, true);
        const double eps = mistake_ == Mistake::epsilon ? 1e-7 : c_.config.eps;
        const Tensor deviation = sqrt(mean(square(centred), {-1}, true) + eps);
        return centred / deviation * at(name + ".weight") + at(name + ".bias");
    }
    Tensor layer(const Tensor& x, const std::string& weight, const std::string& bias) const {
        return matmul(x, transpose(at(weight), 0, 1)) + at(bias);
    }
    Tensor blocks(Tensor x, const std::string& tower, const models::ClipTower& sizes, bool causal) const {
        const int64_t n = x.size(0), length = x.size(1), width = sizes.width, depth = width / sizes.heads;
        std::vector<float> mask;
        for (int64_t i = 0; i < length; ++i)
            for (int64_t j = 0; j < length; ++j) mask.push_back(causal && j > i ? -INFINITY : 0.0f);
        for (int64_t i = 0; i < sizes.layers; ++i) {
            const std::string block = fmt::format("{}resblocks.{}.", tower, i);
            const Tensor qkv =
                layer(norm(x, block + "ln_1"), block + "attn.in_proj_weight", block + "attn.in_proj_bias");
            const auto heads = [&](int64_t piece) {
                const Tensor rows = slice(qkv, 2, piece * width, (piece + 1) * width);
                return permute(reshape(rows, {n, length, sizes.heads, depth}), {0, 2, 1, 3});
            };
            const Tensor scores = matmul(heads(0), transpose(heads(1), 2, 3)) / std::sqrt(double(depth));
            const Tensor found = matmul(softmax(scores + from_vector(mask, {length, length}), -1), heads(2));
            x = x + layer(reshape(permute(found, {0, 2, 1, 3}), x.shape()), block + "attn.out_proj.weight",
                          block + "attn.out_proj.bias");
            const Tensor hidden =
                layer(norm(x, block + "ln_2"), block + "mlp.c_fc.weight", block + "mlp.c_fc.bias");
            const Tensor active = mistake_ == Mistake::gelu ? gelu(hidden) : hidden * sigmoid(1.702 * hidden);
            x = x + layer(active, block + "mlp.c_proj.weight", block + "mlp.c_proj.bias");
        }
        return x;
    }

    const ClipCase c_;
    const Mistake mistake_;
    StateDict state_;
};

constexpr double kTolerance = 1e-5;

double error_of_logits(Mistake mistake) {
    return golden_error(Twin(tiny_clip(), mistake).logits(), "tiny/logits");
}
double error_of_images(Mistake mistake) {
    return golden_error(Twin(tiny_clip(), mistake).images(), "tiny/image");
}
double error_of_texts(Mistake mistake) {
    return golden_error(Twin(tiny_clip(), mistake).texts(), "tiny/text");
}

}  // namespace

TEST_CASE("clip: the golden values see each known mistake", "[clip]") {
    const NoGrad no_grad;
    CHECK(error_of_images(Mistake::none) <= kTolerance);
    CHECK(error_of_texts(Mistake::none) <= kTolerance);
    CHECK(error_of_logits(Mistake::none) <= kTolerance);
    for (const Mistake mistake : {Mistake::gelu, Mistake::epsilon, Mistake::class_token_last}) {
        CAPTURE(static_cast<int>(mistake));
        CHECK(error_of_images(mistake) > 10 * kTolerance);
    }
    for (const Mistake mistake :
         {Mistake::gelu, Mistake::epsilon, Mistake::no_causal_mask, Mistake::text_read_at_its_begin,
          Mistake::text_read_behind_its_end, Mistake::end_cut_off}) {
        CAPTURE(static_cast<int>(mistake));
        CHECK(error_of_texts(mistake) > 10 * kTolerance);
    }
    for (const Mistake mistake : {Mistake::dot_of_raw_features, Mistake::no_logit_scale}) {
        CAPTURE(static_cast<int>(mistake));
        CHECK(error_of_logits(mistake) > 10 * kTolerance);
    }
}

}  // namespace lily::testing
