// SPDX-License-Identifier: MIT
#include "framework/autograd.h"
#include "framework/nn/layers.h"
#include "framework/ops.h"
#include "framework/random.h"
#include "models/clip/loss.h"
#include "tests/catch.h"

namespace lily::models {
namespace {

// The formulas as loops.
double softmax_oracle(const std::vector<double>& z, const std::vector<double>& t, size_t n) {
    double loss = 0;
    for (const bool columns : {false, true})
        for (size_t i = 0; i < n; ++i) {
            const auto at = [&](size_t j) { return columns ? j * n + i : i * n + j; };
            double total = 0, right = 0, sum = 0;
            for (size_t j = 0; j < n; ++j) total += std::exp(z[at(j)]);
            for (size_t j = 0; j < n; ++j) right += t[at(j)];
            for (size_t j = 0; j < n; ++j) sum += t[at(j)] / right * (z[at(j)] - std::log(total));
            loss -= sum / static_cast<double>(n) / 2;
        }
    return loss;
}
double sigmoid_oracle(const std::vector<double>& z, const std::vector<double>& t, size_t n) {
    double loss = 0;
    for (size_t k = 0; k < n * n; ++k) loss += std::log1p(std::exp(t[k] > 0 ? -z[k] : z[k]));
    return loss / static_cast<double>(n);
}

TEST_CASE("CLIP's losses are their formulas, with captions that several pictures share", "[clip]") {
    Generator random(1);
    const Tensor logits = randn({5, 5}, random, {.dtype = DType::f64}) * 3;
    const Tensor positives = joint_positives({7, 3, 7, 0, 7}).to(DType::f64);
    const std::vector<double> z = logits.to_vector<double>(), t = positives.to_vector<double>();
    CHECK(t ==
          std::vector<double>{1, 0, 1, 0, 1, 0, 1, 0, 0, 0, 1, 0, 1, 0, 1, 0, 0, 0, 1, 0, 1, 0, 1, 0, 1});
    CHECK(clip_loss(ClipLoss::softmax, logits, positives).item<double>() == Approx(softmax_oracle(z, t, 5)));
    CHECK(clip_loss(ClipLoss::sigmoid, logits, positives).item<double>() == Approx(sigmoid_oracle(z, t, 5)));
    // Logits that know nothing: ln N.
    CHECK(clip_loss(ClipLoss::softmax, zeros({4, 4}), joint_positives({0, 1, 2, 3})).item<double>() ==
          Approx(std::log(4)));
    CHECK_THROWS_WITH(clip_loss(ClipLoss::softmax, zeros({2, 3}), zeros({2, 3})),
                      "[clip_loss] expected logits (N,N) and as many positives, got (2,3) and (2,3)");
}

TEST_CASE("a batch in pieces has the gradients of the whole", "[clip]") {
    for (const size_t count : {1U, 2U, 3U}) {
        Generator random(2);
        nn::Linear images(6, 4, random, nn::Bias::yes, DType::f64),
            texts(3, 4, random, nn::Bias::yes, DType::f64);
        Tensor scale = full({}, 1.5, {.dtype = DType::f64}).set_requires_grad();
        const Tensor x = randn({12, 6}, random, {.dtype = DType::f64}),
                     y = randn({12, 3}, random, {.dtype = DType::f64});
        const Tensor positives = joint_positives({0, 1, 2, 3, 1, 5, 6, 7, 8, 9, 10, 0}).to(DType::f64);
        const LossOfFeatures loss = [&](const std::vector<Tensor>& f) {
            const Tensor logits =
                matmul(normalize(f[0], 1), transpose(normalize(f[1], 1), 0, 1)) * exp(scale);
            return clip_loss(ClipLoss::softmax, logits, positives);
        };
        const auto gradients = [&] {
            std::vector<double> all;
            for (const Tensor& p : {images.weight, images.bias, texts.weight, texts.bias, scale}) {
                for (const double v : p.grad().to_vector<double>()) all.push_back(v);
                Tensor(p).set_grad({});
            }
            return all;
        };
        const Tensor whole = loss({images.forward(x), texts.forward(y)});
        whole.backward();
        const std::vector<double> expected = gradients();
        std::vector<FeaturePiece> pieces;
        size_t peak = 0, forward_passes = 0;
        for (size_t i = 0; i < count; ++i) {
            const auto begin = static_cast<int64_t>(12 * i / count),
                       end = static_cast<int64_t>(12 * (i + 1) / count);
            pieces.emplace_back([&, begin, end] {
                ++forward_passes;
                peak = std::max(peak, static_cast<size_t>(end - begin));
                return std::vector{images.forward(slice(x, 0, begin, end)),
                                   texts.forward(slice(y, 0, begin, end))};
            });
        }
        size_t ready = 0;
        CHECK(backward_in_pieces(pieces, loss, {.on_gradient_ready = [&](const Tensor&) { ++ready; }}) ==
              Approx(whole.item<double>()).epsilon(1e-14));
        const std::vector<double> got = gradients();
        for (size_t i = 0; i < got.size(); ++i)
            CHECK(got[i] == Approx(expected[i]).epsilon(1e-12).margin(1e-15));
        CHECK(forward_passes == (count == 1 ? 1 : 2 * count));
        CHECK(peak == 12 / count);
        CHECK(ready == (count == 1 ? 5U : 4U));  // in pieces the scale belongs to the loss
    }
}

}  // namespace
}  // namespace lily::models
