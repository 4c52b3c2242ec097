// SPDX-License-Identifier: MIT
// CLIP (Radford et al. 2021): trains small models on pictures with captions, and uses them and OpenAI's. The
// model and its training are in models/clip, the commands in examples/clip.
#include "examples/clip/commands.h"
#include "examples/common/program.h"

int main(int argc, char** argv) {
    using namespace lily::clip;
    const char* advice = "a smaller --piece, --batch-size or --width, fewer --threads";
    return lily::run_program({"clip", advice}, [&] {
        const Settings settings = parse_command_line(argc, argv);
        return std::visit([](const auto& s) { return run(s); }, settings);
    });
}
