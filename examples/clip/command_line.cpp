// SPDX-License-Identifier: MIT
#include "examples/clip/command_line.h"

#include "examples/common/commands.h"

namespace lily::clip {
namespace {

const char* const kExamples = R"(Examples:
  clip train --data pictures/train --test pictures/test --out run
  clip train --data build/data/fashion-mnist --class-names "T-shirt,trouser,pullover,dress,coat,sandal,shirt,sneaker,bag,boot" --out run
  clip evaluate --model run/model.safetensors --data pictures/test
  clip zeroshot --model run/model.safetensors --image cat.png --labels "a dog,a cat" --template "a photo of {}"
  clip search --model run/model.safetensors --images pictures --text "a red flower" --sheet found.png
  clip embed --model run/model.safetensors --image pictures --out pictures.npy
  clip tokens "a photo of a cat"
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

void add_vocabulary(Options& options, std::string& vocabulary) {
    options.file("--vocabulary", vocabulary, "the tokenizer's; tools/convert_clip.py fetches it");
}

void add_model(Options& options, ModelSettings& s) {
    options.add("--model,--weights", s.model, "FILE [weights/clip.safetensors]",
                "a model that clip train has made or tools/convert_clip.py converted");
    add_vocabulary(options, s.vocabulary);
}

void add_several(Options& options, const char* name, std::vector<std::string>& values, const char* shown,
                 const char* help) {
    options.add(name, values, shown, help)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void add_tokens(Options& options, TokensSettings& s) {
    options.group("Texts");
    add_several(options, "texts", s.texts, "TEXT…", "a line of ids for each");
    options.file("--file", s.file, "texts, one a line");
    options.number("--context-length", s.context_length, between(2, 1 << 20), "N [77]",
                   "ids at most; longer texts are cut and keep their end");
    add_vocabulary(options, s.vocabulary);
}

void add_embed(Options& options, EmbedSettings& s) {
    options.group("Vectors");
    add_model(options, s);
    add_several(options, "--image", s.images, "PATH…", "pictures, or folders of them");
    add_several(options, "--text", s.texts, "TEXT…", "texts");
    options.file("--file", s.file, "texts, one a line");
    options.file("--out", s.out, "a .npy for the unit vectors (N,D) f32; their names go to a .txt beside it")
        ->required()
        ->option_text("FILE (required)");
}

void add_zeroshot(Options& options, ZeroshotSettings& s) {
    options.group("Classes by their names");
    add_model(options, s);
    add_several(options, "--image", s.images, "PATH… (required)", "pictures, or folders of them");
    options.add("--labels", s.labels, "A,B,… (required)", "what they may show")
        ->required()
        ->delimiter(',')
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    add_several(options, "--template", s.templates, "TEXT… ['a photo of {}']",
                "texts for a label, which stands for {}; several are averaged");
    options.flag("--none-of-these", s.none_of_these, "one more label, for pictures of something else");
    options.file("--json", s.json, "the figures as JSON");
}

void add_search(Options& options, SearchSettings& s) {
    options.group("Search");
    add_model(options, s);
    options.add("--images", s.images, "DIR (required)", "the pictures, in sub-folders too")->required();
    options.add("--text", s.text, "TEXT (required)", "what to look for")->required();
    options.number("--top", s.top, between(1, 10'000), "N [9]", "pictures to show");
    options.file("--sheet", s.sheet, "them as one picture, .png or .jpg");
    options.file("--index", s.index,
                 "where the pictures' vectors are kept (default: DIR/.clip_index.safetensors)");
}

}  // namespace

Settings parse_command_line(int argc, char** argv) {
    Commands<Settings> commands("clip", "Trains and uses CLIP: pictures and texts in one space.", kExamples);
    commands.add("train", "train a small model from scratch", add_train);
    commands.add("evaluate", "measure how well pictures and texts are found", add_evaluate);
    commands.add<TokensSettings>(
        "tokens", "show the ids that texts become", add_tokens, [](const TokensSettings& s) {
            if (s.texts.empty() == s.file.empty())
                throw CLI::ValidationError("TEXT or --file", "one of them is needed");
        });
    commands.add<EmbedSettings>(
        "embed", "write the vectors of pictures or texts", add_embed, [](const EmbedSettings& s) {
            if (s.images.empty() == (s.texts.empty() && s.file.empty()))
                throw CLI::ValidationError("--image or --text", "pictures or texts are needed, and not both");
        });
    commands.add<ZeroshotSettings>("zeroshot", "say which label fits a picture", add_zeroshot,
                                   [](const ZeroshotSettings& s) {
                                       if (s.images.empty()) throw CLI::RequiredError("--image");
                                   });
    commands.add("search", "find the pictures that a text describes", add_search);
    return commands.parse(argc, argv);
}

}  // namespace lily::clip
