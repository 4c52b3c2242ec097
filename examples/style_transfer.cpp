// SPDX-License-Identifier: MIT
// Paints one picture in the style of another (Gatys, Ecker & Bethge 2016). The method is in
// models/style_transfer, the rest of the program (options, estimates, what is written) in
// examples/style_transfer.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <future>
#include <memory>
#include <utility>

#include "examples/common/program.h"
#include "examples/style_transfer/command_line.h"
#include "examples/style_transfer/estimate.h"
#include "examples/style_transfer/outputs.h"
#include "examples/style_transfer/profile.h"
#include "framework/io/fingerprint.h"
#include "framework/train/run.h"

namespace {

using namespace lily;
using namespace lily::models;
using namespace lily::style_transfer;

// --weights, or weights/vgg19.safetensors of the working directory, or of the source tree that this program
// was built in.
std::string find_weights(const Settings& s) {
    namespace fs = std::filesystem;
    if (!s.weights.empty()) return s.weights;
    const fs::path relative = "weights/vgg19.safetensors";
    std::error_code none;
    for (const fs::path& base :
         {fs::path("."), fs::read_symlink("/proc/self/exe", none).parent_path() / "../../.."})
        if (io::exists(base / relative)) return (base / relative).lexically_normal().string();
    fail(
        "there are no weights yet: run bash tools/demo.sh once, or tools/convert_vgg19.py, or name a file "
        "with --weights");
}

StyleTransferOptions method_options(const Settings& s) {
    const auto style_layers = std::count(s.style_layers.begin(), s.style_layers.end(), ',') + 1;
    return {.content_layers = parse_layers(s.content_layers, 1),
            .style_layers = parse_layers(s.style_layers, 1.0 / static_cast<double>(style_layers)),
            .content_weight = s.content_weight,
            .style_weight = s.style_weight,
            .tv_weight = s.tv_weight,
            .content_reduction = s.content_reduction};
}

const std::vector<train::Column> kLog = {
    {"seconds"}, {"content", "content"}, {"style", "style"}, {"tv", "tv"}, {"total", "total", "{:.4g}"}};

struct Pictures {
    Picture content;
    std::vector<Picture> styles;
};

Pictures load_pictures(const Settings& s, const Estimate& estimate) {
    Pictures pictures{load_picture(s.content, s.size,
                                   [&](int w, int h) {
                                       estimate.check_content({s.content, w, h});
                                   }),
                      {}};
    for (const std::string& path : s.styles)
        pictures.styles.push_back(load_picture(path, s.style_size, [&](int w, int h) {
            estimate.check_style({path, w, h});
        }));
    estimate.check_outputs(pictures.content, pictures.styles);
    return pictures;
}

// What the files of a run hold, for one that goes on from it.
io::Checkpoint::Settings contents(const Settings& s, const Vgg19& network, const Pictures& pictures) {
    io::Checkpoint::Settings prints = {{"--content", picture_setting(pictures.content)},
                                       {"--weights", io::fingerprint(network.state_dict())}};
    for (size_t i = 0; i < pictures.styles.size(); ++i)
        prints[fmt::format("--style {}", i + 1)] = picture_setting(pictures.styles[i]);
    return s.same.with(prints);
}

std::string setting_difference(const std::string& name, const std::string& now, const std::string& then) {
    const bool is_picture = name == "--content" || name.starts_with("--style ");
    return is_picture ? picture_difference(name, now, then) : io::Checkpoint::difference(name, now, then);
}

int paint(const Settings& s) {
    check_outputs(s);
    RunProfile::check_length(s, s.iterations);
    const DeviceChoice chosen = s.choose_quietly();
    const std::string weights = find_weights(s);
    const StyleTransferOptions options = method_options(s);
    const Estimate estimate(s, chosen.device, options.layers());
    // The pictures are decoded while the network's weights are looked through.
    std::future<Pictures> loading =
        std::async(std::launch::async, [&] { return load_pictures(s, estimate); });
    // Too little memory may show in the weights first: what the pictures say then says what to do.
    const auto opened = [&] {
        try {
            return std::make_unique<Vgg19>(weights, s.pooling);
        } catch (const std::exception&) {
            loading.get();
            throw;
        }
    }();
    Vgg19& network = *opened;
    network.check_layers(options.layers());
    const Pictures pictures = loading.get();
    const Picture& content = pictures.content;
    const std::vector<Picture>& styles = pictures.styles;
    std::vector<Tensor> style_inputs;
    for (const Picture& style : styles) style_inputs.push_back(style.input.to(chosen.device));

    s.say("{}", chosen.reason);
    if (!network.remark().empty()) s.say("note: {}", network.remark());
    for (const std::string& remark : content.remarks) s.say("{}", remark);
    for (const Picture& style : styles)
        for (const std::string& remark : style.remarks) s.say("{}", remark);
    estimate.say(content, styles);
    network.to(chosen.device);
    StyleTransferLoss loss(network, options, content.input.to(chosen.device), style_inputs, s.blend);

    StyleTransfer painting(std::move(loss),
                           initial_image(s.init, content, styles[0], s.seed).to(chosen.device), s.optimizer,
                           s.learning_rate, content.matte.to(chosen.device));
    Outputs outputs(s, painting, content, styles);
    train::Run run(outputs.with_files({.program = "style_transfer",
                                       .more_settings = [&] { return contents(s, network, pictures); },
                                       .difference = setting_difference,
                                       .steps = s.iterations,
                                       .checkpoint_every = s.checkpoint_every,
                                       .save_first = false,
                                       .refuse_done = true,
                                       .longer = "a larger --iterations",
                                       .quiet = s.quiet}),
                   kLog);
    run.add("painting", painting);
    run.begin();
    RunProfile::check_length(s, s.iterations - run.step());
    RunProfile profile(s, chosen.device);

    const train::Log& log = run.history();
    const int64_t first = run.step();
    const double seconds_before = log.size() > 0 ? log.last("seconds") : 0;
    const auto started = std::chrono::steady_clock::now();
    double seconds = seconds_before;
    const int status = run.loop([&] {
        profile.before_step();
        const LossValues l = painting.step();
        const std::chrono::duration<double> here = std::chrono::steady_clock::now() - started;
        const double before = std::exchange(seconds, seconds_before + here.count());
        run.log({seconds, l.content, l.style, l.tv, l.total});
        const int64_t left = s.iterations - run.step();
        // The first step fetches memory and prepares the weights. (On a GPU later ones are replayed: faster
        // still.)
        if (run.step() == first + 2 && left > 0)
            run.message(fmt::format("{} more iterations, about {}", left,
                                    io::format_duration((seconds - before) * static_cast<double>(left))));
        if (run.is_due(s.save_every)) outputs.save_numbered(run.step());
        if (!painting.stalled().empty()) run.finish("the picture no longer changes: " + painting.stalled());
        if (!run.is_over()) return;
        profile.stop();
        painting.losses();  // the last step may have left the numbers, too
    });
    outputs.finish(log);
    if (status == 0)
        s.say("done in {}: content {:.4g}, style {:.4g}, tv {:.3g}, total {:.5g}; peak of tensors {} MB",
              io::format_duration(seconds), log.last("content"), log.last("style"), log.last("tv"),
              log.last("total"), allocator(chosen.device).stats().peak_bytes / 1'000'000);
    profile.finish([&](const auto& write) { outputs.save("profile", s.profile, write); });
    outputs.require_all_in_place();
    return status;
}

}  // namespace

int main(int argc, char** argv) {
    return run_program({"style_transfer", "choose a smaller --size, or fewer --threads"},
                       [&] { return paint(parse_command_line(argc, argv)); });
}
