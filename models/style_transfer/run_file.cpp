// SPDX-License-Identifier: MIT
#include "models/style_transfer/run_file.h"

#include "framework/io/checkpoint.h"
#include "framework/io/fingerprint.h"

namespace lily::models {
namespace {

const std::string kHistory = "history";  // (iterations, 4) of f64: content, style, tv, total

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
    checkpoint.require_settings("style_transfer", settings, path);

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

}  // namespace lily::models
