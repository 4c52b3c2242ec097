// SPDX-License-Identifier: MIT
#include "examples/mnist_gan/command_line.h"

#include "examples/common/commands.h"
#include "models/gan/model_file.h"

namespace lily::mnist_gan {
namespace {

const char* const kExamples = R"(Examples:
  mnist_gan train --data build/data/mnist --out run
  mnist_gan sample --model run/model.safetensors --grid 8x8 --out grid.png
  mnist_gan walk --model run/model.safetensors --out walk.gif
  mnist_gan evaluate --model run/model.safetensors --data build/data/mnist --train-classifier
Ctrl-C ends a training with all of its files; the same command with --resume goes on from there.)";

const Bounds one_or_more = at_least(1), not_negative = at_least(0), below_one = between(0, 0.999999999);
// What a model's file may say.
const Bounds layer_size = between(1, models::kMostLayerSize);
constexpr int64_t kMostEpochs = 1'000'000'000;
constexpr int kMostSide = 64;  // of a grid, in pictures

void add_data(Options& options, std::string& data, int& image_size) {
    options.with(Resume::same_content)
        .add("--data", data, "DIR (required)",
             "MNIST's files (also those of Fashion-MNIST and EMNIST), or pictures; sub-folders are classes")
        ->required();
    options.number("--image-size", image_size, between(4, 512), "N [28]", "pixels a side, for pictures");
}

void add_train(Options& options, TrainSettings& s) {
    options.group("Data and results", Resume::any);
    add_data(options, s.data, s.image_size);
    options.add("--out", s.out, "DIR (required)", "a folder for all that the training writes")->required();
    options.flag("--resume", s.resume, "go on where the run in --out was; begin if there is none");
    options.group("Players");
    options.number("--latent", s.networks.latent, layer_size, "N [64]",
                   "numbers that a picture is made from");
    options.numbers("--g-hidden", s.networks.g_hidden, layer_size, "N,N,… [128,256,512]",
                    "G's hidden layers");
    options.numbers("--d-hidden", s.networks.d_hidden, layer_size, "N,N,… [512,256,128,32]",
                    "D's hidden layers");
    options.flag("--plain", s.plain, "no batch norm in G");
    options.number("--dropout", s.networks.dropout, below_one, "X [0]", "in D's hidden layers");
    options.flag("--conditional", s.conditional, "both are told the class: sample --digit chooses it");
    options.group("Training");
    options.with(Resume::any)
        .number("--epochs", s.epochs, between(1, kMostEpochs), "N [50]", "times through the data");
    options.with(Resume::any)
        .number("--iterations", s.iterations, one_or_more, "N", "steps of G, instead of --epochs");
    options.number("--batch-size", s.batch_size, between(2, 1 << 16), "N [64]", "pictures per step");
    options.choice("--loss", s.recipe.loss, kLosses, "what the two minimise");
    options.number("--learning-rate", s.recipe.g_learning_rate, more_than(0), "X [0.002]", "Adam's");
    options.number("--d-learning-rate", s.recipe.d_learning_rate, more_than(0), "X [as --learning-rate]",
                   "D's");
    options.number("--beta1", s.recipe.betas[0], below_one, "X [0.5]", "Adam's memory of gradients");
    options.number("--beta2", s.recipe.betas[1], below_one, "X [0.999]", "and of their squares");
    options.number("--label-smoothing", s.recipe.label_smoothing, below_one, "X [0]",
                   "D is to believe real pictures with 1 - X");
    options.number("--gp-weight", s.recipe.gp_weight, not_negative, "X [10]",
                   "of wgan-gp's gradient penalty");
    options.number("--clip-grad", s.recipe.clip_grad, not_negative, "X [5]",
                   "largest norm of a player's gradient: against bursts; 0: any");
    options.number("--d-steps", s.recipe.d_steps, one_or_more, "N [1]", "steps of D for each of G");
    options.number("--ema", s.recipe.ema, below_one, "X [0.999]",
                   "decay of G's average, which makes the samples; 0: none");
    options.number("--seed", s.recipe.seed, not_negative, "N [0]", "of weights, noise and order");
    options.group("On the way", Resume::any);
    options.number("--sample-every", s.sample_every, one_or_more, "N [each epoch]",
                   "iterations between grids");
    options.grid("--grid", s.grid, kMostSide, "CxR [8x8]", "columns and rows of the grids");
    options.number("--checkpoint-every", s.checkpoint_every, one_or_more, "N [500]",
                   "iterations between checkpoints");
    options.number("--check-every", s.check_every, one_or_more, "N [100]",
                   "iterations between checks for a collapse");
    options.choice("--on-collapse", s.on_collapse, kOnCollapse,
                   "what to do then; rollback: to the last good checkpoint, with half the learning rate");
    options.number("--evaluate-every", s.evaluate_every, between(0, kMostEpochs), "N [5]",
                   "epochs between evaluations of labelled data, to keep the best; 0: never");
    options.file("--classifier", s.classifier,
                 "what evaluates (default: one is trained, OUT/classifier.safetensors)");
}

void add_model(Options& options, std::string& model, std::string& out, const char* what) {
    options.file("--model", model, "what train has written: model, best or checkpoint")
        ->required()
        ->option_text("FILE (required)");
    options.file("--out", out, what)->required()->option_text("FILE (required)");
}

void add_sample(Options& options, SampleSettings& s) {
    options.group("Samples");
    add_model(options, s.model, s.out, "picture: .png or .jpg; or .safetensors, the tensor 'samples'");
    options.number("--count", s.count, between(1, 1'000'000), "N [as the grid]", "how many");
    options.grid("--grid", s.grid, kMostSide, "CxR [8 columns]", "columns and rows");
    options.number("--digit", s.digit, between(0, 255), "N [all]", "the class, for --conditional models");
    options.number("--zoom", s.zoom, between(1, 32), "N [1]", "pixels a side for each");
    options.number("--seed", s.seed, not_negative, "N [0]", "of the noise");
}

void add_walk(Options& options, WalkSettings& s) {
    options.group("The walk");
    add_model(options, s.model, s.out, "an animation, .gif; or a strip of pictures, .png or .jpg");
    options.number("--stops", s.stops, between(2, 1000), "N [8]", "random points on a closed path");
    options.number("--frames", s.frames, between(1, 1000), "N [12]", "from one to the next");
    options.grid("--grid", s.grid, kMostSide, "CxR [4x4]", "walks side by side (of a strip: its rows, R)");
    options.number("--digit", s.digit, between(0, 255), "N [all]", "the class, for --conditional models");
    options.number("--zoom", s.zoom, between(1, 32), "N [2]", "pixels a side for each");
    options.number("--delay", s.delay, between(2, 65535), "N [6]",
                   "hundredths of a second per frame; browsers show 0 and 1 ten times slower");
    options.number("--seed", s.seed, not_negative, "N [0]", "of the points");
}

void add_evaluate(Options& options, EvaluateSettings& s) {
    options.group("Evaluation");
    add_data(options, s.data, s.image_size);
    options.file("--model", s.model, "what train has written: model, best or checkpoint");
    options.file("--samples", s.samples,
                 "pictures instead: .safetensors with 'samples', (N,pixels) in -1…1, or IDX");
    options.file("--classifier", s.classifier,
                 "a trained classifier; with --train-classifier: where it goes");
    options.flag("--train-classifier", s.train_classifier, "train one on the data");
    options.number("--classifier-epochs", s.classifier_epochs, between(1, 1000), "N [3]",
                   "times through the data then");
    options.number("--count", s.count, between(4, 1'000'000), "N [2000]", "samples to draw from the model");
    options.number("--seed", s.seed, not_negative, "N [0]", "of the noise and of the classifier");
    options.file("--json", s.json, "the figures as JSON");
    options.file("--neighbours", s.neighbours,
                 "a picture of samples over what is nearest to them in the data");
}

}  // namespace

Settings parse_command_line(int argc, char** argv) {
    Commands<Settings> commands(
        "mnist_gan", "Trains a generative adversarial network on digits, and makes new ones.", kExamples);
    commands.add("train", "train the two networks", add_train);
    commands.add("sample", "make pictures", add_sample);
    commands.add("walk", "walk from picture to picture", add_walk);
    commands.add<EvaluateSettings>(
        "evaluate", "measure how good samples are", add_evaluate, [](const EvaluateSettings& s) {
            if (s.model.empty() == s.samples.empty())
                throw CLI::ValidationError("--model or --samples", "one of them is needed");
        });
    Settings settings = commands.parse(argc, argv);
    if (auto* train = std::get_if<TrainSettings>(&settings)) {
        train->networks.batch_norm = !train->plain;
        if (train->recipe.d_learning_rate == 0) train->recipe.d_learning_rate = train->recipe.g_learning_rate;
    }
    return settings;
}

}  // namespace lily::mnist_gan
