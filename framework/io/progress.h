// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>

namespace lily::io {

// Writes what a person is told. A terminal that was closed, or a full disk behind 2>, ends no run.
void put(std::FILE* stream, const std::string& text);

struct ProgressOptions {
    int64_t first = 0;   // iterations done before this run (a resumed one)
    bool quiet = false;  // prints nothing at all
    std::FILE* stream = stderr;
    // For tests; by default found out from `stream`, the environment and the steady clock.
    std::optional<bool> is_terminal = {};
    std::optional<bool> unicode = {};
    std::function<int()> columns = {};
    std::function<double()> seconds = {};
};

// Shows how far a long run is. On a terminal one line, redrawn in place at most ten times a second:
//    42% ━━━━━━━━━━━━━━━╸──────────────────── 630/1500  content 12.3  style 4.56  3.41 it/s  4:15 left
// Elsewhere (a file, a CI log) plain lines: the first, the last, at each tenth of the way, and every 10 s
// between; in runs of hours, once a minute.
class ProgressBar {
  public:
    explicit ProgressBar(int64_t total, ProgressOptions options = {});
    ~ProgressBar();  // finish()
    ProgressBar(const ProgressBar&) = delete;
    ProgressBar& operator=(const ProgressBar&) = delete;

    // `done` iterations are complete; `text` says how it goes (losses).
    void update(int64_t done, const std::string& text);

    // Prints a line of its own above the bar.
    void message(const std::string& line);

    // Draws the last state and ends the line; what is printed next begins on a fresh one. Once is enough.
    void finish();

  private:
    void measure(double now);
    void draw_bar();
    void print_line(double now);
    double seconds_left() const;

    int64_t total_;
    ProgressOptions options_;
    bool terminal_ = false;
    int64_t done_ = 0;
    std::string text_;

    double started_ = 0, measured_at_ = 0, drawn_at_ = -1e9;
    int64_t measured_done_ = 0;
    double seconds_per_iteration_ = 0;  // smoothed; 0: not known yet
    bool drawn_ = false;                // the terminal's current line is ours
    bool stale_ = false;                // the last state is not shown yet
    bool finished_ = false;
    int64_t next_tenth_ = 0;
};

// "0:07", "4:15", "2:03:00".
std::string format_duration(double seconds);

}  // namespace lily::io
