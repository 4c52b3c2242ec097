// SPDX-License-Identifier: MIT
// Everything that a training writes into its folder.
#pragma once

#include <optional>
#include <string>

#include "examples/common/saved_files.h"
#include "examples/mnist_gan/command_line.h"
#include "framework/io/csv.h"
#include "framework/io/progress.h"
#include "models/gan/evaluation.h"
#include "models/gan/model_file.h"
#include "models/gan/run_file.h"

namespace lily::mnist_gan {

// The folder's files:
//   log.csv        a row per iteration                  grids/N.png    samples after iteration N
//   monitor.csv    a row per check for a collapse       samples.png    the last grid
//   quality.csv    a row per evaluation                 sheet.png      grids over time
//   model, best    the generator at the end, and where it was best    losses.svg
//   checkpoint     to go on from; healthy: from before a collapse
class RunFolder {
  public:
    explicit RunFolder(std::string path) : path_(std::move(path)) {}
    std::string operator/(const std::string& name) const { return path_ + "/" + name; }
    const std::string& path() const { return path_; }

    std::string checkpoint() const { return *this / "checkpoint.safetensors"; }
    std::string healthy() const { return *this / "healthy.safetensors"; }
    std::string model() const { return *this / "model.safetensors"; }
    std::string best() const { return *this / "best.safetensors"; }
    std::string classifier() const { return *this / "classifier.safetensors"; }
    std::string grid(int64_t iteration) const;

    // Makes it, with grids/. Throws if it cannot be written to, or holds a run that is not to be resumed.
    void prepare(bool resume) const;
    bool has_checkpoint() const;
    bool has_healthy() const;

  private:
    std::string path_;
};

// Throws if the grids or the sheet of a training would be too large for their files.
void check_pictures(const TrainSettings& s, const RunFolder& folder, const io::PictureSize& size);

class TrainOutputs {
  public:
    // Refers to its arguments. Begins the logs, or goes on with them after `iteration`.
    TrainOutputs(const TrainSettings& s, const RunFolder& folder, int64_t iteration, int64_t iterations);

    void step(int64_t iteration, int64_t epoch, const models::GanStep& step);
    void health(int64_t iteration, const models::GanHealth& health);
    void quality(int64_t iteration, const models::GanQuality& quality);
    // Drops what was logged after `iteration`: the run has gone back to it.
    void rewind(int64_t iteration);
    void grid(int64_t iteration, const Tensor& samples, const io::PictureSize& size);
    void message(const std::string& line);

    // Ends the progress bar; writes the last grid, the sheet, the plot.
    void finish(const Tensor& samples, const io::PictureSize& size,
                const std::vector<models::GanStep>& history, SavedFiles& saved);

  private:
    void open_logs(int64_t iteration);
    void save_sheet(int64_t iterations, SavedFiles& saved) const;
    void save_plot(const std::string& path, const std::vector<models::GanStep>& history) const;

    const TrainSettings& s_;
    const RunFolder& folder_;
    const int64_t iterations_;
    std::optional<io::CsvLog> log_, monitor_log_, quality_log_;
    std::optional<io::ProgressBar> bar_;
};

}  // namespace lily::mnist_gan
