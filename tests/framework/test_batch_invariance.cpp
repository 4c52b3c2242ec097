// SPDX-License-Identifier: MIT
// In inference a row's bits depend neither on the rows beside it nor on the number of threads
// (docs/batch_invariance.md).
#include <algorithm>
#include <cstring>
#include <random>

#include "framework/autograd.h"
#include "framework/ops.h"
#include "kernels/common/parallel.h"
#include "tests/catch.h"

namespace lily::testing {
namespace {

struct RowCase {
    std::string name;
    Shape row;                                       // of x without its first dimension
    std::function<Tensor(const Tensor&)> op;         // (N, row) -> (N, …)
    MemoryFormat format = MemoryFormat::contiguous;  // of x
    std::vector<int64_t> batches{2, 7, 33, 65};
};

Tensor random(const Shape& shape, uint32_t seed, double scale = 1) {
    std::mt19937 engine(seed);
    std::normal_distribution<float> normal;
    std::vector<float> values(static_cast<size_t>(shape.numel()));
    for (float& v : values) v = normal(engine) * static_cast<float>(scale);
    return from_vector(values, shape);
}

class Threads {
  public:
    explicit Threads(int count) { kernels::set_max_threads(count); }
    ~Threads() { kernels::set_max_threads(0); }
};

// The rows `chosen` of x, in this order.
Tensor rows_of(const Tensor& x, const std::vector<int64_t>& chosen) {
    Shape shape = x.shape();
    const int64_t width = x.numel() / shape[0];
    shape[0] = std::ssize(chosen);
    Tensor y = empty(shape);
    for (size_t i = 0; i < chosen.size(); ++i)
        std::copy_n(x.data<float>() + chosen[i] * width, width,
                    y.mutable_data<float>() + static_cast<int64_t>(i) * width);
    return y;
}

// "" or what differs from the rows' results alone.
std::string check_rows(const RowCase& c) {
    constexpr int64_t kRows = 3;
    const NoGrad no_grad;
    Shape shape{kRows};
    for (const int64_t size : c.row) shape.push_back(size);
    const Tensor x = random(shape, 1);
    const auto run = [&](const std::vector<int64_t>& chosen) {
        return c.op(rows_of(x, chosen).to(c.format)).contiguous();
    };
    std::vector<std::vector<float>> alone;
    for (int64_t row = 0; row < kRows; ++row) alone.push_back(run({row}).to_vector());
    std::mt19937 engine(7);
    for (const int threads : {1, 3})
        for (const int64_t batch : c.batches) {
            if (threads > 1 && batch != c.batches.back()) continue;
            const Threads limit(threads);
            std::vector<int64_t> chosen(static_cast<size_t>(batch));
            for (int64_t& row : chosen) row = static_cast<int64_t>(engine() % kRows);
            const Tensor y = run(chosen);
            for (int64_t i = 0; i < batch; ++i) {
                const auto& want = alone[static_cast<size_t>(chosen[static_cast<size_t>(i)])];
                const float* got = y.data<float>() + i * std::ssize(want);
                if (y.numel() != batch * std::ssize(want)) return fmt::format("a result {}", y.shape());
                for (size_t k = 0; k < want.size(); ++k)
                    if (std::memcmp(got + k, &want[k], sizeof(float)) != 0)
                        return fmt::format("row {} of {}, {} threads: element {} is {:.9g}, alone {:.9g}", i,
                                           batch, threads, k, got[k], want[k]);
            }
        }
    return "";
}

using T = const Tensor&;

std::vector<RowCase> products() {
    std::vector<RowCase> cases;
    for (const auto& sizes : {std::pair<int64_t, int64_t>{1, 1},
                              {5, 7},
                              {100, 33},
                              {512, 512},
                              {784, 256},
                              {4096, 40},
                              {4097, 40},
                              {9000, 17},
                              {256, 1}}) {
        const int64_t in = sizes.first, out = sizes.second;
        const Tensor w = random({out, in}, 2), b = random({out}, 3), right = random({in, out}, 4);
        const auto add = [&](const char* op, Shape row, std::function<Tensor(T)> f) {
            cases.push_back({fmt::format("{} of {} to {}", op, in, out), std::move(row), std::move(f)});
        };
        add("linear", {in}, [=](T x) { return linear(x, w, b); });
        add("linear without bias", {in}, [=](T x) { return linear(x, w, {}); });
        add("linear of sequences", {3, in}, [=](T x) { return linear(x, w, b); });
        add("linear_relu", {in}, [=](T x) { return linear_relu(x, w, b); });
        add("linear_leaky_relu", {in}, [=](T x) { return linear_leaky_relu(x, w, b, 0.2); });
        add("linear_tanh", {in}, [=](T x) { return linear_tanh(x, w, b); });
        add("matmul, shared weights", {in}, [=](T x) { return matmul(x, right); });
        add("matmul, shared turned weights", {in},
            [=](T x) { return matmul(x, Transposed::no, w, Transposed::yes); });
        add("matmul of sequences, shared weights", {4, in}, [=](T x) { return matmul(x, right); });
    }
    for (const auto& [m, k] : {std::pair<int64_t, int64_t>{1, 1}, {5, 7}, {50, 64}, {77, 300}}) {
        cases.push_back({fmt::format("products of rows, {}x{}", m, k), {m, k}, [](T x) {
                             return matmul(x, Transposed::no, x, Transposed::yes);
                         }});
        cases.push_back({fmt::format("products of columns, {}x{}", m, k), {m, k}, [](T x) {
                             return matmul(x, Transposed::yes, x, Transposed::no);
                         }});
    }
    return cases;
}

std::vector<RowCase> convolutions() {
    struct Case {
        Shape x, weight;  // x without N
        Conv2dOptions options = {};
    };
    constexpr std::array<int64_t, 2> kOne{1, 1}, kTwo{2, 2};
    const Conv2dOptions padded{.padding = kOne};
    std::vector<RowCase> cases;
    for (const Case& c :
         std::vector<Case>{{{128, 4, 4}, {128, 128, 3, 3}, padded},
                           {{128, 8, 8}, {128, 128, 3, 3}, padded},
                           {{32, 4, 4}, {32, 32, 3, 3}, padded},
                           {{48, 5, 7}, {32, 48, 3, 3}, padded},
                           {{64, 10, 9}, {64, 64, 3, 3}},
                           {{64, 16, 16}, {32, 64, 3, 3}, padded},
                           {{256, 4, 4}, {512, 256, 3, 3}, padded},
                           {{128, 2, 2}, {128, 128, 3, 3}, padded},
                           {{128, 3, 3}, {128, 128, 3, 3}, padded},
                           {{3, 16, 16}, {32, 3, 3, 3}, padded},
                           {{1, 28, 28}, {32, 1, 3, 3}, padded},
                           {{3, 8, 8}, {64, 3, 1, 1}},
                           {{64, 8, 8}, {3, 64, 1, 1}},
                           {{128, 4, 4}, {64, 128, 1, 1}},
                           {{256, 1, 1}, {128, 256, 1, 1}},
                           {{64, 7, 5}, {64, 64, 1, 1}, {.stride = kTwo}},
                           {{16, 8, 8}, {16, 16, 3, 3}, padded},
                           {{64, 9, 9}, {64, 64, 3, 3}, {.stride = kTwo, .padding = kOne}},
                           {{128, 4, 4}, {128, 128, 4, 4}},
                           {{64, 6, 6}, {64, 64, 5, 5}, {.padding = kTwo}},
                           {{20, 6, 6}, {24, 20, 3, 3}, padded},
                           {{5, 7, 6}, {7, 5, 3, 3}, padded},
                           {{3, 32, 32}, {96, 3, 16, 16}, {.stride = {16, 16}}},
                           {{32, 6, 5}, {32, 16, 3, 3}, {.padding = kOne, .groups = 2}},
                           {{32, 6, 5}, {32, 1, 3, 3}, {.padding = kOne, .groups = 32}},
                           {{6, 6, 5}, {12, 1, 3, 3}, {.padding = kOne, .groups = 6}},
                           {{32, 8, 8}, {32, 32, 3, 3}, {.padding = kTwo, .dilation = kTwo}}}) {
        const Tensor w = random(c.weight, 2, 0.2), b = random({c.weight[0]}, 3);
        const auto add = [&](const char* op, std::function<Tensor(T)> f) {
            cases.push_back({fmt::format("{} {} * {}", op, c.x, c.weight),
                             c.x,
                             std::move(f),
                             MemoryFormat::contiguous,
                             {2, 5, 16, 33}});
        };
        const Conv2dOptions o = c.options;
        add("conv2d", [=](T x) { return conv2d(x, w, b, o); });
        add("conv2d_relu", [=](T x) { return conv2d_relu(x, w, {}, o); });
        if (c.x[1] >= 4 && c.weight[2] == 3 && o.stride == kOne)
            add("conv2d_relu_max_pool2d", [=](T x) { return conv2d_relu_max_pool2d(x, w, b, o); });
        if (o.groups > 1 || c.x[0] < 16) continue;
        const Tensor turned = random({c.x[0], c.weight[0], c.weight[2], c.weight[3]}, 5, 0.2);
        add("conv_transpose2d", [=](T x) {
            return conv_transpose2d(x, turned, b,
                                    {.stride = o.stride, .padding = o.padding, .dilation = o.dilation});
        });
    }
    return cases;
}

std::vector<RowCase> elementwise() {
    std::vector<RowCase> cases;
    const std::vector<std::pair<const char*, std::function<Tensor(T)>>> functions{
        {"exp", [](T x) { return exp(x); }},
        {"log", [](T x) { return log(abs(x)); }},
        {"sqrt", [](T x) { return sqrt(abs(x)); }},
        {"sign", [](T x) { return sign(x); }},
        {"square", [](T x) { return square(x); }},
        {"reciprocal", [](T x) { return reciprocal(x); }},
        {"x / 3", [](T x) { return x / 3.0; }},
        {"pow", [](T x) { return pow(abs(x), 1.7); }},
        {"clamp", [](T x) { return clamp(x, -0.5, 0.7); }},
        {"relu", [](T x) { return relu(x); }},
        {"leaky_relu", [](T x) { return leaky_relu(x, 0.2); }},
        {"tanh", [](T x) { return tanh(x); }},
        {"sigmoid", [](T x) { return sigmoid(x); }},
        {"silu", [](T x) { return x * sigmoid(x); }},
        {"softplus", [](T x) { return softplus(x); }},
        {"gelu", [](T x) { return gelu(x); }},
        {"gelu, by tanh", [](T x) { return gelu(x, GeluApproximation::tanh); }},
        {"quick_gelu", [](T x) { return quick_gelu(x); }},
        {"mish", [](T x) { return x * tanh(softplus(x)); }},
        {"affine", [](T x) { return affine(x, 1.1, 0.3); }},
        {"a + b", [](T x) { return x + x; }},
        {"a / b", [](T x) { return exp(x) / (1 + square(x)); }},
        {"maximum", [](T x) { return maximum(x, -x); }},
        {"masked", [](T x) { return masked(x, gt(x, square(x))); }}};
    for (const auto& [name_of, f] : functions)
        for (const int64_t size : {1, 7, 33, 1001})
            cases.push_back({fmt::format("{} of {}", name_of, size), {size}, f});
    return cases;
}

// Of rows of vectors or maps, in every format.
std::vector<RowCase> rooms() {
    std::vector<RowCase> cases;
    for (const int64_t size : {1, 33, 1000, 20000}) {
        const Shape row{size};
        const std::vector<int64_t> few{2, 3, 17};
        const auto add = [&](const char* op, std::function<Tensor(T)> f) {
            cases.push_back(
                {fmt::format("{} of {}", op, size), row, std::move(f), MemoryFormat::contiguous, few});
        };
        add("softmax", [](T x) { return softmax(x, -1); });
        add("log_softmax", [](T x) { return log_softmax(x, -1); });
        add("sum", [](T x) { return sum(x, {1}); });
        add("mean", [](T x) { return mean(x, {1}); });
        add("amax", [](T x) { return amax(x, {1}); });
        const Tensor m = random({size}, 2), v = abs(random({size}, 3)) + 0.1, w = random({size}, 4);
        add("batch_norm", [=](T x) { return batch_norm(x, m, v, w, m, {.training = false}); });
        add("times a row", [=](T x) { return x * w; });
        add("layer_norm", [=](T x) { return layer_norm(x, {size}, w, m); });
        add("normalize", [](T x) { return normalize(x, -1); });
    }
    for (const auto& [length, width, heads] :
         {std::array<int64_t, 3>{1, 8, 1}, {7, 24, 2}, {50, 128, 2}, {77, 80, 4}, {130, 33, 1}})
        for (const bool causal : {false, true})
            cases.push_back(
                {fmt::format("self_attention{} of {}x{}", causal ? ", causal," : "", length, width),
                 {length, 3 * width},
                 [heads = heads, causal](T x) { return self_attention(x, heads, {.causal = causal}); },
                 MemoryFormat::contiguous,
                 {2, 5, 17}});
    for (const Shape& map : {Shape{16, 1, 1}, Shape{16, 3, 5}, Shape{48, 8, 8}, Shape{32, 33, 17}})
        for (const MemoryFormat format : {MemoryFormat::contiguous, MemoryFormat::channels_last,
                                          MemoryFormat::blocked8, MemoryFormat::blocked16}) {
            const auto add = [&](const char* op, std::function<Tensor(T)> f) {
                cases.push_back({fmt::format("{} of {} {}", op, name(format), map),
                                 map,
                                 std::move(f),
                                 format,
                                 {2, 3, 9}});
            };
            const int64_t c = map[0];
            const Tensor m = random({c}, 2), v = abs(random({c}, 3)) + 0.1, w = random({c}, 4);
            const Tensor plane = random({1, 1, map[1], map[2]}, 5), channels = random({1, c, 1, 1}, 6);
            add("softmax over channels", [](T x) { return softmax(x, 1); });
            add("sum of planes", [](T x) { return sum(x, {2, 3}); });
            add("sum of maps", [](T x) { return sum(x, {1, 2, 3}); });
            add("mean over channels", [](T x) { return mean(x, {1}, true); });
            add("amax over rows", [](T x) { return amax(x, {2}); });
            add("batch_norm", [=](T x) { return batch_norm(x, m, v, w, m, {.training = false}); });
            add("instance_norm", [=](T x) { return instance_norm(x, 1e-5); });
            add("adain", [=](T x) {
                const Tensor style = mean(x, {2, 3});
                return adain(x, style, 0.5 * style, 1e-5);
            });
            add("per channel", [=](T x) { return x * channels + channels; });
            add("per position", [=](T x) { return x * plane + plane; });
            add("gram", [](T x) { return gram(x, 0.1); });
            add("bilinear", [](T x) { return interpolate(x, {9, 13}, InterpolateMode::bilinear); });
            add("bicubic, antialias", [](T x) {
                return interpolate(x, {4, 3}, InterpolateMode::bicubic, false, true);
            });
            add("pad", [](T x) { return pad(x, {1, 2, 0, 3}); });
            add("replicate", [](T x) { return pad(x, {1, 2, 0, 3}, PadMode::replicate); });
            add("tanh", [](T x) { return tanh(x); });
            if (map[1] < 2) continue;
            add("max_pool2d", [](T x) { return max_pool2d(x, 2); });
            add("avg_pool2d", [](T x) { return avg_pool2d(x, 3, 2, 1); });
        }
    return cases;
}

std::string failures(const std::vector<RowCase>& cases) {
    std::string all;
    for (const RowCase& c : cases)
        if (const std::string wrong = check_rows(c); !wrong.empty()) all += "\n" + c.name + ": " + wrong;
    return all;
}

}  // namespace

TEST_CASE("a row's bits do not depend on the batch: products") { REQUIRE(failures(products()) == ""); }
TEST_CASE("a row's bits do not depend on the batch: convolutions") {
    REQUIRE(failures(convolutions()) == "");
}
TEST_CASE("a row's bits do not depend on the batch: elementwise") { REQUIRE(failures(elementwise()) == ""); }
TEST_CASE("a row's bits do not depend on the batch: rooms") { REQUIRE(failures(rooms()) == ""); }

}  // namespace lily::testing
