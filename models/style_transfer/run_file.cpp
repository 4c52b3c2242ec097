// SPDX-License-Identifier: MIT
#include "models/style_transfer/run_file.h"

#include <algorithm>
#include <utility>

#include "framework/io/checkpoint.h"
#include "framework/io/fingerprint.h"

namespace lily::models {
namespace {

const std::string kHistory = "history";  // (iterations, 4) of f64: content, style, tv, total

// In words: "0123456789abcdef 48x36" means little to a reader.
std::string picture_difference(const std::string& name, const std::string& now, const std::string& then) {
    if (name != "--content" && !name.starts_with("--style "))
        return io::Checkpoint::difference(name, now, then);
    if (then == io::Checkpoint::kNotSet) return name + " is one more";
    if (now == io::Checkpoint::kNotSet) return name + " is missing";
    const auto split = [](const std::string& text) {
        const size_t space = std::min(text.find(' '), text.size());
        return std::pair(text.substr(0, space), text.substr(std::min(space + 1, text.size())));
    };
    const auto [print, size] = split(now);
    const auto [print_then, size_then] = split(then);
    if (print == print_then) return "";  // older checkpoints have no sizes
    if (size == size_then || size_then.empty()) return name + " is another picture";
    return fmt::format("{} has {} pixels (was {}): pass the same picture and {}", name, size, size_then,
                       name == "--content" ? "--size" : "--style-size");
}

}  // namespace

void save_run(const std::string& path, const StyleTransfer& run, const RunHistory& history,
              const RunSettings& settings) {
    io::Checkpoint checkpoint;
    checkpoint.tensors = run.state_dict();
    std::vector<double> rows;
    for (const LossValues& l : history.losses) rows.insert(rows.end(), {l.content, l.style, l.tv, l.total});
    checkpoint.tensors[kHistory] = from_vector(rows, {static_cast<int64_t>(history.losses.size()), 4});
    checkpoint.put_settings("style_transfer", settings);
    checkpoint.metadata["seconds"] = fmt::format("{}", history.seconds);
    io::save_checkpoint(path, checkpoint);
}

RunHistory load_run(const std::string& path, StyleTransfer& run, const RunSettings& settings) {
    const io::Checkpoint checkpoint = io::load_checkpoint(path);
    checkpoint.require_settings("style_transfer", settings, path, picture_difference);

    RunHistory history;
    const auto rows = checkpoint.tensors.find(kHistory);
    check(rows != checkpoint.tensors.end() && rows->second.rank() == 2 && rows->second.size(1) == 4 &&
              rows->second.dtype() == DType::f64,
          "'{}' has no history of losses", path);
    const double* row = rows->second.data<double>();
    for (int64_t i = 0; i < rows->second.size(0); ++i, row += 4)
        history.losses.push_back({row[0], row[1], row[2], row[3]});
    const auto seconds = checkpoint.metadata.find("seconds");
    if (seconds != checkpoint.metadata.end()) history.seconds = std::strtod(seconds->second.c_str(), nullptr);

    run.load_state_dict(checkpoint.tensors);
    check(run.iteration() == static_cast<int64_t>(history.losses.size()),
          "'{}': {} iterations, but {} rows of losses", path, run.iteration(), history.losses.size());
    return history;
}

std::string fingerprint(const Tensor& tensor) {
    io::Fingerprint of;
    of.add(fmt::format("{} {}", tensor.shape(), name(tensor.dtype())));
    of.add(tensor.contiguous().storage()->data(), tensor.nbytes());
    return of.text();
}

std::string picture_setting(const Picture& picture) {
    std::string print = fingerprint(picture.input);
    if (picture.matte.opacity().defined()) print += "-" + fingerprint(picture.matte.opacity());
    return fmt::format("{} {}x{}", print, picture.rgb.width, picture.rgb.height);
}

}  // namespace lily::models
