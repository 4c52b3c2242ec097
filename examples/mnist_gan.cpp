// SPDX-License-Identifier: MIT
// Trains a generative adversarial network on MNIST (Goodfellow et al. 2014), makes digits with it, and
// measures them. The networks, their training and the measures are in models/gan, the commands in
// examples/mnist_gan.
#include "examples/common/interrupt.h"
#include "examples/mnist_gan/commands.h"

int main(int argc, char** argv) {
    using namespace lily::mnist_gan;
    lily::ignore_broken_pipes();
    const Settings settings = parse_command_line(argc, argv);
    try {
        return std::visit([](const auto& s) { return run(s); }, settings);
    } catch (const std::exception& error) {
        lily::io::put(stderr, fmt::format("mnist_gan: {}\n", error.what()));
        return 1;
    }
}
