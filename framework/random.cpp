// SPDX-License-Identifier: MIT
#include "framework/random.h"

#include <numeric>
#include <utility>

#include "framework/capture.h"
#include "kernels/random/random.h"

namespace lily {
namespace {

kernels::RandomStream stream(GeneratorState state) { return {state.seed, state.counter, state.stream}; }
kernels::RandomStream claim(Generator& generator, const Tensor& y) {
    return generator.claim_blocks(y.device(), kernels::random_blocks(y.numel()));
}

// A row-major tensor filled by `kernel`, then brought into the format asked for.
template <class Kernel>
Tensor filled(const char* op, const Shape& shape, Generator& generator, TensorOptions options,
              const Kernel& kernel) {
    TensorOptions row_major = options;
    row_major.format = MemoryFormat::contiguous;
    Tensor y = empty(shape, row_major);
    const kernels::RandomStream from = claim(generator, y);
    visit_floating(op, y.dtype(), [&](auto zero) {
        using T = decltype(zero);
        kernel(kernels::random<T>(y.device()), from, y.mutable_data<T>(), y);
    });
    return y.to(options.format);
}

}  // namespace

GeneratorState Generator::claim(int64_t n) {
    refuse_in_capture("random", "draw random numbers for the host; a replay would repeat them");
    return take(kernels::random_blocks(n));
}

GeneratorState Generator::take(uint64_t blocks) {
    const GeneratorState before = state_;
    state_.counter += blocks;
    return before;
}

kernels::RandomStream Generator::claim_blocks(Device device, uint64_t blocks) {
    require_device_of_capture(device);
    using Numbers = kernels::RandomStream;
    const Numbers* const replayed =
        each_replay<Numbers>(1, [this, blocks](Numbers* to) { *to = stream(take(blocks)); });
    Numbers from = replayed ? Numbers{} : stream(take(blocks));
    from.replayed = replayed;
    return from;
}

uint64_t Generator::next() {
    uint64_t word = 0;
    kernels::random_integers(Device::cpu).words(default_queue(Device::cpu), stream(claim(1)), 1, &word);
    return word;
}

Generator Generator::fork() {
    Generator child;
    child.state_ = {.seed = next(), .counter = 0, .stream = state_.stream};
    return child;
}

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
        .integers(y.queue(), claim(generator, y), y.numel(), low, range, y.mutable_data<int64_t>());
    return y.to(options.dtype).to(options.format);
}

// Fisher and Yates: element i swaps places with one of the elements up to it.
std::vector<int64_t> random_order(int64_t n, GeneratorState from) {
    check(n >= 0, "[random_order] expected n >= 0, got {}", n);
    std::vector<uint64_t> words(static_cast<size_t>(n));
    kernels::random_integers(Device::cpu).words(default_queue(Device::cpu), stream(from), n, words.data());
    std::vector<int64_t> order(words.size());
    std::iota(order.begin(), order.end(), 0);
    for (size_t i = order.size(); i-- > 1;) std::swap(order[i], order[words[i] % (i + 1)]);
    return order;
}

Tensor randperm(int64_t n, Generator& generator) {
    check(n >= 0, "[randperm] expected n >= 0, got {}", n);
    return from_vector(random_order(n, generator.claim(n)), {n});
}

}  // namespace lily
