// SPDX-License-Identifier: MIT
// Trains StyleGAN (Karras et al. 2019) on pictures, and makes new ones with it. The networks and their
// training are in models/stylegan, the commands in examples/stylegan.
#include "examples/common/program.h"
#include "examples/stylegan/commands.h"

int main(int argc, char** argv) {
    using namespace lily::stylegan;
    const char* advice = "a smaller --batch-size or --resolution, fewer pictures at a time, fewer --threads";
    return lily::run_program({"stylegan", advice}, [&] {
        const Settings settings = parse_command_line(argc, argv);
        return std::visit([](const auto& s) { return run(s); }, settings);
    });
}
