// SPDX-License-Identifier: MIT
// A blocked map stays blocked from one convolution to the next: what the ops give, and how often a map is
// reordered.
#include <random>

#include "framework/autograd.h"
#include "framework/ops.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/copy/copy.h"
#include "tests/catch.h"
#include "tests/framework/check_op.h"

namespace lily::testing {
namespace {

Tensor random(const Shape& shape, uint32_t seed) {
    std::mt19937 engine(seed);
    std::normal_distribution<float> normal;
    std::vector<float> values(static_cast<size_t>(shape.numel()));
    for (float& v : values) v = normal(engine);
    return from_vector(values, shape);
}

struct MapCase {
    const char* name;
    std::function<Tensor(const Tensor& x)> op;  // of a map (3,32,5,6)
    MemoryFormat (*wanted)(MemoryFormat) = [](MemoryFormat of_x) { return of_x; };
};

MemoryFormat contiguous(MemoryFormat) { return MemoryFormat::contiguous; }

std::vector<MapCase> map_cases() {
    const Tensor per_channel = random({1, 32, 1, 1}, 2), per_plane = random({3, 32, 1, 1}, 3),
                 noise = random({3, 1, 5, 6}, 4), one_noise = random({1, 1, 5, 6}, 5), row = random({6}, 6),
                 whole = random({3, 32, 5, 6}, 7), style = random({3, 32}, 8), channels = random({32}, 9);
    const auto scalar_of = [](double v) { return scalar(v); };
    return {
        {"x + scalar", [=](const Tensor& x) { return x + scalar_of(0.7); }},
        {"scalar / x", [=](const Tensor& x) { return scalar_of(0.7) / (square(x) + 1); }},
        {"x per channel", [=](const Tensor& x) { return x * per_channel; }},
        {"per channel - x", [=](const Tensor& x) { return per_channel - x; }},
        {"x per plane", [=](const Tensor& x) { return x * per_plane + per_plane; }},
        {"x + noise", [=](const Tensor& x) { return x + noise * 0.1; }},
        {"x + one noise", [=](const Tensor& x) { return maximum(x, one_noise); }},
        {"x + noise per channel", [=](const Tensor& x) { return x + noise * per_channel; }},
        {"a row", [=](const Tensor& x) { return row * x; }},
        {"x + a contiguous map", [=](const Tensor& x) { return x + whole; }},
        {"a contiguous map / x", [=](const Tensor& x) { return whole / (square(x) + 1); }},
        {"x times its mean",
         [](const Tensor& x) {
             return x * mean(x, {2, 3}, true);
         }},
        {"x times its rows", [](const Tensor& x) { return x * sum(x, {3}, true); }},
        {"x times its sum over channels", [](const Tensor& x) { return x * mean(x, {1}, true); }},
        {"x times its sum over pictures", [](const Tensor& x) { return x * sum(x, {0}, true); }},
        {"sum of planes",
         [](const Tensor& x) {
             return sum(x, {2, 3}, true);
         },
         contiguous},
        {"sum of rows", [](const Tensor& x) { return sum(x, {2}, true); }},
        {"sum over channels", [](const Tensor& x) { return sum(x, {1}, true); }, contiguous},
        {"leaky_relu", [](const Tensor& x) { return leaky_relu(x, 0.2); }},
        {"instance_norm", [](const Tensor& x) { return instance_norm(x); }},
        {"adain", [=](const Tensor& x) { return adain(x, style, style * 0.5); }},
        {"batch_norm",
         [=](const Tensor& x) { return batch_norm(x, {}, {}, channels, channels, {.training = true}); }},
        {"batch_norm with given statistics",
         [=](const Tensor& x) { return batch_norm(x, channels, square(channels) + 0.1, {}, {}); }},
        {"bilinear",
         [](const Tensor& x) {
             return interpolate(x, {10, 9});
         }},
        {"bicubic",
         [](const Tensor& x) {
             return interpolate(x, {3, 4}, InterpolateMode::bicubic);
         }},
        {"upsample_nearest2d",
         [](const Tensor& x) {
             return upsample_nearest2d(x, {2, 2});
         }},
        {"blur", [](const Tensor& x) { return blur(x); }},
        {"pad",
         [](const Tensor& x) {
             return pad(x, {1, 2, 0, 3});
         }},
        {"pad of channels in blocks",
         [](const Tensor& x) {
             return pad(x, {0, 1, 0, 0, 16, 16});
         }},
        {"crop",
         [](const Tensor& x) {
             return pad(x, {-1, 0, -2, 1});
         }},
        {"reflect",
         [](const Tensor& x) {
             return pad(x, {1, 2, 3, 0}, PadMode::reflect);
         }},
        {"slice of channels in blocks", [](const Tensor& x) { return slice(x, 1, 16, 32); }},
        {"slice of pictures and rows", [](const Tensor& x) { return slice(slice(x, 0, 1, 3), 2, 0, 5, 2); }},
        {"cat of channels",
         [](const Tensor& x) {
             return cat({x, x * 2, x}, 1);
         }},
        {"cat of rows",
         [](const Tensor& x) {
             return cat({x, square(x)}, 2);
         }},
        {"max_pool2d", [](const Tensor& x) { return max_pool2d(x, 2); }},
        {"avg_pool2d", [](const Tensor& x) { return avg_pool2d(x, 2); }},
        {"slice of channels across blocks", [](const Tensor& x) { return slice(x, 1, 3, 32); }, contiguous},
        {"cat with a contiguous map",
         [=](const Tensor& x) {
             return cat({x, whole}, 1);
         },
         contiguous},
    };
}

int64_t reorders_of(const std::function<void()>& run) {
    const int64_t before = kernels::cpu_reorders();
    run();
    return kernels::cpu_reorders() - before;
}

// y, dx and d|dx|²/dx of Σ y² for x in a format, x's gradients in the order of its elements.
struct Results {
    Tensor y, dx, ddx;
    int64_t reorders = 0;
};
Results run_case(const MapCase& c, const Tensor& x) {
    const Tensor leaf = x.clone().set_requires_grad();
    Results r;
    r.reorders = reorders_of([&] {
        r.y = c.op(leaf);
        r.dx = grad(sum(square(r.y)), {leaf}, {.create_graph = true})[0];
        r.ddx = grad(sum(square(r.dx)), {leaf})[0];
    });
    return r;
}

}  // namespace

TEST_CASE("blocked maps stay blocked: results, gradients and their gradients") {
    const Tensor x = random({3, 32, 5, 6}, 1);
    for (const MapCase& c : map_cases())
        for (const MemoryFormat format : {MemoryFormat::blocked8, MemoryFormat::blocked16}) {
            INFO(c.name << ", " << name(format));
            const Results want = run_case(c, x), got = run_case(c, x.to(format));
            CHECK(difference(got.y, want.y, 2e-6) == "");
            CHECK(difference(got.dx, want.dx, 1e-5) == "");
            CHECK(difference(got.ddx, want.ddx, 2e-5) == "");
            CHECK(name(got.y.format()) == name(c.wanted(format)));
            if (c.wanted == contiguous && got.y.numel() > 96 * 6) continue;  // such a map is reordered
            CHECK(name(got.dx.format()) == name(format));
            CHECK(name(got.ddx.format()) == name(format));
            CHECK(got.reorders == 0);
        }
}

TEST_CASE("a map of one position or one channel is in every format at once") {
    const Tensor x = random({2, 16, 1, 1}, 1);
    CHECK(reorders_of([&] {
              const Tensor y = x.to(MemoryFormat::blocked16);
              CHECK(y.format() == MemoryFormat::blocked16);
              CHECK(y.contiguous().to_vector() == x.to_vector());
              random({2, 1, 4, 3}, 2).to(MemoryFormat::channels_last).contiguous();
          }) == 0);
    CHECK(reorders_of([&] { random({2, 16, 2, 1}, 3).to(MemoryFormat::blocked16); }) == 1);
}

// A map with two readers: one gives a contiguous gradient, the other one in the map's format. In either order
// the map's own backward gets it in the map's format, for one reorder more than the reader's own.
TEST_CASE("the sum of a contiguous and a blocked gradient is blocked") {
    const Tensor leaf = random({2, 16, 3, 5}, 1).to(MemoryFormat::blocked16).set_requires_grad();
    for (const bool contiguous_first : {false, true}) {
        MemoryFormat given = MemoryFormat::contiguous;
        const Tensor map = record("map", leaf.detach() * 2, {leaf}, [&](const Backward& g) {
            given = g.dy.format();
            return Gradients{g.dy * 2};
        });
        const auto reader = [&](bool gives_contiguous) {  // the one that is made last runs first
            return record("reader", map.detach() + 0, {map}, [=](const Backward& g) {
                return Gradients{gives_contiguous ? g.dy.contiguous() : g.dy * 3};
            });
        };
        const Tensor first = reader(!contiguous_first), second = reader(contiguous_first);
        const Tensor y = sum(first + second);
        Tensor dx;
        CHECK(reorders_of([&] { dx = grad(y, {leaf})[0]; }) == 2);
        CHECK(name(given) == name(MemoryFormat::blocked16));
        CHECK(dx.to_vector() == std::vector<float>(2 * 16 * 3 * 5, 8));
    }
}

// Two convolutions and what StyleGAN has between them: no map is reordered, in a generator's step or in R1's.
TEST_CASE("no reorder between two convolutions: forward, backward, second order") {
    const int64_t c = 32;
    const auto leaf = [](const Shape& shape, uint32_t seed) {
        return (random(shape, seed) * 0.2).detach().set_requires_grad();
    };
    const Tensor x = leaf({2, 3, 5, 6}, 1), w1 = leaf({c, 3, 3, 3}, 2), w2 = leaf({c, c, 3, 3}, 3),
                 w3 = leaf({c, c, 3, 3}, 4), strength = leaf({1, c, 1, 1}, 5), bias = leaf({1, c, 1, 1}, 6),
                 style = leaf({2, c}, 7), shift = leaf({2, c}, 8), noise = random({2, 1, 10, 12}, 9);
    const Conv2dOptions padded{.padding = {1, 1}};
    const auto network = [&] {
        Tensor h = upsample_nearest2d(conv2d(x, w1, {}, padded), {2, 2});
        h = blur(conv2d(h, w2, {}, padded));
        h = leaky_relu(h + noise * strength + bias, 0.2);
        return conv2d(adain(h, style, shift), w3, {}, padded);
    };
    Tensor y;
    CHECK(reorders_of([&] { y = network(); }) == 0);
    const bool blocked = y.format() != MemoryFormat::contiguous;  // as the machine's vectors allow
    CHECK(blocked == (kernels::conv2d<float>(Device::cpu)
                          .plan({.n = 1, .c = c, .h = 8, .w = 8, .k = c, .r = 3, .s = 3, .padding = {1, 1}},
                                kernels::Conv2dPass::forward)
                          ->y_layout > 1));
    CHECK(reorders_of([&] { sum(square(y)).backward(); }) == 0);
    for (const Tensor& t : {x, w1, w2, w3, strength, bias, style, shift}) CHECK(t.grad().defined());
    CHECK(reorders_of([&] {
              const Tensor dx = grad(sum(network()), {x}, {.create_graph = true})[0];
              sum(square(dx)).backward();
          }) == 0);
}

}  // namespace lily::testing
