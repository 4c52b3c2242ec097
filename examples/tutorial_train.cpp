// SPDX-License-Identifier: MIT
// How to write a training program: its options, a network, one step. The rest is framework/train's.
#include <algorithm>

#include "examples/common/machine.h"
#include "examples/common/options.h"
#include "examples/common/program.h"
#include "framework/autograd.h"
#include "framework/nn/layers.h"
#include "framework/ops.h"
#include "framework/optim/adam.h"
#include "framework/optim/lr_scheduler.h"
#include "framework/train/run_folder.h"

namespace {
using namespace lily;

struct Settings : Machine {
    std::string data, out;
    int64_t epochs = 4, iterations = 0, batch_size = 64, warm_up = 0, checkpoint_every = 500;
    double learning_rate = 2e-3;
    uint64_t seed = 0;
    bool resume = false;
    ResumeSettings same;
};

Settings parse_command_line(int argc, char** argv) {
    Settings s;
    CLI::App app{"Trains a convolutional classifier on MNIST or Fashion-MNIST.", "tutorial_train"};
    app.footer("Example: tutorial_train --data build/data/fashion-mnist --out build/fashion");
    Options options(app);
    options.group("Data and results", Resume::any);
    options.with(Resume::same_content).add("--data", s.data, "DIR", "MNIST's four files")->required();
    options.add("--out", s.out, "DIR", "a folder for all that is written")->required();
    options.flag("--resume", s.resume, "go on where the run in --out was, also after Ctrl-C");
    options.number("--checkpoint-every", s.checkpoint_every, at_least(1), "N [500]", "iterations");
    options.number("--epochs", s.epochs, at_least(1), "N [4]", "times through the data");
    options.number("--iterations", s.iterations, at_least(1), "N", "steps, instead of --epochs");
    options.group("Training");
    options.number("--batch-size", s.batch_size, between(1, 4096), "N [64]", "pictures per step");
    options.number("--learning-rate", s.learning_rate, more_than(0), "X [0.002]", "at most; x 0.7 per epoch");
    options.number("--cosine", s.warm_up, at_least(1), "N", "instead: N steps up, then half a cosine down");
    options.number("--seed", s.seed, at_least(0), "N [0]", "of weights, dropout and order");
    options.machine(s);
    options.parse(argc, argv);
    s.same = options.resume_settings();
    return s;
}

// (N,pixels) -> conv 3x3, ReLU, maxima of 2x2, twice -> ReLU -> logits (N,classes)
class Classifier final : public nn::Module {
  public:
    Classifier(const data::Dataset& set, Generator& random)
        : shape_{-1, set.channels, set.height, set.width},
          conv1_(set.channels, 32, 3, random, {.padding = {1, 1}}),
          conv2_(32, 64, 3, random, {.padding = {1, 1}}),
          body_(64 * (set.height / 4) * (set.width / 4), 128, random),
          dropout_(random, 0.3),
          head_(128, set.classes, random) {
        register_module("conv1", conv1_);
        register_module("conv2", conv2_);
        register_module("body", body_);
        register_module("dropout", dropout_);
        register_module("head", head_);
    }
    Tensor forward(const Tensor& pixels) override {
        Tensor h = max_pool2d(relu(conv1_(pixels.reshape(shape_))), 2);
        h = max_pool2d(relu(conv2_(h)), 2).contiguous().flatten(1);
        return head_(dropout_(relu(body_(h))));
    }

  private:
    const Shape shape_;
    nn::Conv2d conv1_, conv2_;
    nn::Linear body_;
    nn::Dropout dropout_;
    nn::Linear head_;
};

// Which pictures of the set the network takes for something else.
std::vector<int64_t> mistakes(Classifier& net, const data::Dataset& set, Device device) {
    const NoGrad no_grad;
    std::vector<int64_t> wrong;
    net.eval();
    for (int64_t begin = 0; begin < set.count; begin += 500) {
        const Tensor x = data::to_pixels(set, begin, std::min(begin + 500, set.count)).to(device);
        const std::vector<int64_t> guesses = argmax(net(x), 1).to(Device::cpu).to_vector<int64_t>();
        for (int64_t i = begin; i < begin + x.size(0); ++i)
            if (guesses[size_t(i - begin)] != set.labels[size_t(i)]) wrong.push_back(i);
    }
    net.train();
    return wrong;
}

int run(const Settings& s) {
    const data::Dataset set = data::load_mnist(s.data), test = data::load_mnist(s.data, data::Split::test);
    const Device device = s.choose();
    Generator random(s.seed);
    Classifier net(set, random);
    net.to(device);
    data::Loader loader(set, s.batch_size, s.seed);
    const int64_t epoch = loader.batches_per_epoch();
    optim::Adam adam(net.parameters(), {.lr = s.learning_rate});
    const int64_t steps = s.iterations > 0 ? s.iterations : s.epochs * epoch;
    auto schedule = s.warm_up > 0 ? optim::warm_up_cosine(adam, s.warm_up, steps)
                                  : optim::SequentialLR(adam, {optim::StepLR(adam, epoch, 0.7)}, {});
    const train::RunFolder folder(s.out, s.resume);
    train::Run training(folder.with_files({.program = "tutorial_train",
                                           .settings = s.same.with({{"--data", set.fingerprint()}}),
                                           .steps = steps,
                                           .checkpoint_every = s.checkpoint_every,
                                           .quiet = s.quiet}),
                        {{"loss", "loss", "{:.3f}"}});
    training.add("net", net);
    training.add("adam", adam);
    training.add("schedule", schedule);
    training.add("loader", loader);
    training.add("random", random);  // dropout's
    train::Log& tests = training.add_log(folder / "test.csv", {{"percent_right"}});

    const int status = training.loop([&] {
        const data::Batch batch = loader.next(device);
        adam.zero_grad();
        const Tensor loss = cross_entropy(net(batch.pixels), from_vector(batch.labels, {s.batch_size}));
        loss.backward();
        adam.step();
        schedule.step();
        training.log({loss.item<double>()});
        if (!training.is_due(epoch)) return;
        std::vector<int64_t> wrong = mistakes(net, test, device);
        const double percent = 100 * (1 - double(wrong.size()) / double(test.count));
        tests.row(training.step(), std::vector{percent});
        training.message(fmt::format("{:.2f} % of {} test pictures are right", percent, test.count));
        wrong.resize(std::min<size_t>(wrong.size(), 64));
        if (wrong.empty()) return;
        folder.save_picture("mistakes", training.step(),
                            io::sample_grid(data::to_pixels(test, wrong), test.size(), 8));
    });
    folder.save_sheet("mistakes", training.step(), folder / "sheet.png");
    folder.save_plot(folder / "loss.svg", {"Training", "iteration", "cross entropy"},
                     {training.history().series("loss", "loss")}, s.quiet);
    return status;
}

}  // namespace

int main(int argc, char** argv) {
    return run_program({"tutorial_train", "a smaller --batch-size"},
                       [&] { return run(parse_command_line(argc, argv)); });
}
