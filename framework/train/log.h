// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "framework/io/csv.h"
#include "framework/io/plot.h"
#include "framework/io/tensors.h"

namespace lily::train {

// A number that a run logs in every step.
struct Column {
    std::string name;               // in the CSV's header
    std::string label = {};         // before the number in the progress line; empty: not shown there
    std::string format = "{:.3g}";  // how it is shown there
};

// The history of a run: a row of numbers per step, each appended to a CSV file as it comes, and all of them
// in memory for the plot. The file is the history, and a resumed run reads it back. Only where there is no
// file that can be read (none is wanted, a pipe, a terminal) a checkpoint holds the rows.
class Log {
  public:
    // An empty path keeps the rows in memory only.
    Log(std::string path, std::vector<Column> columns);
    // Begins the file anew or, with `last` > 0, goes on after step `last`: later rows are dropped. Those up
    // to there are `rows`, a state_dict(), or where that is empty those in the file.
    void open(int64_t last = 0, const StateDict& rows = {});

    void row(int64_t step, std::span<const double> values);  // `values` in the columns' order
    void rewind(int64_t last);                               // drops what came after step `last`
    void sync();                                             // returns when the rows are on the disk
    bool is_on_disk() const { return file_ && file_->is_regular(); }
    StateDict state_dict() const;  // "steps" (rows) i64 and "values" (rows, columns) f64; empty without rows

    size_t size() const { return steps_.size(); }
    double last(const std::string& column) const;  // of the last row
    std::string progress_text() const;             // "D 0.693  G 0.71" of the last row
    // A curve for a plot: at most `most` points, each the mean of a piece of the rows.
    io::PlotSeries series(const std::string& column, const std::string& name, size_t most = 1000) const;

  private:
    size_t index(const std::string& column) const;
    void drop_after(int64_t last);  // in memory
    std::vector<std::string> header() const;

    std::string path_;
    std::vector<Column> columns_;
    std::optional<io::CsvLog> file_;
    std::vector<int64_t> steps_;
    std::vector<double> values_;  // (rows, columns)
};

}  // namespace lily::train
