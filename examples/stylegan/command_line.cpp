// SPDX-License-Identifier: MIT
#include "examples/stylegan/command_line.h"

#include "examples/common/commands.h"

namespace lily::stylegan {
namespace {

const char* const kExamples = R"(Examples:
  stylegan train --data build/data/fashion-mnist --out run
  stylegan train --data photos --resolution 64 --mirror --augment colour,translation,cutout --out run
  stylegan generate --model run/model.safetensors --seeds 0-63 --psi 0.7 --out pictures
  stylegan mix --model run/model.safetensors --rows 0-2 --cols 10-15 --out mix.png
  stylegan truncation --model run/model.safetensors --out truncation.png
  stylegan noise --model run/model.safetensors --out noise.png
  stylegan walk --model run/model.safetensors --out walk.gif
Ctrl-C ends a training with all of its files; the same command with --resume goes on from there.)";

const Bounds one_or_more = at_least(1), not_negative = at_least(0), below_one = between(0, 0.999999999);

void add_train(Options& options, TrainSettings& s) {
    options.group("Data and results", Resume::any);
    options.with(Resume::same_content)
        .add("--data", s.data, "DIR (required)",
             "MNIST's files (also those of Fashion-MNIST and EMNIST), or a folder of pictures")
        ->required();
    options.add("--out", s.out, "DIR (required)", "a folder for all that the training writes")->required();
    options.flag("--resume", s.resume, "go on where the run in --out was; begin if there is none");
    options.group("Pictures");
    options.number("--resolution", s.resolution, between(8, 1024), "N [32]",
                   "pixels a side, a power of two; MNIST's 28 get a black border");
    options.flag("--grey", s.grey, "a folder's pictures in grey instead of colours");
    options.flag("--labels", s.labels, "both networks are told the class: generate --class chooses it");
    options.flag("--mirror", s.mirror, "every other picture has left and right exchanged");
    options.group("Networks and training");
    options.choice("--preset", s.preset, kPresets,
                   "sizes of the networks: for two CPU cores, or the paper's");
    options.with(Resume::any)
        .number("--kimg", s.kimg, more_than(0), "X [300]", "thousands of pictures to train with");
    options.number("--latent", s.latent, between(1, 4096), "N [128; paper: 512]", "numbers in z and in w");
    options.number("--feature-max", s.feature_max, between(1, 4096), "N [128; paper: 512]",
                   "feature maps of the widest layers");
    options.with(Resume::any)
        .number("--iterations", s.iterations, one_or_more, "N", "steps, instead of --kimg");
    options.number("--batch-size", s.recipe.batch_size, between(1, 4096), "N [32]",
                   "pictures per step, a multiple of 4");
    options.choice("--loss", s.recipe.loss, kLosses, "what the two networks minimise");
    options.number("--gamma", s.recipe.gamma, not_negative, "X [1]",
                   "of the penalty on D's gradient; the paper's is 10, for 1024x1024");
    options.number("--penalty-every", s.recipe.penalty_every, between(1, 1000), "N [1]",
                   "steps: the penalty is computed in every Nth, N times as strong");
    options.number("--learning-rate", s.recipe.learning_rate, more_than(0), "X [0.001]", "Adam's");
    options.flag("--no-progressive", s.no_progressive, "full resolution from the start");
    options.number("--start-resolution", s.start_resolution, between(4, 1024), "N [8]",
                   "that training begins with");
    options.number("--level-kimg", s.level_kimg, more_than(0), "X [30; paper: 600]",
                   "of each resolution before the next is faded in, and of fading it in");
    options.number("--mixing", s.recipe.mixing, between(0, 1), "X [0.9]", "share of batches with two styles");
    options.number("--ema-kimg", s.ema_kimg, more_than(0), "X [10]",
                   "half-life of G's average, which makes the samples");
    options.add("--augment", s.augment, "colour,translation,cutout",
                "D sees changed pictures only: for few pictures (DiffAugment)");
    options.number("--seed", s.recipe.seed, not_negative, "N [0]", "of weights, noise and order");
    options.group("On the way", Resume::any);
    options.number("--sample-every", s.sample_every, more_than(0), "X [10]", "kimg between grids of samples");
    options.grid("--grid", s.grid, 64, "CxR [8x8]", "columns and rows of the grids");
    options.number("--checkpoint-every", s.checkpoint_every, more_than(0), "X [5]",
                   "kimg between checkpoints");
    options.number("--check-every", s.check_every, one_or_more, "N [100]",
                   "steps between checks for a collapse");
    options.choice("--on-collapse", s.on_collapse, kOnCollapse,
                   "what to do then; rollback: to the last good checkpoint, with half the learning rate");
    options.number("--evaluate-every", s.evaluate_every, not_negative, "X [50]",
                   "kimg between Fréchet distances, of labelled data; 0: never");
}

CLI::Option* add_model(Options& options, ModelSettings& s) {
    CLI::Option* model =
        options.file("--model", s.model, "what train has written: model, best or checkpoint")
            ->required()
            ->option_text("FILE (required)");
    options.number("--class", s.sampling.label, between(0, 1'000'000), "N [all]", "for models of --labels");
    options.number("--cutoff", s.sampling.cutoff, between(0, 18), "N [8]", "layers that are truncated");
    return model;
}

const Bounds any_psi = between(-5, 5);

void add_psi(Options& options, ModelSettings& s) {
    options.number("--psi", s.sampling.psi, any_psi, "X [0.7]",
                   "truncation: 1 is the whole variety, 0 the average picture");
}

void add_noise(Options& options, ModelSettings& s) {
    options.choice("--noise", s.sampling.noise, kNoises,
                   "that layers add: each seed's, the same for all, none");
}

void add_generate(Options& options, GenerateSettings& s) {
    options.group("Pictures");
    CLI::Option* model = add_model(options, s)->required(false)->option_text("FILE (or --weights)");
    add_psi(options, s);
    add_noise(options, s);
    options.add("--out", s.out, "DIR (or --npy)", "a folder for seed0000.png … and sheet.png");
    options.add("--seeds", s.seeds, "LIST [0-63]", "which pictures: 0-63, or 3,5,8-11");
    options.number("--columns", s.columns, between(1, 256), "N [8]", "of the sheet");
    options.number("--zoom", s.zoom, between(1, 32), "N [1]", "pixels a side for each, on the sheet");
    options.flag("--sheet-only", s.sheet_only, "no files of single pictures");
    options.group("From and for other programs");
    options.file("--weights", s.weights, "safetensors, a generator's tensors by their names alone")
        ->excludes(model);
    options.file("--latents", s.latents, ".npy of NumPy: a row per picture, instead of --seeds");
    options.choice("--space", s.space, kSpaces,
                   "what the rows are: (N,latent); (N,width) or (N,layers,width)");
    options.file("--npy", s.npy, ".npy for the pictures as they are, (N,C,H,W) f32, about -1…1");
}

void add_figure(Options& options, FigureSettings& s, const char* out = "the figure, .png or .jpg") {
    options.group("Figure");
    add_model(options, s);
    options.add("--out", s.out, "FILE (required)", out)->required();
    options.number("--zoom", s.zoom, between(1, 32), "N [so that small pictures are seen]",
                   "pixels a side for each");
}

void add_mix(Options& options, MixSettings& s) {
    add_figure(options, s);
    add_psi(options, s);
    add_noise(options, s);
    options.add("--rows", s.rows, "LIST [0-2]",
                "seeds of the first column: all that is not taken from a column");
    options.add("--cols", s.columns, "LIST [10-15]", "seeds of the first row, whose styles are taken");
    options.choice("--styles", s.styles, kStyles,
                   "coarse: of 4x4 and 8x8; middle: 16x16 and 32x32; fine: larger ones; all: each in turn. "
                   "32x32 pictures: 4x4 and 8x8; 16x16; 32x32. 16x16 ones: 4x4; 8x8; 16x16");
}

void add_truncation(Options& options, TruncationSettings& s) {
    add_figure(options, s);
    add_noise(options, s);
    options.add("--seeds", s.seeds, "LIST [0-4]", "a row for each");
    options.numbers(
        "--psi", s.psis, any_psi, "LIST [1,0.7,0.5,0,-0.5,-1]",
        "a column for each: 1 is the whole variety, 0 the average picture, below it the opposite");
}

void add_noise_figure(Options& options, NoiseSettings& s) {
    add_figure(options, s);
    add_psi(options, s);
    options.add("--seeds", s.seeds, "LIST [0-3]", "a row for each: draws of noise, and how far pixels vary");
    options.number("--draws", s.draws, between(2, 100'000), "N [100]",
                   "of noise, for the standard deviation");
    options.number("--shown", s.shown, between(1, 1000), "N [5]", "pictures of them");
}

void add_walk(Options& options, WalkSettings& s) {
    add_figure(options, s, "an animation, .gif; or a folder for frame0000.png …");
    add_psi(options, s);
    add_noise(options, s);
    options.add("--seeds", s.seeds, "LIST [0-31]",
                "stops: the first of all walks, then the second of all, and so on");
    options.grid("--grid", s.grid, 64, "CxR [4x2]", "walks side by side");
    options.number("--frames", s.frames, between(1, 1000), "N [24]", "from one stop to the next");
    options.number("--delay", s.delay, between(2, 65535), "N [6]", "hundredths of a second per frame");
}

void add_evaluate(Options& options, EvaluateSettings& s) {
    options.group("Evaluation");
    add_model(options, s);
    options.add("--data", s.data, "DIR (required)", "what the model was trained with, with classes")
        ->required();
    options.number("--psi", s.sampling.psi, any_psi, "X [1]",
                   "truncation: 1 is the whole variety, 0 the average picture");
    add_noise(options, s);
    options.file("--classifier", s.classifier, "a trained one; one that is trained now goes there");
    options.number("--count", s.count, between(4, 1'000'000), "N [2000]", "samples, of as many seeds");
    options.number("--seed", s.seed, between(0, 1e12), "N [0]", "the first");
    options.file("--json", s.json, "the figures as JSON");
    options.file("--neighbours", s.neighbours,
                 "a picture of samples over what is nearest to them in the data");
}

models::Augmentation parse_augmentation(const std::string& text) {
    models::Augmentation what;
    for (size_t at = 0; at < text.size();) {
        const size_t end = std::min(text.find(',', at), text.size());
        const std::string word = text.substr(at, end - at);
        if (word == "colour")
            what.colour = true;
        else if (word == "translation")
            what.translation = true;
        else if (word == "cutout")
            what.cutout = true;
        else
            throw CLI::ValidationError("--augment",
                                       fmt::format("'{}' is none of colour, translation, cutout", word));
        at = end + 1;
    }
    return what;
}

}  // namespace

Settings parse_command_line(int argc, char** argv) {
    Commands<Settings> commands("stylegan", "Trains StyleGAN on pictures, and makes new ones.", kExamples);
    commands.add<TrainSettings>("train", "train the two networks", add_train, [](TrainSettings& s) {
        s.recipe.augmentation = parse_augmentation(s.augment);
    });
    commands.add("generate", "make pictures of seeds", add_generate);
    commands.add("mix", "figure: styles of two pictures in one", add_mix);
    commands.add("truncation", "figure: from pictures to their opposites", add_truncation);
    commands.add("noise", "figure: what noise changes", add_noise_figure);
    commands.add("walk", "an animation from picture to picture", add_walk);
    commands.add("evaluate", "Fréchet distance, precision, recall, copies", add_evaluate);
    return commands.parse(argc, argv);
}

}  // namespace lily::stylegan
