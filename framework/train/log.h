// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "framework/io/csv.h"
#include "framework/io/plot.h"

namespace lily::train {

// A number that a run logs in every step.
struct Column {
    std::string name;               // in the CSV's header
    std::string label = {};         // before the number in the progress line; empty: not shown there
    std::string format = "{:.3g}";  // how it is shown there
};

// The history of a run: a row of numbers per step, each appended to a CSV file as it comes, and all of them
// in memory for the plot. The file is the history: a checkpoint holds none of it, and a resumed run reads it
// back.
class Log {
  public:
    // An empty path keeps the rows in memory only.
    Log(std::string path, std::vector<Column> columns);
    // Begins the file anew or, with `last` > 0, goes on after step `last`: later rows are dropped. Those up
    // to there are read from `from`, or where that is empty from the file itself.
    void open(int64_t last = 0, const std::string& from = {});

    void row(int64_t step, std::span<const double> values);  // `values` in the columns' order
    void rewind(int64_t last);                               // drops what came after step `last`
    void sync();                                             // returns when the rows are on the disk
    void save_copy(const std::string& path) const;           // all rows, as a file that open() goes on with

    size_t size() const { return steps_.size(); }
    double last(const std::string& column) const;  // of the last row
    std::string progress_text() const;             // "D 0.693  G 0.71" of the last row
    // A curve for a plot: at most `most` points, each the mean of a piece of the rows.
    io::PlotSeries series(const std::string& column, const std::string& name, size_t most = 1000) const;

  private:
    size_t index(const std::string& column) const;
    std::vector<std::string> header() const;
    std::span<const double> row(size_t i) const;

    std::string path_;
    std::vector<Column> columns_;
    std::optional<io::CsvLog> file_;
    std::vector<int64_t> steps_;
    std::vector<double> values_;  // (rows, columns)
};

}  // namespace lily::train
