// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <string>
#include <vector>

#include "framework/io/picture_grid.h"
#include "framework/train/run.h"

namespace lily::train {

// A folder that holds all files of a run, and that one process at a time works in.
class RunFolder {
  public:
    // Makes the folder, and locks it for as long as this object lives. Throws if another process has it
    // locked, if the checkpoint or one of `files` cannot be written there, or if it holds a run and `resume`
    // is false. writes = false: another process of the same training does all that, this one only reads.
    RunFolder(std::string path, bool resume, const std::vector<std::string>& files = {}, bool writes = true);
    ~RunFolder();
    RunFolder(const RunFolder&) = delete;
    RunFolder& operator=(const RunFolder&) = delete;

    const std::string& path() const { return path_; }
    std::string operator/(const std::string& name) const { return path_ + "/" + name; }
    std::string checkpoint() const { return *this / "checkpoint.safetensors"; }

    // `options` with the folder's files: checkpoint.safetensors, log.csv, and the state to resume if there is
    // one.
    RunOptions with_files(RunOptions options) const;

    // A picture of how far the run is: series/0000500.png. Series are folders in this one.
    void save_picture(const std::string& series, int64_t step, const io::Image& picture) const;
    // A sheet of the pictures up to `step`, at most kMostInSheet, evenly spaced over the run; the last one
    // always. Pictures of another size than the last are left out. None: no file.
    void save_sheet(const std::string& series, int64_t step, const std::string& path) const;
    static constexpr int kMostInSheet = 15, kSheetColumns = 5;

    // Throws if grids of so many columns and rows, the last grid at `zoom`, or the sheet of all would be too
    // large for pictures; before a training, so that it does not fail at its end.
    static void check_grids(const std::string& folder, const std::string& last, const std::string& sheet,
                            const io::PictureSize& size, const std::array<int, 2>& grid, int zoom);

    // Curves of the run. Where gnuplot is missing, a line on stderr says so (not if `quiet`), rather than
    // fail at the end. No points: no file.
    static void save_plot(const std::string& path, const io::PlotText& text,
                          const std::vector<io::PlotSeries>& series, bool quiet = false);

  private:
    const std::string path_;
    const bool resume_, writes_;
    int lock_ = -1;
};

}  // namespace lily::train
