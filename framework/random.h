// SPDX-License-Identifier: MIT
#pragma once

#include "framework/tensor.h"

namespace lily {

// A sequence of random numbers: Philox4x32-10 (kernels/random). Its whole state is a seed and how far it has
// come, so a checkpoint holds two numbers, and the same state gives the same bits on any machine.
struct GeneratorState {
    uint64_t seed = 0;
    uint64_t counter = 0;  // blocks of two values used so far
    bool operator==(const GeneratorState&) const = default;
};

class Generator {
  public:
    explicit Generator(uint64_t seed = 0) : state_{seed, 0} {}

    uint64_t seed() const { return state_.seed; }
    GeneratorState state() const { return state_; }
    void set_state(GeneratorState state) { state_ = state; }

    uint64_t next();  // 64 random bits
    Generator
    fork();  // a new sequence, seeded by this one's next value: one per worker, or per part of a model

    // Claims the numbers of a tensor of n elements; returns the state before them.
    GeneratorState claim(int64_t n);
    GeneratorState claim_blocks(uint64_t blocks);  // for ops that cut Philox's blocks in their own way

  private:
    GeneratorState state_;
};

// Element i (in row-major order, whatever the format) depends only on the generator's state and i.
Tensor rand(const Shape& shape, Generator& generator, TensorOptions options = {});   // uniform in [0, 1)
Tensor randn(const Shape& shape, Generator& generator, TensorOptions options = {});  // normal, variance 1
// Whole numbers in [low, high), any dtype; i64 unless asked for otherwise.
Tensor randint(int64_t low, int64_t high, const Shape& shape, Generator& generator,
               TensorOptions options = {.dtype = DType::i64});
Tensor randperm(int64_t n, Generator& generator);  // 0, 1, … n-1 in random order; i64

}  // namespace lily
