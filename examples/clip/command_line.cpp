// SPDX-License-Identifier: MIT
#include "examples/clip/command_line.h"

#include "examples/common/options.h"

namespace lily::clip {
namespace {

const char* const kExamples = R"(Examples:
  clip train --data pictures/train --test pictures/test --out run
  clip train --data build/data/fashion-mnist --class-names "T-shirt,trouser,pullover,dress,coat,sandal,shirt,sneaker,bag,boot" --out run
  clip evaluate --model run/model.safetensors --data pictures/test
Ctrl-C ends a training with all of its files; the same command with --resume goes on from there.)";

const Bounds one_or_more = at_least(1), not_negative = at_least(0), below_one = between(0, 0.999999999);

void add_data(Options& options, DataSettings& s) {
    options.with(Resume::same_content)
        .add("--data", s.data, "DIR (required)",
             "pictures, each with its caption in a .txt beside it; or MNIST's files, with --class-names")
        ->required();
    options.add("--class-names", s.class_names, "A,B,…", "of MNIST's files: what the classes are called")
        ->delimiter(',')
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    options.file("--templates", s.templates, "lines like 'a photo of a {}', for class names");
    options.with(Resume::any)
        .file("--vocabulary", s.vocabulary, "the tokenizer's; tools/convert_clip.py fetches it");
}

void add_train(Options& options, TrainSettings& s) {
    options.group("Data and results");
    add_data(options, s);
    options.with(Resume::any)
        .add("--test", s.test, "DIR", "pictures with captions, to be found by them; MNIST has its own");
    options.with(Resume::any)
        .file("--test-templates", s.test_templates, "the same as --templates, for tests alone");
    options.with(Resume::any)
        .add("--out", s.out, "DIR (required)", "a folder for all that the training writes")
        ->required();
    options.with(Resume::any)
        .flag("--resume", s.resume, "go on where the run in --out was; begin if there is none");
    options.group("The two transformers");
    options.number("--image-size", s.image_size, between(4, 512), "N [32; MNIST: its own]", "pixels a side");
    options.number("--patch-size", s.patch_size, between(1, 64), "N [4]",
                   "pixels a side of what one token sees");
    options.number("--width", s.width, between(8, 4096), "N [128]", "of both");
    options.number("--layers", s.layers, between(1, 48), "N [4]", "of each");
    options.number("--heads", s.heads, between(1, 64), "N [4]", "of attention, in each layer");
    options.number("--embed-dim", s.embed_dim, between(2, 4096), "N [128]",
                   "numbers of a picture's or text's vector");
    options.number("--context-length", s.context_length, between(4, 77), "N [32]",
                   "tokens; longer captions are cut");
    options.group("Training");
    options.with(Resume::any).number("--epochs", s.epochs, more_than(0), "X [5]", "times through the data");
    options.with(Resume::any)
        .number("--iterations", s.iterations, one_or_more, "N", "steps, instead of --epochs");
    options.number("--batch-size", s.batch_size, between(2, 1 << 16), "N [256]",
                   "pictures and texts that are compared with each other");
    options.with(Resume::any)
        .number("--piece", s.recipe.piece, not_negative, "N [64]",
                "of a batch, computed at a time: less memory, a quarter more time; 0: all");
    options.choice("--loss", s.recipe.loss, kLosses, "CLIP's, or SigLIP's");
    options.number("--learning-rate", s.recipe.learning_rate, more_than(0), "X [0.001]",
                   "AdamW's at most: a warm-up, then half a cosine");
    options.number("--warm-up", s.recipe.warm_up, one_or_more, "N [100]", "steps");
    options.number("--weight-decay", s.recipe.weight_decay, not_negative, "X [0.2]", "of matrices");
    options.number("--clip-grad", s.recipe.clip_grad, not_negative, "X [1]",
                   "largest norm of the gradient; 0: any");
    options.flag("--mirror", s.mirror, "every other picture has left and right exchanged");
    options.number("--seed", s.recipe.seed, not_negative, "N [0]", "of weights, order and templates");
    options.group("On the way", Resume::any);
    options.number("--checkpoint-every", s.checkpoint_every, one_or_more, "N [100]",
                   "iterations between checkpoints");
    options.number("--evaluate-every", s.evaluate_every, one_or_more, "N [each epoch]",
                   "iterations between tests");
}

void add_evaluate(Options& options, EvaluateSettings& s) {
    options.group("Evaluation");
    options.file("--model", s.model, "a trained or converted model, .safetensors")
        ->required()
        ->option_text("FILE (required)");
    add_data(options, s);
    options.file("--texts", s.texts, "lines to choose captions from, instead of the data's own");
    options.file("--json", s.json, "the figures as JSON");
}

}  // namespace

Settings parse_command_line(int argc, char** argv) {
    CLI::App app{"Trains and uses CLIP: pictures and texts in one space.", "clip"};
    app.footer(kExamples);
    app.require_subcommand(1);
    TrainSettings train;
    EvaluateSettings evaluate;
    const auto command = [&](const char* name, const char* what, auto& settings, auto add) {
        CLI::App* sub = app.add_subcommand(name, what);
        Options options(*sub);
        add(options, settings);
        options.machine(settings);
        return std::pair(sub, options);
    };
    const Options of_train = command("train", "train a small model from scratch", train, add_train).second;
    CLI::App* of_evaluate =
        command("evaluate", "measure how well pictures and texts are found", evaluate, add_evaluate).first;
    parse_or_exit(app, argc, argv);
    if (of_evaluate->parsed()) return evaluate;
    train.same = of_train.resume_settings();
    return train;
}

}  // namespace lily::clip
