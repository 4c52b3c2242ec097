// SPDX-License-Identifier: MIT
// Everything that a run of style_transfer writes: picture, log, sheet, plot, checkpoints, progress.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "examples/common/saved_files.h"
#include "examples/style_transfer/command_line.h"
#include "framework/io/csv.h"
#include "framework/io/progress.h"
#include "models/style_transfer/run_file.h"

namespace lily::style_transfer {

// Throws what writing the files of a run would throw at the end, by writing beside each, before the work
// begins.
void check_outputs(const Settings& s);

class Outputs {
  public:
    // Refers to all of its arguments but the last. `same` tells what a resumed run must have in common with
    // the one that it continues; it is asked only when a checkpoint is read or written. With --resume, `run`
    // is brought to where the checkpoint left it.
    Outputs(const Settings& s, models::StyleTransfer& run, const models::Picture& content,
            const std::vector<models::Picture>& styles, std::function<models::RunSettings()> same);

    // Begins the log, or goes on with it, and shows the progress; the clock runs from here.
    void begin();
    // Records the losses of the step just done, and saves the picture and the checkpoint where they are due.
    void after_step(const models::LossValues& losses);
    // After an error: saves the picture, and the state if --checkpoint or `keep_state` asks for it, if a step
    // was done. Returns where they are, to end the error's line with; `picture`: what to call it.
    std::string rescue(const std::string& picture, bool keep_state);
    // All that is left to write. `signal`: what interrupted the run, or 0. Returns the program's exit code.
    int finish(int signal);
    // write(path), or elsewhere if that fails. Says where it is, and returns that; empty: nowhere.
    std::string save(const char* what, const std::string& path,
                     const std::function<void(const std::string&)>& write);
    // Throws if something was not saved where it was to go.
    void require_all_in_place() const { saved_.require_all_in_place(); }

  private:
    void save_result(bool keep_state);
    io::Image picture() const;
    std::string checkpoint_path() const;
    void save_plot(const std::string& path) const;

    const Settings& s_;
    models::StyleTransfer& run_;
    const models::Picture& content_;
    const std::vector<models::Picture>& styles_;
    std::function<models::RunSettings()> same_;
    models::RunHistory history_;
    std::optional<io::CsvLog> log_;
    std::optional<io::ProgressBar> bar_;
    std::chrono::steady_clock::time_point started_;
    double seconds_before_ = 0;               // of the run that this one continues
    int64_t steps_ = 0;                       // of this one
    std::string picture_at_, checkpoint_at_;  // where they have been saved
    SavedFiles saved_;
};

}  // namespace lily::style_transfer
