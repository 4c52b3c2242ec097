// SPDX-License-Identifier: MIT
#include "framework/io/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace lily::io {
namespace {

constexpr double kRedrawSeconds = 0.1;
constexpr double kLineSeconds = 10;      // between plain lines ...
constexpr double kSlowLineSeconds = 60;  // ... and at most that in a long run
constexpr double kSmoothingSeconds = 5;  // the speed is an average over about that long

double steady_seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

bool is_smart_terminal(std::FILE* stream) {
    const char* term = std::getenv("TERM");
    return ::isatty(::fileno(stream)) == 1 && term != nullptr && std::strcmp(term, "dumb") != 0;
}

bool locale_is_utf8() {
    for (const char* variable : {"LC_ALL", "LC_CTYPE", "LANG"}) {  // the first that is set decides
        const char* value = std::getenv(variable);
        if (value == nullptr || *value == '\0') continue;
        const std::string locale = value;
        return locale.find("UTF-8") != std::string::npos || locale.find("utf8") != std::string::npos;
    }
    return false;
}

int terminal_columns(std::FILE* stream) {
    winsize size{};
    if (::ioctl(::fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
    return 80;
}

bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

int width_of(const std::string& text) {  // in code points
    return static_cast<int>(
        std::count_if(text.begin(), text.end(), [](char c) { return !continues_character(c); }));
}

void cut_to_width(std::string& text, int columns) {
    size_t end = 0;
    for (int width = 0; end < text.size(); ++end)
        if (!continues_character(text[end]) && width++ == columns) break;
    text.resize(end);
}

std::string repeat(const char* symbol, int n) {
    std::string out;
    for (int i = 0; i < n; ++i) out += symbol;
    return out;
}

std::string format_rate(double seconds_per_iteration) {
    if (seconds_per_iteration > 1) return fmt::format("{:.2f} s/it", seconds_per_iteration);
    const double rate = 1 / seconds_per_iteration;
    return fmt::format("{:.{}f} it/s", rate, rate < 9.995 ? 2 : rate < 99.95 ? 1 : 0);
}

}  // namespace

void put(std::FILE* stream, const std::string& text) {
    std::fputs(text.c_str(), stream);
    std::fflush(stream);
}

std::string format_duration(double seconds) {
    const auto whole = static_cast<int64_t>(std::llround(std::clamp(seconds, 0.0, 1e9)));
    const int64_t h = whole / 3600;
    const int64_t m = whole / 60 % 60;
    const int64_t s = whole % 60;
    return h > 0 ? fmt::format("{}:{:02}:{:02}", h, m, s) : fmt::format("{}:{:02}", m, s);
}

ProgressBar::ProgressBar(int64_t total, ProgressOptions options)
    : total_(std::max<int64_t>(total, 1)), options_(std::move(options)), done_(options_.first) {
    if (!options_.seconds) options_.seconds = steady_seconds;
    if (!options_.columns) options_.columns = [stream = options_.stream] { return terminal_columns(stream); };
    if (!options_.unicode) options_.unicode = locale_is_utf8();
    terminal_ = options_.is_terminal.value_or(is_smart_terminal(options_.stream));
    started_ = measured_at_ = options_.seconds();
    measured_done_ = done_;
}

ProgressBar::~ProgressBar() { finish(); }

void ProgressBar::update(int64_t done, const std::string& text) {
    if (options_.quiet || finished_) return;
    const double now = options_.seconds();
    done_ = done;
    text_ = text;
    stale_ = true;
    measure(now);
    if (!terminal_)
        print_line(now);
    else if (now - drawn_at_ >= kRedrawSeconds || done_ >= total_) {
        drawn_at_ = now;
        draw_bar();
    }
}

// An exponential average whose weight is the time that a measurement took: many short or few long iterations
// alike.
void ProgressBar::measure(double now) {
    const double elapsed = now - measured_at_;
    const int64_t iterations = done_ - measured_done_;
    if (iterations <= 0 || elapsed <= 0) return;
    const double latest = elapsed / static_cast<double>(iterations);
    const double weight = seconds_per_iteration_ == 0 ? 1 : 1 - std::exp(-elapsed / kSmoothingSeconds);
    seconds_per_iteration_ += weight * (latest - seconds_per_iteration_);
    measured_at_ = now;
    measured_done_ = done_;
}

double ProgressBar::seconds_left() const {
    return seconds_per_iteration_ * static_cast<double>(std::max<int64_t>(total_ - done_, 0));
}

void ProgressBar::draw_bar() {
    const double share = std::clamp(static_cast<double>(done_) / static_cast<double>(total_), 0.0, 1.0);
    std::string tail = fmt::format(" {}/{}", done_, total_);
    if (!text_.empty()) tail += "  " + text_;
    if (seconds_per_iteration_ > 0) {
        tail += "  " + format_rate(seconds_per_iteration_);
        tail += done_ >= total_ ? fmt::format("  {}", format_duration(measured_at_ - started_))
                                : fmt::format("  {} left", format_duration(seconds_left()));
    }
    std::string line = fmt::format("{:3.0f}% ", std::floor(share * 100));
    const int columns = options_.columns() - 1;  // a full line would wrap
    constexpr int kShortest = 8;
    constexpr int kLongest = 40;
    const int room = std::min(columns - width_of(line) - width_of(tail), kLongest);
    if (room >= kShortest) {
        const int halves = static_cast<int>(share * room * 2);
        const int full = halves / 2;
        if (*options_.unicode)
            line += repeat("━", full) + (halves % 2 ? "╸" : "") + repeat("─", room - full - halves % 2);
        else
            line += repeat("=", full) + (full < room ? ">" : "") + repeat(".", room - full - 1);
    }
    line += tail;
    cut_to_width(line, std::max(columns, 1));
    put(options_.stream, fmt::format("\r{}\x1b[K", line));  // [K: clears what a longer line before left
    drawn_ = true;
    stale_ = false;
}

void ProgressBar::print_line(double now) {
    const int64_t tenth = done_ * 10 / total_;
    const double expected = now - started_ + seconds_left();
    const double pause = std::clamp(expected / 100, kLineSeconds, kSlowLineSeconds);
    if (tenth < next_tenth_ && now - drawn_at_ < pause && done_ < total_ && !finished_) return;
    next_tenth_ = tenth + 1;
    drawn_at_ = now;
    stale_ = false;
    std::string line = fmt::format("{}/{}", done_, total_);
    if (!text_.empty()) line += "  " + text_;
    if (seconds_per_iteration_ > 0) line += "  " + format_rate(seconds_per_iteration_);
    if (seconds_per_iteration_ > 0 && done_ < total_)
        line += fmt::format("  {} left", format_duration(seconds_left()));
    put(options_.stream, line + "\n");
}

void ProgressBar::message(const std::string& line) {
    if (options_.quiet) return;
    put(options_.stream, fmt::format("{}{}\n", drawn_ ? "\r\x1b[K" : "", line));
    const bool redraw = std::exchange(drawn_, false) && !finished_;
    if (redraw) draw_bar();
}

void ProgressBar::finish() {
    if (options_.quiet || std::exchange(finished_, true)) return;
    if (!terminal_) {
        if (stale_) print_line(options_.seconds());
        return;
    }
    if (stale_) draw_bar();
    if (std::exchange(drawn_, false)) put(options_.stream, "\n");
}

}  // namespace lily::io
