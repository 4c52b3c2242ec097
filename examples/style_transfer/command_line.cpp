// SPDX-License-Identifier: MIT
#include "examples/style_transfer/command_line.h"

#include "examples/common/options.h"

namespace lily::style_transfer {
namespace {

const char* const kExamples = R"(Examples:
  style_transfer --content me.jpg --style starry.jpg --output painted.png
  style_transfer --content me.jpg --style a.jpg b.jpg --style-blend 0.7,0.3 --size 768 --output painted.png
  style_transfer --content me.jpg --style a.jpg --output painted.png --preserve-color \
                 --sheet sheet.png --plot loss.svg --log run.csv
Ctrl-C saves the picture and a checkpoint; the same command with --resume FILE goes on from there.)";

void add_pictures(Options& options, Settings& s) {
    const Bounds pixels = between(0, 16384);
    options.group("Pictures", Resume::any);
    options.with(Resume::same_content)
        .file("--content", s.content, "the picture to paint: PNG, JPEG, GIF, WebP, TIFF, BMP or TGA")
        ->required()
        ->option_text("FILE (required)");
    options.with(Resume::same_content)
        .add("--style", s.styles, "FILE… (required)", "one or more pictures whose style to use")
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->required();
    options.file("--output", s.output, "where the result goes: .png or .jpg")
        ->required()
        ->option_text("FILE (required)");
    options.with(Resume::same)
        .numbers("--style-blend", s.blend, at_least(0), "W,W,…",
                 "a weight per style picture; equal without it");
    options.number("--size", s.size, pixels, "N [512]", "longest side in pixels; 0 keeps the picture's size");
    options.number("--style-size", s.style_size, pixels, "N [as --size]",
                   "the same for the style pictures: larger gives larger strokes");
    options.choice("--init", s.init, kInits,
                   "where the optimisation starts; noise and style want --content-weight 1e6");
    options.number("--seed", s.seed, at_least(0), "N [0]", "of the noise");
    options.flag("--preserve-color", s.preserve_color, "keep the content's colours, take only the strokes");
}

void add_optimisation(Options& options, Settings& s) {
    const Bounds not_negative = at_least(0);
    options.group("Optimisation");
    options.with(Resume::any).number("--iterations", s.iterations, at_least(1), "N [1500]", "steps");
    options.choice("--optimizer", s.optimizer, kOptimizers, "how the picture is changed");
    options.number("--learning-rate", s.learning_rate, more_than(0), "X [0.01]", "Adam's");
    options.number("--content-weight", s.content_weight, not_negative, "X [1e3]", "alpha");
    options.number("--style-weight", s.style_weight, not_negative, "X [5e6]", "beta");
    options.number("--tv-weight", s.tv_weight, not_negative, "X [1e-6]",
                   "lambda, of total variation: smooths");
    options.add("--content-layers", s.content_layers, "LIST [relu4_2]", "name[:weight],name[:weight],…");
    options.add("--style-layers", s.style_layers, "LIST [relu1_1,…,relu5_1]",
                "the same; weights are 1 / number of layers unless given");
    options.choice("--content-reduction", s.content_reduction, kReductions, "of the squared differences");
    options.choice("--pooling", s.pooling, kPoolings, "how the network shrinks its maps");
}

void add_files(Options& options, Settings& s) {
    options.group("Files", Resume::any);
    options.number("--save-every", s.save_every, at_least(1), "N",
                   "also save the picture each N iterations, as OUTPUT_N.png");
    options.file("--log", s.log, "CSV of the weighted losses, a row per iteration");
    options.file("--sheet", s.sheet, "picture of content, style and result side by side");
    options.file("--plot", s.plot, "SVG of the losses");
    options.file("--profile", s.profile,
                 "CSV of the seconds that each op took, and a table on stderr; from the third iteration on");
    options.file("--checkpoint", s.checkpoint, "save the whole state here, to resume from");
    options.number("--checkpoint-every", s.checkpoint_every, at_least(1), "N [100]",
                   "iterations between checkpoints");
    options.file("--resume", s.resume, "go on from a checkpoint");
    options.with(Resume::same_content)
        .file("--weights", s.weights, "VGG-19 (weights/vgg19.safetensors, made by tools/convert_vgg19.py)");
}

}  // namespace

Settings parse_command_line(int argc, char** argv) {
    Settings s;
    CLI::App app{"Paints the content picture in the style of the style picture.", "style_transfer"};
    app.footer(kExamples);
    Options options(app);
    add_pictures(options, s);
    add_optimisation(options, s);
    add_files(options, s);
    options.machine(s);
    options.parse(argc, argv);
    if (app.count("--style-size") == 0) s.style_size = s.size;
    s.same = options.resume_settings();
    return s;
}

}  // namespace lily::style_transfer
