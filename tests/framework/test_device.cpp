// SPDX-License-Identifier: MIT
// Tensors, modules and optimisers on the GPUs of this build.
#include "framework/device.h"

#include <unistd.h>

#include <filesystem>

#include "framework/autograd.h"
#include "framework/device_choice.h"
#include "framework/io/tensors.h"
#include "framework/nn/layers.h"
#include "framework/ops.h"
#include "framework/optim/adam.h"
#include "framework/optim/lbfgs.h"
#include "framework/optim/sgd.h"
#include "kernels/common/gpu.h"
#include "tests/catch.h"

namespace lily {
namespace {

std::vector<Device> gpus() {
    std::vector<Device> usable;
    for (const Device device : {Device::simt, Device::cuda})
        if (is_available(device)) usable.push_back(device);
    return usable;
}

Tensor ramp(const Shape& shape) { return reshape(arange(shape.numel()) * 0.01 - 0.3, shape); }

// A picture classifier of three layers.
struct Network {
    Generator generator{3};
    nn::Conv2d conv{2, 5, 3, generator, {.padding = {1, 1}}};
    nn::Linear linear{5 * 3 * 4, 3, generator};
    std::vector<Tensor> parameters() { return {conv.weight, conv.bias, linear.weight, linear.bias}; }
    void to(Device device) { conv.to(device), linear.to(device); }
    Tensor loss(const Tensor& x) {
        const Tensor features = max_pool2d(relu(conv(x)), 2);
        const Tensor y = log_softmax(linear(flatten(features, 1)), 1);
        return -y.mean() + 0.1 * total_variation(features) + gram(features, 0.1).sum();
    }
};

template <class Optimizer, class Options>
std::vector<double> losses_of_training(Device device, Options options) {
    Network network;
    network.to(device);
    Optimizer optimizer(network.parameters(), options);
    const Tensor x = ramp({2, 2, 6, 8}).to(device);
    std::vector<double> losses;
    for (int i = 0; i < 4; ++i) {
        const auto closure = [&] {
            optimizer.zero_grad();
            const Tensor loss = network.loss(x);
            loss.backward();
            return loss.template item<double>();
        };
        losses.push_back(optimizer.step(closure));
    }
    for (const Tensor& p : network.parameters()) losses.push_back(p.sum().item<double>());
    return losses;
}

template <class Optimizer, class Options>
void check_training(Options options) {
    const auto want = losses_of_training<Optimizer>(Device::cpu, options);
    CHECK(want[0] != want[3]);
    for (const Device device : gpus()) {
        const auto got = losses_of_training<Optimizer>(device, options);
        for (size_t i = 0; i < want.size(); ++i) CHECK(got[i] == Approx(want[i]).epsilon(2e-4).margin(1e-4));
        CHECK(losses_of_training<Optimizer>(device, options) == got);  // the same bits in every run
    }
}

}  // namespace

TEST_CASE("a device is chosen by name, with a reason", "[device]") {
    CHECK(choose_device("cpu").device == Device::cpu);
    const DeviceChoice automatic = choose_device("auto");
    CHECK(automatic.device == (is_available(Device::cuda) ? Device::cuda : Device::cpu));
    CHECK(automatic.reason == std::string(name(automatic.device)) + ": " +
                                  (is_available(Device::cuda) ? kernels::gpu(Device::cuda).description()
                                                              : device_problem(Device::cuda)));
    CHECK_THROWS_WITH(choose_device("tpu"), "[device] expected auto, cpu, simt or cuda, got 'tpu'");
    for (const auto& [text, device] : {std::pair{"simt", Device::simt}, {"cuda", Device::cuda}}) {
        if (is_available(device))
            CHECK(choose_device(text).device == device);
        else
            CHECK_THROWS_WITH(choose_device(text),
                              "[device] " + device_problem(device) + "; --device auto takes what there is");
    }
}

TEST_CASE("tensors move to a GPU and back", "[device][simt]") {
    for (const Device device : gpus()) {
        const Tensor x = ramp({2, 16, 3, 5}), there = x.to(device);
        CHECK(there.device() == device);
        CHECK(there.to(device).is_same(there));
        CHECK(there.to_vector() == x.to_vector());
        CHECK(there.to(Device::cpu).to_vector() == x.to_vector());
        const Tensor blocked = x.to(MemoryFormat::blocked16).to(device);
        CHECK(blocked.format() == MemoryFormat::contiguous);
        CHECK(blocked.to_vector() == x.to_vector());
        const Tensor last = x.to(MemoryFormat::channels_last).to(device);
        CHECK(last.format() == MemoryFormat::channels_last);
        CHECK(last.contiguous().to_vector() == x.to_vector());
        CHECK_THROWS_WITH(
            there.to(MemoryFormat::blocked8),
            "[to] blocked8 is a format of the CPU, the tensor is on " + std::string(name(device)));
        CHECK(zeros({0, 3}).to(device).to_vector().empty());
    }
}

TEST_CASE("tensors of every dtype are made, filled, copied and read on a GPU", "[device][simt]") {
    for (const Device device : gpus()) {
        for (const DType dtype : {DType::f32, DType::f64, DType::i64, DType::u8}) {
            Tensor x = full({3}, 7, {.dtype = dtype, .device = device});
            CHECK(x.to_vector() == std::vector<float>{7, 7, 7});
            CHECK(x.copy_(arange(3)).to_vector() == std::vector<float>{0, 1, 2});
            CHECK(x.clone().fill_(2).to_vector() == std::vector<float>{2, 2, 2});
            for (const DType other : {DType::f32, DType::f64, DType::i64, DType::u8}) {
                const Tensor same = x.to(other);
                CHECK((same.dtype() == other && same.device() == device));
                CHECK(same.to_vector() == std::vector<float>{0, 1, 2});
            }
            CHECK(zeros({3}, {.dtype = dtype}).copy_(x).to_vector() == std::vector<float>{0, 1, 2});
        }
        CHECK(scalar(3, {.device = device}).item<int64_t>() == 3);
        CHECK(arange(4, {.device = device}).to_vector() == std::vector<float>{0, 1, 2, 3});
        Generator one(5), other(5);
        CHECK(randn({77}, one, {.device = device}).to_vector() == randn({77}, other).to_vector());
        CHECK(randint(0, 9, {5}, one, {.dtype = DType::f32, .device = device}).to_vector() ==
              randint(0, 9, {5}, other, {.dtype = DType::f32}).to_vector());
        synchronize(device);
    }
}

TEST_CASE("gradients cross devices; operands have to share one", "[device][simt]") {
    for (const Device device : gpus()) {
        Tensor x = ramp({4}).set_requires_grad();
        square(x.to(device)).sum().backward();
        CHECK(x.grad().device() == Device::cpu);
        CHECK(x.grad().to_vector() == (2 * x.detach()).to_vector());
        const Tensor there = x.detach().to(device);
        CHECK((there + scalar(1)).device() == device);  // a scalar goes where the other one is
        CHECK((scalar(1) - there).to_vector() == (1 - x.detach()).to_vector());
        const std::string gpu(name(device)), text = "expected tensors on one device, got ",
                                             hint = "; move one with to()";
        CHECK_THROWS_WITH(there + x, "[add] " + text + gpu + " and CPU" + hint);
        CHECK_THROWS_WITH(matmul(ramp({2, 2}), ramp({2, 2}).to(device)),
                          "[matmul] " + text + "CPU and " + gpu + hint);
        CHECK_THROWS_WITH(mse_loss(there, x), "[mse_loss] " + text + gpu + " and CPU" + hint);
        CHECK_THROWS_WITH(cat({there, x}, 0), "[cat] " + text + gpu + " and CPU" + hint);
        CHECK_THROWS_WITH(square(there.to(DType::f64)),
                          "[elementwise] has no " + gpu + " implementation of this dtype: use f32");
    }
}

TEST_CASE("a module moves with its gradients, and its state is saved from a GPU", "[device][simt]") {
    const auto path =
        (std::filesystem::temp_directory_path() / fmt::format("lily_device_{}", ::getpid())).string();
    for (const Device device : gpus()) {
        Generator generator(1);
        nn::Linear linear(3, 2, generator);
        linear(ramp({4, 3})).sum().backward();
        const auto weight = linear.weight.to_vector(), gradient = linear.weight.grad().to_vector();
        linear.to(device);
        CHECK(linear.parameters()[0].device() == device);
        CHECK(linear.weight.is_same(linear.parameters()[0]));
        CHECK(linear.weight.grad().device() == device);
        CHECK(linear.weight.to_vector() == weight);
        CHECK(linear.weight.grad().to_vector() == gradient);
        io::save_tensors(path, linear.state_dict());
        linear.weight.fill_(0);
        linear.load_state_dict(io::load_tensors(path).tensors);
        CHECK(linear.weight.device() == device);
        CHECK(linear.weight.to_vector() == weight);
        CHECK_THROWS_WITH((linear.weight * 2).to_(device), "[to_] only leaves can be moved in place");
    }
    std::filesystem::remove(path);
}

TEST_CASE("training on a GPU follows the CPU, with the same bits in every run", "[device][simt]") {
    check_training<optim::SGD>(optim::SGDOptions{.lr = 0.01, .momentum = 0.9});
    check_training<optim::Adam>(optim::AdamOptions{.lr = 0.01});
    check_training<optim::LBFGS>(optim::LBFGSOptions{.max_iter = 3});
}

TEST_CASE("a GPU's memory is counted, and comes back", "[device][simt]") {
    for (const Device device : gpus()) {
        CachingAllocator& memory = allocator(device);
        const MemoryStats before = memory.stats();
        memory.reset_peak();
        { const Tensor x = zeros({1000}, {.device = device}), y = x + 1; }
        CHECK(memory.stats().current_bytes == before.current_bytes);
        CHECK(memory.stats().peak_bytes >= before.current_bytes + 8000);
        CHECK_THROWS_WITH(empty({int64_t{1} << 50}, {.device = device}),
                          Catch::Matchers::ContainsSubstring("out of memory on "));
        synchronize(device);
    }
}

}  // namespace lily
