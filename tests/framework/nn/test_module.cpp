// SPDX-License-Identifier: MIT
#include "framework/nn/module.h"

#include "framework/nn/layers.h"
#include "framework/nn/sequential.h"
#include "framework/ops.h"
#include "tests/framework/io/io_test.h"

namespace lily::nn {
namespace {

class Net final : public Module {
  public:
    explicit Net(Generator& generator) {
        register_module("features", features);
        features.add<Conv2d>(3, 8, 3, generator);
        features.add<Function>([](const Tensor& x) { return relu(x); });
        features.add<Conv2d>(8, 4, 3, generator, Conv2dOptions{.padding = {1, 1}}, Bias::no);
        head = &register_module("head", std::make_unique<Linear>(4, 2, generator));
        scale = register_parameter("scale", full({1}, 2));
        mean = register_buffer("mean", full({3}, 0.5));
    }
    Tensor forward(const Tensor& x) override {
        return head->forward(lily::mean(features(x), {2, 3})) * scale;
    }

    Sequential features;
    Linear* head;
    Tensor scale, mean;
};

std::vector<std::string> names_of(const Module::Named& named) {
    std::vector<std::string> names;
    for (const auto& [name, tensor] : named) names.push_back(name);
    return names;
}

TEST_CASE("Modules name parameters and buffers as PyTorch does", "[nn][module]") {
    Generator generator(1);
    Net net(generator);
    CHECK(names_of(net.named_parameters()) == std::vector<std::string>{"scale", "features.0.weight",
                                                                       "features.0.bias", "features.2.weight",
                                                                       "head.weight", "head.bias"});
    CHECK(names_of(net.named_buffers()) == std::vector<std::string>{"mean"});
    CHECK(net.parameters().size() == 6);
    CHECK(net.parameter_count() == 1 + 8 * 27 + 8 + 4 * 72 + 2 * 4 + 2);
    CHECK(net.state_dict().size() == 7);
    CHECK(net.buffers()[0].is_same(net.mean));
    CHECK_FALSE(net.mean.requires_grad());
    CHECK_FALSE(net.state_dict().at("scale").requires_grad());
}

TEST_CASE("modules() and apply() reach every module, in PyTorch's orders", "[nn][module]") {
    Generator generator(1);
    Net net(generator);
    const std::vector<Module*> want = {
        &net, &net.features, &net.features[0], &net.features[1], &net.features[2], net.head};
    CHECK(net.modules() == want);
    std::vector<Module*> seen;
    CHECK(&net.apply([&](Module& m) { seen.push_back(&m); }) == &net);
    CHECK(seen == std::vector<Module*>{&net.features[0], &net.features[1], &net.features[2], &net.features,
                                       net.head, &net});
    net.apply([](Module& m) {
        if (auto* conv = dynamic_cast<Conv2d*>(&m)) conv->weight.fill_(0.25);
    });
    CHECK(net.state_dict().at("features.2.weight").to_vector<float>() == std::vector<float>(288, 0.25f));
    CHECK(net.head->weight.to_vector<float>() != std::vector<float>(8, 0.25f));
}

TEST_CASE("ModuleList numbers its modules and leaves their use to others", "[nn][module]") {
    class Stack final : public Module {
      public:
        explicit Stack(Init init) {
            register_module("blocks", blocks);
            for (int i = 0; i < 3; ++i) blocks.add(4, 4, init);
        }
        Tensor forward(const Tensor& x) override {
            Tensor y = x;
            for (Linear* block : blocks) y = y + block->forward(y);
            return y;
        }
        ModuleList<Linear> blocks;
    };
    Generator generator(1);
    Stack stack(generator);
    CHECK(stack.blocks.size() == 3);
    CHECK(names_of(stack.named_parameters()) == std::vector<std::string>{"blocks.0.weight", "blocks.0.bias",
                                                                         "blocks.1.weight", "blocks.1.bias",
                                                                         "blocks.2.weight", "blocks.2.bias"});
    CHECK(stack.blocks[1].weight.is_same(stack.parameters()[2]));
    CHECK_THROWS_AS(stack.blocks[3], std::out_of_range);
    CHECK(stack(ones({2, 4})).shape() == Shape{2, 4});
    CHECK(io::error_of([&] { stack.blocks.forward(ones({1})); }) ==
          "[module] this module's forward does not take a single tensor");
}

TEST_CASE("skip_init makes modules without drawing a number", "[nn][module]") {
    Generator generator(3);
    const Linear drawn(4, 3, generator);
    const Conv2d conv_drawn(2, 3, 3, generator);
    const GeneratorState state = generator.state();
    allocator(Device::cpu).poison(true);  // NaN in fresh memory
    Linear loaded(4, 3, skip_init);
    const Conv2d conv(2, 3, 3, skip_init);
    const ConvTranspose2d transposed(2, 3, 3, skip_init);
    const Embedding table(5, 2, skip_init);
    allocator(Device::cpu).poison(false);
    CHECK(generator.state() == state);
    for (const Module* m : std::initializer_list<const Module*>{&loaded, &conv, &transposed, &table})
        for (const Tensor& p : m->parameters())
            for (const float v : p.to_vector()) CHECK(std::isnan(v));
    CHECK(loaded.named_parameters().size() == 2);
    loaded.load_state_dict(drawn.state_dict());
    CHECK(loaded.weight.to_vector() == drawn.weight.to_vector());
    CHECK(loaded.bias.to_vector() == drawn.bias.to_vector());
}

TEST_CASE("Gradients reach every parameter, zero_grad takes them away, freezing stops them", "[nn][module]") {
    Generator generator(2);
    Net net(generator);
    const Tensor x = randn({2, 3, 7, 6}, generator);
    net(x).sum().backward();
    for (const auto& [name, p] : net.named_parameters()) {
        INFO(name);
        REQUIRE(p.grad().defined());
        CHECK(p.grad().shape() == p.shape());
    }
    net.zero_grad();
    for (const Tensor& p : net.parameters()) CHECK_FALSE(p.grad().defined());
    net.requires_grad_(false);
    CHECK_FALSE(net(x).requires_grad());
    net.features.requires_grad_();
    CHECK(net.features[0].parameters()[0].requires_grad());
    CHECK_FALSE(net.scale.requires_grad());
}

TEST_CASE("train and eval reach all modules", "[nn][module]") {
    Generator generator(3);
    Net net(generator);
    CHECK(net.is_training());
    net.eval();
    CHECK_FALSE(net.is_training());
    CHECK_FALSE(net.features[2].is_training());
    CHECK_FALSE(net.head->is_training());
    net.train();
    CHECK(net.features[2].is_training());
}

TEST_CASE("A state dict carries all values to another module, through a file", "[nn][module]") {
    Generator generator(4);
    Net a(generator), b(generator);
    const Tensor x = randn({1, 3, 6, 6}, generator);
    CHECK(a(x).to_vector<float>() != b(x).to_vector<float>());
    const io::ScratchFolder dir;
    io::save_tensors(dir / "w", a.state_dict());
    const Tensor handle = b.scale;
    b.load_state_dict(io::load_tensors(dir / "w").tensors);
    CHECK(a(x).to_vector<float>() == b(x).to_vector<float>());
    CHECK(b.scale.is_same(handle));
    CHECK(b.scale.requires_grad());

    a.scale.fill_(7);  // a copy: b does not follow
    CHECK(b.scale.item() == 2);
    CHECK(a.state_dict().at("scale").item() == 7);
}

TEST_CASE("load_state_dict lists everything that is wrong, in one line, and changes nothing",
          "[nn][module]") {
    Generator generator(5);
    Net net(generator);
    StateDict state = net.state_dict();
    for (auto& [name, tensor] : state) tensor = full(tensor.shape(), 11);
    state.erase("scale");
    state.erase("head.bias");
    state["features.0.weight"] = zeros({8, 3, 5, 5});
    state["classifier.weight"] = zeros({1});
    const auto before = net.head->weight.to_vector<float>();
    CHECK(
        io::error_of([&] { net.load_state_dict(state); }) ==
        "[load_state_dict] the tensors are not this module's; 2 missing: 'scale', 'head.bias'; 1 unexpected: "
        "'classifier.weight'; 1 of another shape: 'features.0.weight' is (8,3,5,5), expected (8,3,3,3)");
    CHECK(io::error_of([&] { net.load_state_dict(state, false); }) ==
          "[load_state_dict] the tensors are not this module's; 1 of another shape: 'features.0.weight' is "
          "(8,3,5,5), expected (8,3,3,3)");
    CHECK(net.head->weight.to_vector<float>() == before);

    state.erase("features.0.weight");
    const Module::Differences differences = net.load_state_dict(state, false);
    CHECK(differences.missing == std::vector<std::string>{"scale", "features.0.weight", "head.bias"});
    CHECK(differences.unexpected == std::vector<std::string>{"classifier.weight"});
    CHECK(net.head->weight.to_vector<float>() == std::vector<float>(8, 11));
    CHECK(net.scale.item() == 2);
}

TEST_CASE("Long lists of differences are cut after ten names", "[nn][module]") {
    Generator generator(6);
    Linear net(1, 1, generator);
    StateDict state = net.state_dict();
    for (int i = 0; i < 13; ++i) state[fmt::format("x{:02}", i)] = zeros({1});
    CHECK(io::error_of([&] { net.load_state_dict(state); }) ==
          "[load_state_dict] the tensors are not this module's; 13 unexpected: 'x00', 'x01', 'x02', 'x03', "
          "'x04', 'x05', 'x06', 'x07', 'x08', 'x09' and 3 more");
}

TEST_CASE("Bad names and modules without a forward are refused", "[nn][module]") {
    class Bad final : public Module {
      public:
        explicit Bad(const std::string& name) {
            register_parameter("weight", zeros({1}));
            register_buffer(name, zeros({1}));
        }
    };
    CHECK(io::error_of([] { Bad bad("weight"); }) == "[module] 'weight' is registered twice");
    CHECK(io::error_of([] { Bad bad("a.b"); }) ==
          "[module] a name must not be empty or contain a dot, got 'a.b'");
    CHECK(io::error_of([] { Bad bad(""); }) == "[module] a name must not be empty or contain a dot, got ''");
    Bad good("mean");
    CHECK(io::error_of([&] { good(zeros({1})); }) ==
          "[module] this module's forward does not take a single tensor");
}

}  // namespace
}  // namespace lily::nn
