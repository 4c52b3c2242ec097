// SPDX-License-Identifier: MIT
#include "framework/random.h"

#include <utility>

#include "framework/capture.h"
#include "kernels/random/random.h"

namespace lily {
namespace {

kernels::RandomStream stream(GeneratorState state) { return {state.seed, state.counter}; }

// A row-major tensor filled by `kernel`, then brought into the format asked for.
template <class Kernel>
Tensor filled(const char* op, const Shape& shape, Generator& generator, TensorOptions options,
              const Kernel& kernel) {
    TensorOptions row_major = options;
    row_major.format = MemoryFormat::contiguous;
    Tensor y = empty(shape, row_major);
    const kernels::RandomStream from = stream(generator.claim(y.numel()));
    visit_floating(op, y.dtype(), [&](auto zero) {
        using T = decltype(zero);
        kernel(kernels::random<T>(y.device()), from, y.mutable_data<T>(), y);
    });
    return y.to(options.format);
}

}  // namespace

GeneratorState Generator::claim(int64_t n) {
    refuse_in_capture("random", "draw random numbers; a replay would repeat them");
    const GeneratorState before = state_;
    state_.counter += kernels::random_blocks(n);
    return before;
}

uint64_t Generator::next() {
    uint64_t word = 0;
    kernels::random_integers(Device::cpu).words(default_queue(Device::cpu), stream(claim(1)), 1, &word);
    return word;
}

Generator Generator::fork() { return Generator(next()); }

Tensor rand(const Shape& shape, Generator& generator, TensorOptions options) {
    return filled("rand", shape, generator, options,
                  [](const auto& random, auto from, auto* data, const Tensor& y) {
                      random.uniform(y.queue(), from, y.numel(), data);
                  });
}

Tensor randn(const Shape& shape, Generator& generator, TensorOptions options) {
    return filled("randn", shape, generator, options,
                  [](const auto& random, auto from, auto* data, const Tensor& y) {
                      random.normal(y.queue(), from, y.numel(), data);
                  });
}

Tensor randint(int64_t low, int64_t high, const Shape& shape, Generator& generator, TensorOptions options) {
    check(low < high, "[randint] expected low < high, got {} and {}", low, high);
    Tensor y = empty(shape, {.dtype = DType::i64, .device = options.device});
    const uint64_t range = static_cast<uint64_t>(high) - static_cast<uint64_t>(low);
    kernels::random_integers(y.device())
        .integers(y.queue(), stream(generator.claim(y.numel())), y.numel(), low, range,
                  y.mutable_data<int64_t>());
    return y.to(options.dtype).to(options.format);
}

// Fisher and Yates: element i swaps places with one of the elements up to it.
Tensor randperm(int64_t n, Generator& generator) {
    Tensor y = arange(n, {.dtype = DType::i64});
    std::vector<uint64_t> words(static_cast<size_t>(n));
    const kernels::RandomStream from = stream(generator.claim(n));
    kernels::random_integers(Device::cpu).words(y.queue(), from, n, words.data());
    int64_t* order = y.mutable_data<int64_t>();
    for (int64_t i = n - 1; i > 0; --i)
        std::swap(order[i], order[words[static_cast<size_t>(i)] % (static_cast<uint64_t>(i) + 1)]);
    return y;
}

}  // namespace lily
