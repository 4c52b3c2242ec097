// SPDX-License-Identifier: MIT
#include "framework/random.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <set>

#include "kernels/common/parallel.h"
#include "kernels/random/philox.h"
#include "tests/catch.h"

namespace lily {
namespace {

using kernels::philox4x32;

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

// The largest distance between the values' distribution and `cdf`, times √n: above 1.95 with probability
// 0.001.
double kolmogorov_smirnov(std::vector<double> values, double (*cdf)(double)) {
    std::sort(values.begin(), values.end());
    const auto n = static_cast<double>(values.size());
    double worst = 0;
    for (size_t i = 0; i < values.size(); ++i) {
        const double p = cdf(values[i]), below = static_cast<double>(i) / n;
        worst = std::max({worst, std::fabs(p - below), std::fabs(p - below - 1 / n)});
    }
    return worst * std::sqrt(n);
}

double mean_of(const std::vector<double>& values, double (*f)(double)) {
    double total = 0;
    for (const double v : values) total += f(v);
    return total / static_cast<double>(values.size());
}

}  // namespace

TEST_CASE("Philox4x32-10 gives the published answers", "[random]") {
    using Words = kernels::PhiloxCounter;
    CHECK(philox4x32({0, 0, 0, 0}, {0, 0}) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
    CHECK(philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}) ==
          Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
    CHECK(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
          Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("a tensor's numbers follow from the published words", "[random]") {
    Generator generator(0);
    const auto u = rand({3}, generator, {.dtype = DType::f64}).to_vector<double>();
    CHECK(u[0] == static_cast<double>(0xe169c58d6627e8d5 >> 11) * 0x1p-53);
    CHECK(u[1] == static_cast<double>(0x9b00dbd8bc57ac4c >> 11) * 0x1p-53);
    CHECK(generator.state() == GeneratorState{0, 2});
    generator.set_state({0, 0});
    CHECK(generator.next() == 0xe169c58d6627e8d5);
    generator.set_state({0, 0});
    const auto z = randn({2}, generator, {.dtype = DType::f64}).to_vector<double>();
    const double radius = std::sqrt(-2 * std::log(1 - u[0])), angle = 2 * std::acos(-1.0) * u[1];
    CHECK(z[0] == Approx(radius * std::cos(angle)).epsilon(1e-13));
    CHECK(z[1] == Approx(radius * std::sin(angle)).epsilon(1e-13));
}

TEST_CASE("normals agree with the C library's log, cos and sin", "[random]") {
    Generator uniforms(5), normals(5);
    const auto u = rand({20'000}, uniforms, {.dtype = DType::f64}).to_vector<double>();
    const auto z = randn({20'000}, normals, {.dtype = DType::f64}).to_vector<double>();
    double worst = 0;
    for (size_t i = 0; i < u.size(); i += 2) {
        const double radius = std::sqrt(-2 * std::log1p(-u[i])), angle = 2 * std::acos(-1.0) * u[i + 1];
        worst = std::max({worst, std::fabs(z[i] - radius * std::cos(angle)),
                          std::fabs(z[i + 1] - radius * std::sin(angle))});
    }
    CHECK(worst < 1e-14);
}

TEST_CASE("the same seed gives the same bits: any thread count, any length, any format", "[random]") {
    const int64_t n = 70'001;
    const auto draw = [n](int threads, auto make) {
        kernels::set_max_threads(threads);
        Generator generator(1234567890123);
        const auto values = make(Shape{n}, generator).to_vector();
        kernels::set_max_threads(0);
        return values;
    };
    const auto uniform = [](const Shape& s, Generator& g) { return rand(s, g); };
    const auto normal = [](const Shape& s, Generator& g) { return randn(s, g); };
    CHECK(same_bits(draw(1, uniform), draw(2, uniform)));
    CHECK(same_bits(draw(1, normal), draw(3, normal)));

    Generator a(7), b(7);
    const auto longer = randn({1000}, a).to_vector(), shorter = randn({999}, b).to_vector();
    CHECK(same_bits(std::vector<float>(longer.begin(), longer.end() - 1), shorter));
    CHECK(a.state() == b.state());

    Generator c(7), d(7);
    const Tensor blocked = randn({2, 16, 3, 3}, d, {.format = MemoryFormat::blocked8});
    CHECK(blocked.format() == MemoryFormat::blocked8);
    CHECK(same_bits(randn({2, 16, 3, 3}, c).to_vector(), blocked.to_vector()));
}

TEST_CASE("normals have these bits on every machine", "[random]") {
    Generator generator(42);
    const auto z = randn({4096}, generator, {.dtype = DType::f64}).to_vector<double>();
    uint64_t hash = 14695981039346656037u;  // FNV-1a over the bits
    for (const double v : z) {
        uint64_t bits;
        std::memcpy(&bits, &v, 8);
        hash = (hash ^ bits) * 1099511628211u;
    }
    CHECK(hash == 0x758f28f643a8a75d);
}

TEST_CASE("f32 is f64, rounded", "[random]") {
    Generator a(3), b(3);
    const auto u64 = rand({5000}, a, {.dtype = DType::f64}).to_vector<double>(),
               u32 = rand({5000}, b).to_vector<double>();
    for (size_t i = 0; i < u64.size(); ++i) {
        CHECK(u32[i] <= u64[i]);  // down, so that it stays below 1
        CHECK(u64[i] - u32[i] < 0x1p-24);
    }
    const auto z64 = randn({5001}, a, {.dtype = DType::f64}).to_vector<double>();
    const auto z32 = randn({5001}, b).to_vector();
    for (size_t i = 0; i < z64.size(); ++i) CHECK(z32[i] == static_cast<float>(z64[i]));
}

TEST_CASE("uniform and normal numbers are distributed as they should be", "[random]") {
    for (const uint64_t seed : {0u, 1u, 20240607u}) {
        INFO("seed " << seed);
        Generator generator(seed);
        const auto u = rand({200'000}, generator).to_vector<double>();
        CHECK(*std::min_element(u.begin(), u.end()) >= 0);
        CHECK(*std::max_element(u.begin(), u.end()) < 1);
        CHECK(mean_of(u, [](double v) { return v; }) == Approx(0.5).margin(4 * 0.2887 / 447));
        CHECK(mean_of(u, [](double v) { return (v - 0.5) * (v - 0.5); }) ==
              Approx(1.0 / 12).margin(4 * 0.0745 / 447));
        CHECK(kolmogorov_smirnov(u, [](double v) { return v; }) < 1.95);

        const auto z = randn({200'000}, generator).to_vector<double>();
        CHECK(mean_of(z, [](double v) { return v; }) == Approx(0).margin(4.0 / 447));
        CHECK(mean_of(z, [](double v) { return v * v; }) == Approx(1).margin(4 * 1.4142 / 447));
        CHECK(mean_of(z, [](double v) { return v * v * v; }) == Approx(0).margin(4 * 3.873 / 447));
        CHECK(mean_of(z, [](double v) { return v * v * v * v; }) == Approx(3).margin(4 * 9.8 / 447));
        CHECK(kolmogorov_smirnov(z, [](double v) { return std::erfc(-v / std::sqrt(2.0)) / 2; }) < 1.95);
        double neighbours = 0;  // the two of a pair, and pairs among themselves, are uncorrelated
        for (size_t i = 1; i < z.size(); ++i) neighbours += z[i] * z[i - 1];
        CHECK(std::fabs(neighbours / 200'000) < 4.0 / 447);
    }
}

TEST_CASE("generators: state, forks", "[random]") {
    Generator generator(9);
    rand({11}, generator);
    const GeneratorState saved = generator.state();
    const auto first = randn({10}, generator).to_vector();
    CHECK(first != randn({10}, generator).to_vector());
    Generator restored;
    restored.set_state(saved);
    CHECK(same_bits(randn({10}, restored).to_vector(), first));

    Generator parent(9), twin(9);
    Generator child = parent.fork(), other = parent.fork();
    CHECK(child.seed() != other.seed());
    CHECK(child.seed() == twin.fork().seed());
    CHECK(rand({10}, child).to_vector() != rand({10}, other).to_vector());
    CHECK(Generator(uint64_t{1} << 40).next() != Generator(0).next());  // all 64 bits of the seed count
    Generator far;
    far.set_state({0, uint64_t{1} << 40});  // and of the counter
    CHECK(far.next() != Generator(0).next());
    rand({0}, generator);
    CHECK(rand({0}, generator).numel() == 0);
}

TEST_CASE("no two of seed, purpose and part share numbers", "[random]") {
    const uint64_t seeds[] = {0, 1, 2, 77, 1u << 20, 2u << 20, (1u << 20) + 1, uint64_t{1} << 40};
    constexpr auto kLast = static_cast<uint32_t>(Stream::statistics);
    std::set<uint64_t> words;
    size_t drawn = 0;
    for (const uint64_t seed : seeds)
        for (uint32_t purpose = 0; purpose <= kLast; ++purpose)
            for (const uint32_t part : {0u, 1u, 1u << 20, 0xffffffffu}) {
                Generator generator(seed, static_cast<Stream>(purpose), part);
                // Also where one sequence could run into another: after 2^32 blocks, and at the end.
                for (const uint64_t at : {uint64_t{0}, uint64_t{1} << 20, uint64_t{1} << 32, ~uint64_t{7}}) {
                    GeneratorState state = generator.state();
                    state.counter = at;
                    generator.set_state(state);
                    for (int i = 0; i < 8; ++i, ++drawn) words.insert(generator.next());
                }
            }
    CHECK(words.size() == drawn);  // a chance repetition of 64 bits among 11,264 has probability 4e-12
    CHECK(drawn == 8 * 11 * 4 * 4 * 8);

    CHECK(Generator(5).state() == Generator(5, Stream::general).state());
    Generator parent(5, Stream::weights, 3);
    const Generator child = parent.fork();
    CHECK(child.state().stream == parent.state().stream);
    CHECK(child.seed() != parent.seed());
    // Fisher and Yates with the words of that very stream.
    Generator of_order(5, Stream::order, 2);
    const GeneratorState from = of_order.state();
    CHECK(random_order(100, from) == randperm(100, of_order).to_vector<int64_t>());
    CHECK(random_order(100, from) != random_order(100, Generator(5, Stream::weights, 2).state()));
}

TEST_CASE("randint and randperm", "[random]") {
    Generator generator(4);
    std::vector<double> counts(6);
    for (const int64_t v : randint(-2, 4, {60'000}, generator).to_vector<int64_t>()) {
        REQUIRE(v >= -2);
        REQUIRE(v < 4);
        ++counts[static_cast<size_t>(v + 2)];
    }
    double chi = 0;
    for (const double count : counts) chi += (count - 10'000) * (count - 10'000) / 10'000;
    CHECK(chi < 20.5);  // 5 degrees of freedom, probability 0.001
    const int64_t low = std::numeric_limits<int64_t>::min(), high = std::numeric_limits<int64_t>::max();
    double mean = 0;
    for (const double v : randint(low, high, {10'000}, generator).to_vector<double>()) mean += v / 10'000;
    CHECK(std::fabs(mean) < 4 * 0.5774 / 100 * 9.22e18);
    CHECK(randint(5, 6, {3}, generator, {.dtype = DType::u8}).to_vector<uint8_t>() ==
          std::vector<uint8_t>(3, 5));
    CHECK_THROWS_WITH(randint(3, 3, {1}, generator), "[randint] expected low < high, got 3 and 3");
    CHECK_THROWS_WITH(rand({1}, generator, {.dtype = DType::i64}),
                      "[rand] expected a tensor of f32 or f64, got i64");

    auto order = randperm(1000, generator).to_vector<int64_t>();
    CHECK(order != randperm(1000, generator).to_vector<int64_t>());
    std::sort(order.begin(), order.end());
    for (int64_t i = 0; i < 1000; ++i) CHECK(order[static_cast<size_t>(i)] == i);
    CHECK(randperm(0, generator).numel() == 0);
    std::vector<int> at_front(3);  // every element is first equally often
    for (int i = 0; i < 6000; ++i)
        ++at_front[static_cast<size_t>(randperm(3, generator).to_vector<int64_t>()[0])];
    for (const int count : at_front) CHECK(std::abs(count - 2000) < 4 * 36.5);
}

}  // namespace lily
