// SPDX-License-Identifier: MIT
// Two threads run one model forward, under the thread sanitizer: whatever they share has to be made under a
// lock (packed weights, plans, the allocator's lists). tests/CMakeLists.txt lists what is instrumented.
//     threads_inference          exits with 0 if the sanitizer is silent and both threads get the same bits
//     threads_inference --race   both count in one variable instead, which the sanitizer has to report
#include <fmt/core.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "framework/autograd.h"
#include "framework/nn/layers.h"
#include "framework/ops/conv2d_relu.h"
#include "framework/ops/linear.h"
#include "framework/ops/shape.h"

namespace lily {
namespace {

// Convolutions by oneDNN and by Winograd, with and without a pooling inside, and a linear layer.
class Model : public nn::Module {
  public:
    explicit Model(Generator& random)
        : first_(3, 32, 3, random, kPadded),
          second_(32, 32, 3, random, kPadded),
          third_(32, 10, 1, random),
          last_(10, 4, random) {
        register_module("first", first_);
        register_module("second", second_);
        register_module("third", third_);
        register_module("last", last_);
    }
    Tensor forward(const Tensor& x) override {  // (N,3,H,W) -> (N,H/2,W/2,4)
        Tensor h = conv2d_relu(x, first_.weight, first_.bias, kPadded);
        h = conv2d_relu(h, second_.weight, second_.bias, kPadded);
        h = conv2d_relu_max_pool2d(h, second_.weight, second_.bias, kPadded);  // another plan's packing
        h = third_.forward(h).contiguous();
        return last_.forward(permute(h, {0, 2, 3, 1}));
    }

  private:
    static constexpr Conv2dOptions kPadded{.padding = {1, 1}};
    nn::Conv2d first_, second_, third_;
    nn::Linear last_;
};

// Both start at once with a model whose weights nobody has packed yet. True: their results are equal.
bool same_in_both(bool no_grad, bool race) {
    Generator random(7);
    Model model(random);
    std::vector<Tensor> inputs;
    for (const int64_t size : {16, 20}) inputs.push_back(rand({1, 3, size, size}, random));

    std::atomic<int> waiting{2};
    int unguarded = 0;
    std::vector<std::vector<float>> results[2];
    const auto run = [&](int self) {
        --waiting;
        while (waiting > 0) std::this_thread::yield();
        if (race) {
            ++unguarded;
            return;
        }
        for (const Tensor& x : inputs) {
            if (no_grad) {
                const NoGrad none;
                results[self].push_back(model(x).to_vector());
            } else {
                results[self].push_back(model(x).to_vector());
            }
        }
    };
    std::thread other(run, 1);
    run(0);
    other.join();
    return results[0] == results[1];
}

}  // namespace
}  // namespace lily

int main(int argc, char** argv) {
    const bool race = argc > 1 && std::strcmp(argv[1], "--race") == 0;
    constexpr int kRounds = 100;  // in most of them one thread is done before the other begins
    int different = 0;
    for (int round = 0; round < kRounds; ++round) different += !lily::same_in_both(round % 2 == 0, race);
    fmt::print("{} of {} rounds differ\n", different, kRounds);
    return !race && different > 0 ? 1 : 0;
}
