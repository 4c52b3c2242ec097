// SPDX-License-Identifier: MIT
#pragma once

#include "framework/tensor.h"

namespace lily {

namespace kernels {
struct RandomStream;
}

// What random numbers are for. Each purpose has sequences of its own for every seed, so that no two purposes
// and no two seeds share numbers: a loader's first shuffle is not the noise that the weights were made of.
enum class Stream : uint32_t {
    general,
    weights,
    order,         // of a data set; part: the epoch
    augmentation,  // of pictures
    noise,         // that a training uses up: inputs, labels, dropout
    new_noise,     // after a run was rolled back; part: the step that failed
    samples,       // that a user asks for
    preview,       // that is the same throughout a training
    monitor,
    evaluation,
    statistics,
};

// A sequence of random numbers: Philox4x32-10 (kernels/random). Its whole state is which sequence it is and
// how far it has come, so a checkpoint holds three numbers, and the same state gives the same bits on any
// machine.
struct GeneratorState {
    uint64_t seed = 0;
    uint64_t counter = 0;  // blocks of two values used so far
    uint64_t stream = 0;   // the purpose, and above it 32 bits of `part`
    bool operator==(const GeneratorState&) const = default;
};

class Generator {
  public:
    explicit Generator(uint64_t seed = 0, Stream stream = Stream::general, uint32_t part = 0)
        : state_{seed, 0, uint64_t{part} << 32 | static_cast<uint32_t>(stream)} {}

    uint64_t seed() const { return state_.seed; }
    GeneratorState state() const { return state_; }
    void set_state(GeneratorState state) { state_ = state; }

    uint64_t next();  // 64 random bits
    // A new sequence for the same purpose, seeded by this one's next value: one per worker, or per part of a
    // model.
    Generator fork();

    // Claims the numbers of a tensor of n elements for the host; returns the state before them.
    GeneratorState claim(int64_t n);
    // Claims blocks of Philox for a kernel on that device. In a captured step each replay claims them anew.
    kernels::RandomStream claim_blocks(Device device, uint64_t blocks);

  private:
    GeneratorState take(uint64_t blocks);

    GeneratorState state_;
};

// Element i (in row-major order, whatever the format) depends only on the generator's state and i.
Tensor rand(const Shape& shape, Generator& generator, TensorOptions options = {});   // uniform in [0, 1)
Tensor randn(const Shape& shape, Generator& generator, TensorOptions options = {});  // normal, variance 1
// Whole numbers in [low, high), any dtype; i64 unless asked for otherwise.
Tensor randint(int64_t low, int64_t high, const Shape& shape, Generator& generator,
               TensorOptions options = {.dtype = DType::i64});
Tensor randperm(int64_t n, Generator& generator);  // 0, 1, … n-1 in random order; i64
// The same numbers without a tensor, for threads that others record or count the memory of. Begins at `from`.
std::vector<int64_t> random_order(int64_t n, GeneratorState from);

}  // namespace lily
