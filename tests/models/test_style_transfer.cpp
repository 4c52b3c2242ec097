// SPDX-License-Identifier: MIT
#include "models/style_transfer/style_transfer.h"

#include <cmath>
#include <numeric>

#include "framework/autograd.h"
#include "framework/ops/reduce.h"
#include "tests/catch.h"
#include "tests/models/golden_vgg19.h"

namespace lily::testing {
namespace {

using namespace models;

const Vgg19& network() {
    static const Vgg19 loaded(kWeights);
    return loaded;
}

StyleTransferLoss golden_loss(StyleTransferOptions options = {}) {
    return {network(), std::move(options), golden_picture("content"), {golden_picture("style")}};
}

void check_row(const LossValues& got, const std::string& key, int64_t row, double tolerance) {
    const auto want = golden().at(key).to_vector<double>();
    const double* w = want.data() + 4 * row;
    INFO(key << ", step " << row);
    CHECK(got.content == Approx(w[0]).epsilon(tolerance));
    CHECK(got.style == Approx(w[1]).epsilon(tolerance));
    CHECK(got.tv == Approx(w[2]).epsilon(tolerance));
    CHECK(got.total == Approx(w[3]).epsilon(tolerance));
}

}  // namespace

TEST_CASE("style transfer: losses and the image's gradient are PyTorch's", "[style_transfer]") {
    if (!have_weights()) SKIP(kNoWeights);
    Tensor x = golden_start().detach().set_requires_grad();
    const LossTerms terms = golden_loss()(x);
    check_row(values_of(in_one(terms)), "losses", 0, 1e-5);
    terms.total.backward();
    const Tensor want = golden_picture("gradient");
    const double error =
        std::sqrt(sum(square(x.grad() - want)).item<double>() / sum(square(want)).item<double>());
    CHECK(error <= 1e-4);
    CHECK(amax(abs(x.grad() - want), {0, 1, 2, 3}).item() <= 1e-4f * amax(abs(want), {0, 1, 2, 3}).item());
}

TEST_CASE("style transfer: the gradient of each term alone is PyTorch's", "[style_transfer]") {
    if (!have_weights()) SKIP(kNoWeights);
    const auto gradient_of = [](const StyleTransferOptions& options, auto term) {
        const Tensor x = golden_start().detach().set_requires_grad();
        const Tensor loss = term(golden_loss(options)(x));
        return grad(loss, {x})[0].to_vector<double>();
    };
    const auto index = golden().at("gradient/index").to_vector<int64_t>();
    const auto check_samples = [&](const std::string& key, const std::vector<double>& gradient) {
        const auto want = golden().at("gradient/" + key).to_vector<double>();
        double largest = 0, error = 0;
        for (size_t i = 0; i < want.size(); ++i) {
            largest = std::max(largest, std::fabs(want[i]));
            const double difference = std::fabs(gradient[static_cast<size_t>(index[i])] - want[i]);
            if (!(difference <= error)) error = difference;
        }
        INFO(key);
        CHECK(error <= 1e-4 * largest);
    };
    check_samples("content_mean",
                  gradient_of({.content_weight = 1}, [](const LossTerms& t) { return t.content; }));
    check_samples("tv", gradient_of({.tv_weight = 1}, [](const LossTerms& t) { return t.tv; }));
    for (const char* layer : {"relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"})
        check_samples(layer, gradient_of({.style_layers = {{layer, 1}}, .style_weight = 1},
                                         [](const LossTerms& t) { return t.style; }));
}

TEST_CASE("style transfer: every weight and layer is the caller's", "[style_transfer]") {
    if (!have_weights()) SKIP(kNoWeights);
    const NoGrad no_grad;
    const Tensor x = golden_start();
    const auto losses = [&](StyleTransferOptions options) {
        return values_of(in_one(golden_loss(std::move(options))(x)));
    };

    const double content_mean = golden().at("content_mean").item<double>(),
                 content_sum = golden().at("content_sum").item<double>();
    const auto style = golden().at("style_layers").to_vector<double>();
    CHECK(losses({.content_weight = 2}).content == Approx(2 * content_mean).epsilon(1e-5));
    CHECK(losses({.content_weight = 1, .content_reduction = ContentReduction::sum}).content ==
          Approx(content_sum).epsilon(1e-5));
    CHECK(losses({.style_layers = {{"relu2_1", 3}, {"relu5_1", 0.5}}, .style_weight = 10}).style ==
          Approx(10 * (3 * style[1] + 0.5 * style[4])).epsilon(1e-4));
    CHECK(losses({.tv_weight = 1}).tv == Approx(golden().at("tv").item<double>()).epsilon(1e-5));

    const auto two = losses({.content_layers = {{"relu1_1", 1}, {"relu4_2", 2}}, .content_weight = 1});
    const auto first = losses({.content_layers = {{"relu1_1", 1}}, .content_weight = 1});
    CHECK(two.content == Approx(first.content + 2 * content_mean).epsilon(1e-5));
    CHECK_THROWS_WITH(losses({.style_weight = -1}),
                      "[style_transfer] the style weight must not be negative, got -1");
}

TEST_CASE("style transfer: a blend of styles has the mean of their Gram matrices as target",
          "[style_transfer]") {
    if (!have_weights()) SKIP(kNoWeights);
    const NoGrad no_grad;
    const Tensor a = golden_picture("style"), b = golden_picture("content"), x = golden_start();
    const auto style = [&](const std::vector<Tensor>& styles, std::vector<double> blend) {
        return values_of(in_one(StyleTransferLoss(network(), {}, b, styles, std::move(blend))(x))).style;
    };
    CHECK(style({a, b}, {1, 0}) == Approx(style({a}, {})).epsilon(1e-6));
    CHECK(style({a, a}, {3, 1}) == Approx(style({a}, {})).epsilon(1e-5));
    CHECK(style({a, b}, {}) < style({a}, {}));  // b is nearly x
    CHECK_THROWS_WITH(style({a, b}, {1}), "[style_transfer] 1 blend weights for 2 style pictures");
    CHECK_THROWS_WITH(style({a, b}, {0, 0}), "[style_transfer] the blend weights are all zero");
    CHECK_THROWS_WITH(style({a, b}, {1e308, 1e308}), "[style_transfer] the blend weights add up to inf");
}

TEST_CASE("style transfer: the first ten Adam losses are PyTorch's", "[style_transfer]") {
    if (!have_weights()) SKIP(kNoWeights);
    StyleTransfer run(golden_loss(), golden_start(), OptimizerKind::adam, 0.01);
    for (int64_t i = 0; i < 10; ++i)
        check_row(run.step(), "adam", i, 1e-4);  // PyTorch's f32 against its f64: 1.3e-6
    CHECK(run.iteration() == 10);
}

// The gradient jumps wherever a ReLU or a pooling window switches. A step that lands beside such a place goes
// on differently for differences in the last bit: PyTorch's f32 runs leave its f64 run by 2e-6 on one machine
// and by 3e-3 on another. So all ten steps are compared in f64, and in f32 those before the first switch.
TEST_CASE("style transfer: the first ten L-BFGS losses are PyTorch's", "[style_transfer]") {
    if (!have_weights()) SKIP(kNoWeights);
    const Vgg19 exact(kWeights, Pooling::max, DType::f64);
    const auto corner = [](const Tensor& picture) {
        return slice(slice(picture, 2, 0, 16), 3, 0, 16).to(DType::f64);
    };
    const StyleTransferOptions options{
        .content_layers = {{"relu3_2", 1}},
        .style_layers = {{"relu1_1", 1.0 / 3}, {"relu2_1", 1.0 / 3}, {"relu3_1", 1.0 / 3}}};
    StyleTransfer run({exact, options, corner(golden_picture("content")), {corner(golden_picture("style"))}},
                      corner(golden_start()), OptimizerKind::lbfgs, 1);
    for (int64_t i = 0; i < 10; ++i) check_row(run.step(), "lbfgs_small", i, 1e-9);
    const auto evaluations = golden().at("lbfgs_small_evaluations").to_vector<int64_t>();
    CHECK(run.state_dict().at("optimizer.func_evals").item<int64_t>() ==
          std::accumulate(evaluations.begin(), evaluations.end(), int64_t{0}));
}

TEST_CASE("style transfer: L-BFGS in f32 follows PyTorch's f64 run", "[style_transfer]") {
    if (!have_weights()) SKIP(kNoWeights);
    StyleTransfer run(golden_loss(), golden_start(), OptimizerKind::lbfgs, 1);
    for (int64_t i = 0; i < 4; ++i) check_row(run.step(), "lbfgs", i, 1e-4);
}

TEST_CASE("style transfer: a resumed run has the bits of an uninterrupted one", "[style_transfer]") {
    if (!have_weights()) SKIP(kNoWeights);
    const auto kind = GENERATE(OptimizerKind::adam, OptimizerKind::lbfgs);
    StyleTransfer whole(golden_loss(), golden_start(), kind, 0.01);
    for (int i = 0; i < 5; ++i) whole.step();
    StyleTransfer first(golden_loss(), golden_start(), kind, 0.01),
        second(golden_loss(), zeros_like(golden_start()), kind, 0.01);
    for (int i = 0; i < 3; ++i) first.step();
    second.load_state_dict(first.state_dict());
    for (int i = 0; i < 2; ++i) second.step();
    CHECK(second.iteration() == 5);
    CHECK(second.image().to_vector() == whole.image().to_vector());
}

TEST_CASE("style transfer: a diverged run keeps the last good picture", "[style_transfer]") {
    if (!have_weights()) SKIP(kNoWeights);
    StyleTransfer run(golden_loss(), golden_start(), OptimizerKind::adam, 1e18);
    const auto before = run.image().to_vector();
    run.step();
    CHECK_THROWS_AS(run.step(), train::Diverged);
    CHECK(run.image().to_vector() == before);
    StyleTransfer once(golden_loss(), golden_start(), OptimizerKind::adam, 1e18);
    once.step();  // nothing looks at the image after a last step
    CHECK_THROWS_AS(once.losses(), train::Diverged);
    CHECK(once.image().to_vector() == before);
}

TEST_CASE("style transfer: a gradient that Adam cannot square is refused", "[style_transfer]") {
    if (!have_weights()) SKIP(kNoWeights);
    StyleTransfer run(golden_loss({.style_weight = 1e30}), golden_start(), OptimizerKind::adam, 0.01);
    const auto before = run.image().to_vector();
    CHECK_THROWS_WITH(run.step(), Catch::Matchers::ContainsSubstring("which Adam cannot square in f32"));
    CHECK(run.image().to_vector() == before);
    StyleTransfer other(golden_loss({.style_weight = 1e30}), golden_start(), OptimizerKind::lbfgs, 0.01);
    const double first = other.step().total;
    CHECK(other.losses().total < first);
}

TEST_CASE("style transfer: a run that no longer moves says so, a resumed one too", "[style_transfer]") {
    if (!have_weights()) SKIP(kNoWeights);
    // x is the content picture, and only the content counts: there is nothing to do.
    const StyleTransferOptions options{.style_weight = 0, .tv_weight = 0};
    for (const OptimizerKind kind : {OptimizerKind::adam, OptimizerKind::lbfgs}) {
        const int64_t noticed = kind == OptimizerKind::adam ? 2 : 3;  // L-BFGS begins afresh once
        for (int64_t resumed_after = 0; resumed_after < noticed; ++resumed_after) {
            const auto begin = [&] {
                return std::make_unique<StyleTransfer>(golden_loss(options), golden_picture("content"), kind,
                                                       0.01);
            };
            auto run = begin();
            for (int64_t i = 0; i < noticed; ++i) {
                CHECK(run->stalled().empty());
                if (i == resumed_after) {
                    const StateDict state = run->state_dict();
                    run = begin();
                    run->load_state_dict(state);
                }
                CHECK(run->step().total == 0);
            }
            CHECK_FALSE(run->stalled().empty());
        }
    }
    StyleTransfer moving(golden_loss(), golden_start(), OptimizerKind::lbfgs, 1);
    StateDict old = moving.state_dict();
    old.erase("progress");
    moving.load_state_dict(old);  // of a checkpoint from before there was one
    for (int i = 0; i < 4; ++i) moving.step();
    CHECK(moving.stalled().empty());
}

TEST_CASE("style transfer: losses() are those that the next step reports", "[style_transfer]") {
    if (!have_weights()) SKIP(kNoWeights);
    StyleTransfer run(golden_loss(), golden_start(), OptimizerKind::adam, 0.01);
    run.step();
    const LossValues now = run.losses(), next = run.step();
    CHECK(now.content == next.content);
    CHECK(now.style == next.style);
    CHECK(now.tv == next.tv);
    CHECK(now.total == next.total);
}

TEST_CASE("style transfer: after the first steps nothing is asked of the operating system",
          "[style_transfer]") {
    if (!have_weights()) SKIP(kNoWeights);
    StyleTransfer run(golden_loss(), golden_start(), OptimizerKind::adam, 0.01);
    run.step();
    run.step();
    const auto before = allocator(Device::cpu).stats();
    run.step();
    CHECK(allocator(Device::cpu).stats().allocations == before.allocations);
    CHECK(allocator(Device::cpu).stats().current_bytes == before.current_bytes);
}

TEST_CASE("style transfer: the loss sees transparent pictures on white", "[style_transfer]") {
    io::Image alpha(2, 1, 1);
    alpha.pixels = {51, 255};
    const Matte matte(alpha);
    const Tensor rgb = from_vector<float>({0.5f, 0.5f, 0, 0.25f, 1, 1}, {1, 3, 1, 2});
    Tensor x = to_network_input(rgb).set_requires_grad();
    const Tensor seen = matte(x);
    const std::vector<float> want = {0.9f, 0.5f, 0.8f, 0.25f, 1, 1},
                             got = from_network_input(seen).to_vector();
    for (size_t i = 0; i < want.size(); ++i) CHECK(std::fabs(got[i] - want[i]) <= 1e-6f);
    sum(seen).backward();
    for (size_t i = 0; i < 6; ++i) CHECK(x.grad().to_vector()[i] == (i % 2 == 0 ? 0.2f : 1.0f));
    CHECK(Matte(io::Image{})(x).to_vector() == x.to_vector());
}

TEST_CASE("layer lists", "[style_transfer]") {
    const auto layers = parse_layers("relu1_1:0.5,conv2_1", 0.2);
    REQUIRE(layers.size() == 2);
    CHECK(layers[0].layer == "relu1_1");
    CHECK(layers[0].weight == 0.5);
    CHECK(layers[1].layer == "conv2_1");
    CHECK(layers[1].weight == 0.2);
    for (const char* bad : {"", ",", "relu1_1,", "relu1_1:", "relu1_1:x", "relu1_1:-1", "relu1_1:nan",
                            "relu1_1,relu1_1", ":2"}) {
        INFO(bad);
        CHECK_THROWS_AS(parse_layers(bad, 1), Error);
    }
}

}  // namespace lily::testing
