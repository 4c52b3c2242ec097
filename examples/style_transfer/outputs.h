// SPDX-License-Identifier: MIT
// The files that a run of style_transfer writes beside its log.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "examples/common/saved_files.h"
#include "examples/style_transfer/command_line.h"
#include "framework/train/run.h"

namespace lily::style_transfer {

// Throws what writing the files of a run would throw at the end, by writing beside each, before the work
// begins.
void check_outputs(const Settings& s);

class Outputs {
  public:
    // Refers to all of its arguments.
    Outputs(const Settings& s, const models::StyleTransfer& painting, const models::Picture& content,
            const std::vector<models::Picture>& styles)
        : s_(s), painting_(painting), content_(content), styles_(styles) {}

    // `options` with the files of a run: its log and checkpoints, and what is saved where it fails.
    train::RunOptions with_files(train::RunOptions options);
    void save_numbered(int64_t iteration) const;  // the picture of --save-every
    // After the last step: picture, sheet and plot.
    void finish(const train::Log& log);
    // write(path), or elsewhere if that fails. Says where it is, and returns that; empty: nowhere.
    std::string save(const char* what, const std::string& path,
                     const std::function<void(const std::string&)>& write);
    // Throws if something was not saved where it was to go.
    void require_all_in_place() const { saved_.require_all_in_place(); }

  private:
    std::string save_picture();
    io::Image picture() const;

    const Settings& s_;
    const models::StyleTransfer& painting_;
    const models::Picture& content_;
    const std::vector<models::Picture>& styles_;
    SavedFiles saved_;
};

}  // namespace lily::style_transfer
