// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "framework/io/file.h"

namespace lily::io {

// A log with a header and one row per iteration; its first column is the iteration. Each row reaches the file
// in one write as soon as it is given, so that a killed run leaves whole rows. Numbers read back exactly.
class CsvLog {
  public:
    // What stands in a log: the first column, and the others row by row.
    struct Rows {
        std::vector<int64_t> iterations = {};
        std::vector<double> values = {};  // (rows, columns - 1)
    };

    // A new log; what was at `path` is replaced.
    CsvLog(const std::string& path, const std::vector<std::string>& columns);

    // Goes on with a log after iteration `last`: later rows, and a row cut short, are dropped, so that the
    // resumed run leaves every iteration once. A missing file is begun, and so is what cannot be read back
    // (a pipe, a terminal, stdout); a file with other columns is an error.
    // `kept`, where given, receives the rows that stay.
    static CsvLog resume(const std::string& path, const std::vector<std::string>& columns, int64_t last,
                         Rows* kept = nullptr);

    ~CsvLog();
    CsvLog(CsvLog&& other) noexcept;
    CsvLog& operator=(CsvLog&&) = delete;

    // `values`: the columns after the first.
    void row(int64_t iteration, std::span<const double> values);
    void sync();                                              // returns when all rows are on the disk
    bool is_regular() const { return to_.is_replaceable(); }  // a file whose rows can be read back

  private:
    CsvLog(Destination to, size_t columns);
    CsvLog(Destination to, const std::vector<std::string>& columns);
    void cut(size_t bytes);
    void write(const std::string& text);

    Destination to_;
    size_t columns_ = 0;
    int fd_ = -1;
};

}  // namespace lily::io
