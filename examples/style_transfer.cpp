// SPDX-License-Identifier: MIT
// Paints one picture in the style of another (Gatys, Ecker & Bethge 2016). The method is in
// models/style_transfer, the rest of the program (options, estimates, what is written) in
// examples/style_transfer.
#include <algorithm>
#include <filesystem>
#include <future>
#include <memory>

#include "examples/common/program.h"
#include "examples/style_transfer/command_line.h"
#include "examples/style_transfer/estimate.h"
#include "examples/style_transfer/outputs.h"
#include "examples/style_transfer/profile.h"
#include "framework/device_choice.h"
#include "framework/train/interrupt.h"
#include "kernels/common/parallel.h"

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
        if (fs::exists(base / relative, none)) return (base / relative).lexically_normal().string();
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

// What a resumed run must have in common with the one that it continues.
RunSettings settings_that_matter(const Settings& s, const Vgg19& network, const Picture& content,
                                 const std::vector<Picture>& styles) {
    RunSettings settings = {
        {"--content", picture_setting(content)},
        {"--optimizer", word_for(s.optimizer, kOptimizers)},
        {"--learning-rate", fmt::format("{}", s.learning_rate)},
        {"--content-weight", fmt::format("{}", s.content_weight)},
        {"--style-weight", fmt::format("{}", s.style_weight)},
        {"--tv-weight", fmt::format("{}", s.tv_weight)},
        {"--content-layers", s.content_layers},
        {"--style-layers", s.style_layers},
        {"--style-blend", fmt::format("{}", fmt::join(s.blend, ","))},
        {"--content-reduction", word_for(s.content_reduction, kReductions)},
        {"--pooling", word_for(s.pooling, kPoolings)},
        {"--weights", fingerprint(network.state_dict().at("features.28.weight").to(Device::cpu))},
    };
    for (size_t i = 0; i < styles.size(); ++i)
        settings[fmt::format("--style {}", i + 1)] = picture_setting(styles[i]);
    return settings;
}

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

int paint(const Settings& s) {
    check_outputs(s);
    if (s.threads > 0) kernels::set_max_threads(s.threads);
    const DeviceChoice chosen = choose_device(s.device);
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

    StyleTransfer run(std::move(loss), initial_image(s.init, content, styles[0], s.seed).to(chosen.device),
                      s.optimizer, s.learning_rate, content.matte.to(chosen.device));
    Outputs outputs(s, run, content, styles,
                    [&] { return settings_that_matter(s, network, content, styles); });
    RunProfile profile(s, chosen.device, s.iterations - run.iteration());
    heed_interrupts();
    try {
        outputs.begin();
        while (run.iteration() < s.iterations && !interrupted && run.stalled().empty()) {
            outputs.after_step(run.step());
            profile.after_step();
        }
        profile.stop();
        run.losses();  // the last step may have left the numbers, too
    } catch (const Diverged& error) {
        fail("{}{}", error.what(), outputs.rescue("the last good picture", interrupted != 0));
    } catch (const std::exception& error) {  // a log on a full disk, say
        fail("{}{}", error_text(error), outputs.rescue("the picture so far", true));
    }
    const int status = outputs.finish(interrupted);
    profile.finish([&](const auto& write) { outputs.save("profile", s.profile, write); });
    outputs.require_all_in_place();
    return status;
}

}  // namespace

int main(int argc, char** argv) {
    return run_program({"style_transfer", "choose a smaller --size, or fewer --threads"}, argv,
                       [&] { return paint(parse_command_line(argc, argv)); });
}
