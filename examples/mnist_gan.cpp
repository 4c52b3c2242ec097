// SPDX-License-Identifier: MIT
// Trains a generative adversarial network on MNIST (Goodfellow et al. 2014), makes digits with it, and
// measures them. The networks, their training and the measures are in models/gan, the commands in
// examples/mnist_gan.
#include "examples/common/program.h"
#include "examples/mnist_gan/commands.h"

int main(int argc, char** argv) {
    using namespace lily::mnist_gan;
    const char* advice =
        "fewer or smaller layers, a smaller --batch-size, --image-size or --count, fewer --threads";
    return lily::run_program({"mnist_gan", advice}, [&] {
        const Settings settings = parse_command_line(argc, argv);
        return std::visit([](const auto& s) { return run(s); }, settings);
    });
}
