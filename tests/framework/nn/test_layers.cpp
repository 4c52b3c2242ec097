// SPDX-License-Identifier: MIT
#include "framework/nn/layers.h"

#include <cmath>

#include "framework/autograd.h"
#include "framework/nn/batch_norm.h"
#include "framework/nn/init.h"
#include "framework/nn/sequential.h"
#include "framework/ops.h"
#include "framework/ops/linear.h"
#include "tests/framework/io/io_test.h"

namespace lily::nn {
namespace {

struct Statistics {
    double low = INFINITY, high = -INFINITY, mean = 0, variance = 0;
};
Statistics statistics(const Tensor& x) {
    Statistics s;
    const std::vector<double> values = x.to_vector<double>();
    const auto n = static_cast<double>(values.size());
    for (const double v : values) {
        s.low = std::min(s.low, v);
        s.high = std::max(s.high, v);
        s.mean += v / n;
    }
    for (const double v : values) s.variance += (v - s.mean) * (v - s.mean) / n;
    return s;
}

// Uniform in [-bound, bound]: nothing outside, close to both ends, the right mean and variance.
void check_uniform(const Tensor& x, double bound) {
    const Statistics s = statistics(x);
    CHECK(s.low >= -bound);
    CHECK(s.high <= bound);
    CHECK(s.low < -0.95 * bound);
    CHECK(s.high > 0.95 * bound);
    CHECK(std::fabs(s.mean) < 0.06 * bound);
    CHECK(s.variance == Approx(bound * bound / 3).epsilon(0.1));
}

TEST_CASE("Layers start uniform in PyTorch's bounds", "[nn][layers]") {
    Generator generator(1);
    const Linear linear_layer(25, 400, generator);
    check_uniform(linear_layer.weight, 0.2);
    check_uniform(linear_layer.bias, 0.2);
    const Conv2d conv(8, 600, {3, 2}, generator, {.groups = 2});
    check_uniform(conv.weight, 1 / std::sqrt(24.0));
    check_uniform(conv.bias, 1 / std::sqrt(24.0));

    Tensor w = zeros({64, 50});
    kaiming_uniform_(w, 0, generator);
    check_uniform(w, std::sqrt(6.0 / 50));
    normal_(w, 3, 0.5, generator);
    CHECK(statistics(w).mean == Approx(3).margin(0.05));
    CHECK(statistics(w).variance == Approx(0.25).epsilon(0.1));
}

TEST_CASE("The same seed gives the same layer; one generator never gives two alike", "[nn][layers]") {
    Generator a(7), b(7);
    const Linear first(5, 4, a), same(5, 4, b), next(5, 4, a);
    CHECK(first.weight.to_vector<float>() == same.weight.to_vector<float>());
    CHECK(first.bias.to_vector<float>() == same.bias.to_vector<float>());
    CHECK(first.weight.to_vector<float>() != next.weight.to_vector<float>());
}

TEST_CASE("Linear and Conv2d apply their op with their weights", "[nn][layers]") {
    Generator generator(2);
    const Tensor x = randn({2, 3, 5}, generator, {.dtype = DType::f64});
    Linear dense(5, 4, generator, Bias::yes, DType::f64);
    CHECK(dense(x).shape() == Shape{2, 3, 4});
    CHECK(dense(x).to_vector<double>() == linear(x, dense.weight, dense.bias).to_vector<double>());
    Linear scaled(5, 4, generator, Bias::yes, DType::f64, {.weight_scale = 0.5});
    CHECK(scaled(x).to_vector<double>() ==
          linear(x, scaled.weight, scaled.bias, {.weight_scale = 0.5}).to_vector<double>());
    CHECK(scaled(x).to_vector<double>() != linear(x, scaled.weight, scaled.bias).to_vector<double>());
    Linear plain(5, 4, generator, Bias::no, DType::f64);
    CHECK_FALSE(plain.bias.defined());
    CHECK(plain.named_parameters().size() == 1);
    CHECK(plain(x * 0.0).to_vector<double>() == std::vector<double>(24, 0));

    const Tensor image = randn({1, 4, 9, 7}, generator, {.dtype = DType::f64});
    Conv2d conv(4, 6, 3, generator, {.stride = {2, 2}, .padding = {1, 1}, .groups = 2}, Bias::yes,
                DType::f64);
    CHECK(conv.weight.shape() == Shape{6, 2, 3, 3});
    CHECK(conv(image).shape() == Shape{1, 6, 5, 4});
    CHECK(conv(image).to_vector<double>() ==
          conv2d(image, conv.weight, conv.bias, conv.options).to_vector<double>());
    CHECK(io::error_of([&] { Conv2d bad(3, 4, 3, generator, {.groups = 2}); }) ==
          "[Conv2d] expected channels that are multiples of groups = 2, got 3 and 4");
}

TEST_CASE("ConvTranspose2d gives PyTorch's values and gradients", "[nn][layers]") {
    const StateDict golden = io::load_tensors(LILY_SOURCE_DIR "/tests/golden/ops.safetensors").tensors;
    Generator generator(4);
    const auto worst = [&](const std::string& name, const Tensor& got) {
        const std::vector<double> want = golden.at(name).to_vector<double>(),
                                  values = got.to_vector<double>();
        REQUIRE(got.shape() == golden.at(name).shape());
        double most = 0;
        for (size_t i = 0; i < want.size(); ++i) {
            const double d = std::fabs(values[i] - want[i]);
            most = d <= most ? most : (d == d ? d : INFINITY);
        }
        return most;
    };
    const auto compare = [&](const std::string& name, ConvTranspose2dOptions options) {
        INFO(name);
        Tensor x = golden.at(name + "/x").clone().set_requires_grad();
        ConvTranspose2d layer(4, 4, 3, generator, options, Bias::yes, DType::f64);
        layer.load_state_dict({{"weight", golden.at(name + "/w")}, {"bias", golden.at(name + "/b")}});
        const Tensor y = layer(x);
        CHECK(worst(name + "/y", y) < 1e-13);
        const std::vector<Tensor> gradients =
            grad(y, {x, layer.weight, layer.bias}, {.dL_dy = golden.at(name + "/dy")});
        CHECK(worst(name + "/dx", gradients[0]) < 1e-13);
        CHECK(worst(name + "/dw", gradients[1]) < 1e-13);
        CHECK(worst(name + "/db", gradients[2]) < 1e-13);
    };
    compare("conv_transpose2d.plain", {});
    compare("conv_transpose2d.s2p1op1g2",
            {.stride = {2, 2}, .padding = {1, 1}, .output_padding = {1, 1}, .groups = 2});

    const ConvTranspose2d wide(3, 200, {2, 3}, generator);
    CHECK(wide.weight.shape() == Shape{3, 200, 2, 3});
    check_uniform(wide.weight, 1 / std::sqrt(1200.0));
    CHECK(io::error_of([&] {
              ConvTranspose2d bad(1, 1, 3, generator, {.output_padding = {1, 0}});
          }) == "[ConvTranspose2d] expected 0 <= output_padding < stride or dilation, got 1, 1 and 1");
}

TEST_CASE("BatchNorm keeps PyTorch's state; eval uses it", "[nn][layers]") {
    BatchNorm1d layer(2);
    std::vector<std::string> names;
    for (const auto& [name, tensor] : layer.named_parameters()) names.push_back(name);
    for (const auto& [name, tensor] : layer.named_buffers()) names.push_back(name);
    CHECK(names ==
          std::vector<std::string>{"weight", "bias", "running_mean", "running_var", "num_batches_tracked"});
    const Tensor x = from_vector<float>({0, 10, 2, 30}, {2, 2});
    CHECK(layer(x).to_vector()[0] == Approx(-1).epsilon(1e-4));  // (0 - 1) / √(1 + 1e-5)
    CHECK(layer.running_mean.to_vector() == std::vector<float>{0.1f, 2});
    CHECK(layer.running_var.to_vector() == std::vector<float>{0.9f + 0.2f, 0.9f + 20});
    layer(x);
    CHECK(layer.num_batches_tracked.item<int64_t>() == 2);
    layer.eval();
    const auto before = layer.running_mean.to_vector();
    CHECK(layer(x).to_vector() ==
          batch_norm(x, layer.running_mean, layer.running_var, layer.weight, layer.bias).to_vector());
    CHECK(layer.running_mean.to_vector() == before);
    CHECK(layer.num_batches_tracked.item<int64_t>() == 2);

    BatchNorm1d loaded(2);  // goes on counting from what was loaded
    loaded(x);
    StateDict state = layer.state_dict();
    loaded.load_state_dict(state);
    loaded(x);
    CHECK(loaded.num_batches_tracked.item<int64_t>() == 3);

    // Without a momentum: the mean of all batches since the start.
    BatchNorm1d cumulative(2, {.momentum = std::nullopt});
    cumulative(x);
    CHECK(cumulative.running_mean.to_vector() == std::vector<float>{1, 20});
    CHECK(cumulative.running_var.to_vector() == std::vector<float>{2, 200});
    cumulative(x * 4);
    CHECK(cumulative.running_mean.to_vector() == std::vector<float>{2.5f, 50});
    CHECK(cumulative.running_var.to_vector() == std::vector<float>{17, 1700});
    cumulative.reset_running_stats();
    CHECK(cumulative.running_mean.to_vector() == std::vector<float>{0, 0});
    CHECK(cumulative.running_var.to_vector() == std::vector<float>{1, 1});
    cumulative(x);
    CHECK(cumulative.running_mean.to_vector() == std::vector<float>{1, 20});

    BatchNorm2d plain(3, {.affine = false, .track_running_stats = false});
    CHECK(plain.state_dict().empty());
    plain.eval();
    CHECK(sum(abs(mean(plain(arange(24, {.dtype = DType::f32}).reshape({2, 3, 2, 2})), {0, 2, 3}))).item() <
          1e-5f);
    CHECK(io::error_of([&] { plain(x); }) == "[BatchNorm2d] expected (N,C,H,W), got (2,2)");
    CHECK(io::error_of([&] { layer(zeros({2})); }) == "[BatchNorm1d] expected (N,C) or (N,C,L), got (2)");
}

TEST_CASE("Dropout drops while training, Embedding looks rows up", "[nn][layers]") {
    Generator generator(5), same(5);
    Dropout layer(generator, 0.25);
    const Tensor x = ones({100});
    CHECK(layer(x).to_vector() == dropout(x, same, 0.25).to_vector());
    layer.eval();
    CHECK(layer(x).is_same(x));
    CHECK(io::error_of([&] { Dropout bad(generator, -1); }) == "[Dropout] expected p in [0, 1], got -1");

    Embedding table(1000, 8, generator);
    CHECK(statistics(table.weight).variance == Approx(1).epsilon(0.1));
    const Tensor index = from_vector<int64_t>({7, 0}, {2});
    CHECK(table(index).to_vector() == embedding(index, table.weight).to_vector());
}

TEST_CASE("Sequential runs its modules in order", "[nn][layers]") {
    Generator generator(3);
    Sequential net;
    CHECK(net(scalar(5)).item() == 5);
    net.add<Function>([](const Tensor& x) { return x + 1; });
    net.add<Function>([](const Tensor& x) { return x * 10; });
    Linear& last = net.add<Linear>(1, 1, generator);
    last.weight.fill_(1);
    last.bias.fill_(-1);
    CHECK(net.size() == 3);
    CHECK(net(full({1}, 5)).item() == 59);
    CHECK(net.state_dict().contains("2.weight"));
}

}  // namespace
}  // namespace lily::nn
