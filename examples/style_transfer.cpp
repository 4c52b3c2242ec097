// SPDX-License-Identifier: MIT
// Paints one picture in the style of another (Gatys, Ecker & Bethge 2016). The method is in
// models/style_transfer.
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>

#include "framework/io/csv.h"
#include "framework/io/plot.h"
#include "framework/io/progress.h"
#include "kernels/common/parallel.h"
#include "models/style_transfer/pictures.h"
#include "models/style_transfer/run_file.h"

namespace {

using namespace lily;
using namespace lily::models;

struct Settings {
    std::string content, output, weights, log, sheet, plot, checkpoint, resume, device = "auto";
    std::vector<std::string> styles;
    std::vector<double> blend;
    int size = 512, style_size = -1, threads = 0;  // style_size -1: as size
    int64_t iterations = 1500, save_every = 0, checkpoint_every = 100;
    uint64_t seed = 0;
    double learning_rate = 0.01, content_weight = 1e3, style_weight = 5e6, tv_weight = 1e-6;
    std::string content_layers = "relu4_2", style_layers = "relu1_1,relu2_1,relu3_1,relu4_1,relu5_1";
    ContentReduction content_reduction = ContentReduction::mean;
    Pooling pooling = Pooling::max;
    Init init = Init::content;
    OptimizerKind optimizer = OptimizerKind::adam;
    bool preserve_color = false, quiet = false;
};

const char* const kExamples = R"(Examples:
  style_transfer --content me.jpg --style starry.jpg --output painted.png
  style_transfer --content me.jpg --style a.jpg b.jpg --style-blend 0.7,0.3 --size 768 --output painted.png
  style_transfer --content me.jpg --style a.jpg --output painted.png --preserve-color \
                 --sheet sheet.png --plot loss.svg --log run.csv
Ctrl-C saves the picture and a checkpoint; the same command with --resume FILE goes on from there.)";

// One line on stderr and a non-zero exit, for whatever is wrong with the command line.
[[noreturn]] void exit_with(const std::string& message) {
    fmt::print(stderr, "style_transfer: {}\n", message);
    std::exit(2);
}

Settings parse(int argc, char** argv) {
    Settings s;
    CLI::App app("Paints the content picture in the style of the style picture.", "style_transfer");
    app.footer(kExamples);
    app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);  // the last word counts
    const auto positive = CLI::PositiveNumber;
    const auto not_negative = CLI::NonNegativeNumber;

    app.add_option("--content", s.content, "the picture to paint: PNG, JPEG, BMP or TGA")
        ->required()
        ->option_text("FILE (required)")
        ->group("Pictures");
    app.add_option("--style", s.styles, "one or more pictures whose style to use")
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->required()
        ->option_text("FILE… (required)")
        ->group("Pictures");
    app.add_option("--output", s.output, "where the result goes: .png or .jpg")
        ->required()
        ->option_text("FILE (required)")
        ->group("Pictures");
    app.add_option("--style-blend", s.blend, "a weight per style picture; equal without it")
        ->delimiter(',')
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->check(not_negative)
        ->option_text("W,W,…")
        ->group("Pictures");
    app.add_option("--size", s.size, "longest side in pixels; 0 keeps the picture's size")
        ->check(CLI::Range(0, 16384))
        ->option_text("N [512]")
        ->group("Pictures");
    app.add_option("--style-size", s.style_size,
                   "the same for the style pictures: larger gives larger strokes")
        ->check(CLI::Range(0, 16384))
        ->option_text("N [as --size]")
        ->group("Pictures");
    app.add_option("--init", s.init, "where the optimisation starts")
        ->transform(CLI::CheckedTransformer(std::map<std::string, Init>{
            {"content", Init::content}, {"style", Init::style}, {"noise", Init::noise}}))
        ->option_text("content|style|noise [content]")
        ->group("Pictures");
    app.add_option("--seed", s.seed, "of the noise")
        ->check(not_negative)
        ->option_text("N [0]")
        ->group("Pictures");
    app.add_flag("--preserve-color", s.preserve_color, "keep the content's colours, take only the strokes")
        ->group("Pictures");

    app.add_option("--iterations", s.iterations, "steps")
        ->check(positive)
        ->option_text("N [1500]")
        ->group("Optimisation");
    app.add_option("--optimizer", s.optimizer, "how the picture is changed")
        ->transform(CLI::CheckedTransformer(std::map<std::string, OptimizerKind>{
            {"adam", OptimizerKind::adam}, {"lbfgs", OptimizerKind::lbfgs}}))
        ->option_text("adam|lbfgs [adam]")
        ->group("Optimisation");
    app.add_option("--learning-rate", s.learning_rate, "Adam's")
        ->check(positive)
        ->option_text("X [0.01]")
        ->group("Optimisation");
    app.add_option("--content-weight", s.content_weight, "alpha")
        ->check(not_negative)
        ->option_text("X [1e3]")
        ->group("Optimisation");
    app.add_option("--style-weight", s.style_weight, "beta")
        ->check(not_negative)
        ->option_text("X [5e6]")
        ->group("Optimisation");
    app.add_option("--tv-weight", s.tv_weight, "lambda, of total variation: smooths")
        ->check(not_negative)
        ->option_text("X [1e-6]")
        ->group("Optimisation");
    app.add_option("--content-layers", s.content_layers, "name[:weight],name[:weight],…")
        ->option_text("LIST [relu4_2]")
        ->group("Optimisation");
    app.add_option("--style-layers", s.style_layers,
                   "the same; weights are 1 / number of layers unless given")
        ->option_text("LIST [relu1_1,…,relu5_1]")
        ->group("Optimisation");
    app.add_option("--content-reduction", s.content_reduction, "of the squared differences")
        ->transform(CLI::CheckedTransformer(std::map<std::string, ContentReduction>{
            {"mean", ContentReduction::mean}, {"sum", ContentReduction::sum}}))
        ->option_text("mean|sum [mean]")
        ->group("Optimisation");
    app.add_option("--pooling", s.pooling, "how the network shrinks its maps")
        ->transform(CLI::CheckedTransformer(
            std::map<std::string, Pooling>{{"max", Pooling::max}, {"avg", Pooling::average}}))
        ->option_text("max|avg [max]")
        ->group("Optimisation");

    app.add_option("--save-every", s.save_every, "also save the picture each N iterations, as OUTPUT_N.png")
        ->check(positive)
        ->option_text("N")
        ->group("Files");
    app.add_option("--log", s.log, "CSV of the weighted losses, a row per iteration")
        ->option_text("FILE")
        ->group("Files");
    app.add_option("--sheet", s.sheet, "picture of content, style and result side by side")
        ->option_text("FILE")
        ->group("Files");
    app.add_option("--plot", s.plot, "SVG of the losses")->option_text("FILE")->group("Files");
    app.add_option("--checkpoint", s.checkpoint, "save the whole state here, to resume from")
        ->option_text("FILE")
        ->group("Files");
    app.add_option("--checkpoint-every", s.checkpoint_every, "iterations between checkpoints")
        ->check(positive)
        ->option_text("N [100]")
        ->group("Files");
    app.add_option("--resume", s.resume, "go on from a checkpoint")->option_text("FILE")->group("Files");
    app.add_option("--weights", s.weights,
                   "VGG-19 (weights/vgg19.safetensors, made by tools/convert_vgg19.py)")
        ->option_text("FILE")
        ->group("Files");

    app.add_option("--device", s.device, "where it runs")
        ->check(CLI::IsMember({"auto", "cpu"}))
        ->option_text("auto|cpu [auto]")
        ->group("Machine");
    app.add_option("--threads", s.threads, "CPU threads")
        ->check(positive)
        ->option_text("N [all cores]")
        ->group("Machine");
    app.add_flag("--quiet", s.quiet, "print errors only")->group("Machine");
    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp& help) {
        std::exit(app.exit(help));
    } catch (const CLI::ParseError& error) {
        exit_with(fmt::format("{}; see style_transfer --help", error.what()));
    }
    if (s.style_size < 0) s.style_size = s.size;
    return s;
}

// --weights, or weights/vgg19.safetensors of the working directory, or of the source tree that this program
// was built in.
std::string find_weights(const Settings& s) {
    namespace fs = std::filesystem;
    if (!s.weights.empty()) return s.weights;
    const fs::path relative = "weights/vgg19.safetensors";
    std::error_code none;
    for (const fs::path& base :
         {fs::path("."), fs::read_symlink("/proc/self/exe", none).parent_path() / "../../.."})
        if (fs::exists(base / relative, none)) return (base / relative).lexically_normal().string();
    fail(
        "there are no weights yet: run bash tools/demo.sh once, or tools/convert_vgg19.py, or name a file "
        "with --weights");
}

// Everything that is written at the end is tried before the work begins.
void check_outputs(const Settings& s) {
    io::check_can_save_image(s.output);
    if (!s.sheet.empty()) io::check_can_save_image(s.sheet);
    for (const std::string& path : {s.log, s.plot, s.checkpoint})
        if (!path.empty()) io::check_writable(path);
    if (!s.plot.empty()) io::require_plot();
}

StyleTransferOptions method_options(const Settings& s) {
    StyleTransferOptions options;
    options.content_layers = parse_layers(s.content_layers, 1);
    const auto count = std::count(s.style_layers.begin(), s.style_layers.end(), ',') + 1;
    options.style_layers = parse_layers(s.style_layers, 1.0 / static_cast<double>(count));
    options.content_weight = s.content_weight;
    options.style_weight = s.style_weight;
    options.tv_weight = s.tv_weight;
    options.content_reduction = s.content_reduction;
    return options;
}

// What a resumed run must have in common with the one that it continues.
RunSettings settings_that_matter(const Settings& s, const Vgg19& network, const Picture& content,
                                 const std::vector<Picture>& styles) {
    RunSettings settings = {
        {"--content", fingerprint(content.input)},
        {"--optimizer", s.optimizer == OptimizerKind::adam ? "adam" : "lbfgs"},
        {"--learning-rate", fmt::format("{}", s.learning_rate)},
        {"--content-weight", fmt::format("{}", s.content_weight)},
        {"--style-weight", fmt::format("{}", s.style_weight)},
        {"--tv-weight", fmt::format("{}", s.tv_weight)},
        {"--content-layers", s.content_layers},
        {"--style-layers", s.style_layers},
        {"--style-blend", fmt::format("{}", fmt::join(s.blend, ","))},
        {"--content-reduction", s.content_reduction == ContentReduction::mean ? "mean" : "sum"},
        {"--pooling", s.pooling == Pooling::max ? "max" : "avg"},
        {"--weights", fingerprint(network.state_dict().at("features.28.weight"))},
    };
    for (size_t i = 0; i < styles.size(); ++i)
        settings[fmt::format("--style {}", i + 1)] = fingerprint(styles[i].input);
    return settings;
}

volatile sig_atomic_t interrupted = 0;
void on_interrupt(int signal) {
    interrupted = signal;
    struct sigaction again = {};
    again.sa_handler = SIG_DFL;  // a second Ctrl-C stops at once
    sigaction(signal, &again, nullptr);
}

// "dir/name_0100.png" for "dir/name.png"
std::string numbered(const std::string& path, int64_t iteration) {
    const std::filesystem::path p(path);
    return (p.parent_path() / fmt::format("{}_{:04}{}", p.stem().string(), iteration, p.extension().string()))
        .string();
}

void save_plot(const std::string& path, const RunHistory& history) {
    std::vector<io::PlotSeries> series = {
        {"total", {}, {}}, {"style", {}, {}}, {"content", {}, {}}, {"total variation", {}, {}}};
    for (size_t i = 0; i < history.losses.size(); ++i) {
        const LossValues& l = history.losses[i];
        const double values[] = {l.total, l.style, l.content, l.tv};
        for (size_t k = 0; k < series.size(); ++k) {
            series[k].xs.push_back(static_cast<double>(i + 1));
            series[k].ys.push_back(values[k]);
        }
    }
    io::plot_lines_svg(path, {"Style transfer: weighted losses", "iteration", "loss"}, true, series);
}

class Program {
  public:
    explicit Program(const Settings& s) : s_(s) {
        check_outputs(s);
        if (s.threads > 0) kernels::set_max_threads(s.threads);
        network_ = std::make_unique<Vgg19>(find_weights(s), s.pooling);
        const StyleTransferOptions options = method_options(s);
        content_ = load_picture(s.content, s.size);
        for (const std::string& style : s.styles) styles_.push_back(load_picture(style, s.style_size));

        std::vector<Tensor> style_inputs;
        for (const Picture& style : styles_) style_inputs.push_back(style.input);
        const std::vector<std::string> layers = announce_memory(options);
        const auto before = std::chrono::steady_clock::now();
        StyleTransferLoss loss(*network_, options, content_.input, style_inputs, s.blend);
        announce_time(layers,
                      std::chrono::duration<double>(std::chrono::steady_clock::now() - before).count());
        run_ = std::make_unique<StyleTransfer>(std::move(loss),
                                               initial_image(s.init, content_, styles_[0], s.seed),
                                               s.optimizer, s.learning_rate);
        settings_ = settings_that_matter(s, *network_, content_, styles_);
    }

    int run() {
        if (!s_.resume.empty()) {
            history_ = load_run(s_.resume, *run_, settings_);
            check(run_->iteration() < s_.iterations,
                  "'{}' has {} iterations done already; pass --iterations {} or more", s_.resume,
                  run_->iteration(), run_->iteration() + 1);
            say("goes on after iteration {}", run_->iteration());
        }
        started_ = std::chrono::steady_clock::now();
        seconds_before_ = history_.seconds;
        struct sigaction action = {};
        action.sa_handler = on_interrupt;
        sigaction(SIGINT, &action, nullptr);
        sigaction(SIGTERM, &action, nullptr);
        try {
            iterate();
        } catch (const Diverged& error) {
            save_result();
            fail("{}; the last good picture is in {}", error.what(), s_.output);
        }
        return finish();
    }

  private:
    template <class... Args>
    void say(fmt::format_string<Args...> message, Args&&... args) const {
        if (!s_.quiet) fmt::print(stderr, "{}\n", fmt::format(message, std::forward<Args>(args)...));
    }

    std::vector<std::string> announce_memory(const StyleTransferOptions& options) const {
        std::vector<std::string> layers;
        for (const auto* list : {&options.content_layers, &options.style_layers})
            for (const LayerWeight& l : *list) layers.push_back(l.layer);
        network_->check_layers(layers);
        const int64_t h = content_.rgb.height, w = content_.rgb.width;
        // Weights, read and prepared for both directions of the convolutions: 480 MB. Activations, gradients
        // and scratch memory grow with the picture. Measured (peak resident set, 256 to 768 pixels): within 6
        // %.
        const int64_t activations = network_->activation_bytes(h, w, layers);
        const double megabytes = 480 + 3.5 * static_cast<double>(activations) / 1e6;
        const double available =
            static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1e6;
        say("picture {}x{}, {} style picture{}, device cpu ({} threads): about {:.0f} MB of memory", w, h,
            styles_.size(), styles_.size() == 1 ? "" : "s", kernels::max_threads(), megabytes);
        check(megabytes < available,
              "a picture of {}x{} needs about {:.0f} MB, this machine has {:.0f}; choose a smaller --size", w,
              h, megabytes, available);
        return layers;
    }

    // The forward passes over the target pictures have just been timed: an iteration is a forward and a
    // backward pass.
    void announce_time(const std::vector<std::string>& layers, double seconds) const {
        double flops = static_cast<double>(network_->flops(content_.rgb.height, content_.rgb.width, layers));
        const double one_pass = flops;
        for (const Picture& style : styles_)
            flops += static_cast<double>(network_->flops(style.rgb.height, style.rgb.width, layers));
        const double per_iteration = 2.2 * seconds * one_pass / flops;
        say("{} iterations, about {}", s_.iterations,
            io::format_duration(per_iteration * static_cast<double>(s_.iterations)));
    }

    double seconds() const {
        return seconds_before_ +
               std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
    }

    void iterate() {
        const std::vector<std::string> columns = {"iteration", "seconds", "content", "style", "tv", "total"};
        std::optional<io::CsvLog> log;
        if (!s_.log.empty() && s_.resume.empty()) log.emplace(s_.log, columns);
        if (!s_.log.empty() && !s_.resume.empty())
            log.emplace(io::CsvLog::resume(s_.log, columns, run_->iteration()));
        io::ProgressBar bar(s_.iterations, {.first = run_->iteration(), .quiet = s_.quiet});
        while (run_->iteration() < s_.iterations && !interrupted) {
            const LossValues l = run_->step();
            const int64_t i = run_->iteration();
            history_.losses.push_back(l);
            history_.seconds = seconds();
            if (log) log->row(i, std::vector<double>{history_.seconds, l.content, l.style, l.tv, l.total});
            bar.update(i, fmt::format("content {:.3g}  style {:.3g}  tv {:.3g}  total {:.4g}", l.content,
                                      l.style, l.tv, l.total));
            if (s_.save_every > 0 && i % s_.save_every == 0)
                io::save_image(numbered(s_.output, i), picture());
            if (!s_.checkpoint.empty() && i % s_.checkpoint_every == 0)
                save_run(s_.checkpoint, *run_, history_, settings_);
        }
    }

    io::Image picture() const { return finished_picture(run_->image(), content_, s_.preserve_color); }

    // If the picture cannot be written (a full disk), the work of the run is still put into the checkpoint.
    void save_result() const {
        const bool keep_state = !s_.checkpoint.empty() || interrupted;
        std::string lost;
        try {
            io::save_image(s_.output, picture());
        } catch (const std::exception& error) {
            lost = error.what();
        }
        if (keep_state) {
            save_run(checkpoint_path(), *run_, history_, settings_);
            say("checkpoint: {}", checkpoint_path());
        }
        check(lost.empty(), "{}", lost);
    }

    std::string checkpoint_path() const {
        return s_.checkpoint.empty() ? s_.output + ".checkpoint" : s_.checkpoint;
    }

    int finish() const {
        if (interrupted) say("interrupted after iteration {}", run_->iteration());
        save_result();
        const LossValues last = history_.losses.empty() ? LossValues{} : history_.losses.back();
        say("picture: {}", s_.output);
        if (!s_.sheet.empty()) {
            io::save_image(s_.sheet, comparison_sheet(content_, styles_, picture()));
            say("sheet: {}", s_.sheet);
        }
        if (!s_.plot.empty()) {
            save_plot(s_.plot, history_);
            say("plot: {}", s_.plot);
        }
        if (interrupted) {
            say("to go on: the same command with --resume {}", checkpoint_path());
            return 128 + interrupted;
        }
        const MemoryStats memory = allocator(Device::cpu).stats();
        say("done in {}: content {:.4g}, style {:.4g}, tv {:.3g}, total {:.5g}; peak of tensors {} MB",
            io::format_duration(history_.seconds), last.content, last.style, last.tv, last.total,
            memory.peak_bytes / 1'000'000);
        return 0;
    }

    const Settings& s_;
    std::unique_ptr<Vgg19> network_;
    Picture content_;
    std::vector<Picture> styles_;
    std::unique_ptr<StyleTransfer> run_;
    RunSettings settings_;
    RunHistory history_;
    std::chrono::steady_clock::time_point started_;
    double seconds_before_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
    const Settings settings = parse(argc, argv);
    try {
        return Program(settings).run();
    } catch (const std::exception& error) {
        fmt::print(stderr, "style_transfer: {}\n", error.what());
        return 1;
    }
}
