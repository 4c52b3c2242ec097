// SPDX-License-Identifier: MIT
#include "framework/io/plot.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <limits>

#include "framework/error.h"
#include "framework/io/file.h"

extern char** environ;

namespace lily::io {
namespace {

// Okabe and Ito's colours, told apart by colour-blind readers too.
constexpr const char* kColours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                    "#e69f00", "#56b4e9", "#444444"};
constexpr size_t kMaxPoints = 2000;  // of a series, more than the picture has pixels

struct Point {
    double x, y;
};

struct Range {
    double low = std::numeric_limits<double>::infinity();
    double high = -std::numeric_limits<double>::infinity();

    bool empty() const { return !(low <= high); }
    void include(double value) { low = std::min(low, value), high = std::max(high, value); }
};

// Text for a single-quoted gnuplot string: quotes doubled, control characters (a line end would end the
// string) out.
std::string gnuplot_string(const std::string& text) {
    std::string out = "'";
    for (const char c : text) {
        if (c == '\'') out += '\'';
        out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
    return out + "'";
}

// What can be drawn; a gap is a point whose y is NaN. Of a long series each bucket keeps its lowest and
// highest point.
std::vector<Point> drawable_points(const PlotSeries& series, bool log_y) {
    std::vector<Point> points;
    for (size_t i = 0; i < series.xs.size(); ++i) {
        if (!std::isfinite(series.xs[i])) continue;
        const double y = series.ys[i];
        points.push_back({series.xs[i], std::isfinite(y) && (!log_y || y > 0) ? y : std::nan("")});
    }
    if (points.size() <= kMaxPoints) return points;
    std::vector<Point> kept;
    constexpr size_t kBuckets = kMaxPoints / 2;
    for (size_t b = 0; b < kBuckets; ++b) {
        const auto first = points.begin() + static_cast<ptrdiff_t>(points.size() * b / kBuckets);
        const auto last = points.begin() + static_cast<ptrdiff_t>(points.size() * (b + 1) / kBuckets);
        auto low = first;
        auto high = first;
        for (auto p = first; p != last; ++p) {
            if (!(p->y >= low->y)) low = p;  // a NaN wins, and so the gap stays
            if (!(p->y <= high->y)) high = p;
        }
        kept.push_back(*std::min(low, high));
        if (low != high) kept.push_back(*std::max(low, high));
    }
    return kept;
}

// Ticks of a logarithmic axis, labelled at 1 (2, 5) x 10^n; evenly where it spans but a part of a decade,
// which gnuplot's own leave bare.
std::string log_ticks(Range range) {
    const double decades = std::log10(range.high / range.low);
    const int first = static_cast<int>(std::floor(std::log10(range.low)));
    const int last = static_cast<int>(std::ceil(std::log10(range.high)));
    const bool powers = first < -4 || last > 5;
    const auto label = [&](int digit, int n) {
        if (!powers) return fmt::format("{:.{}f}", digit * std::pow(10.0, n), std::max(0, -n));
        return fmt::format("{}10^{{{}}}", digit == 1 ? "" : fmt::format("{}·", digit), n);
    };
    std::vector<std::string> ticks;
    if (decades < 0.7) {
        const double rough = (range.high - range.low) / 6;
        const double unit = std::pow(10.0, std::floor(std::log10(rough)));
        const double step = unit * (rough < 2 * unit ? 2 : rough < 5 * unit ? 5 : 10);
        for (double k = std::ceil(range.low / step); k * step <= range.high; ++k)
            ticks.push_back(fmt::format("'{:.6g}' {:.9e} 0", k * step, k * step));
        return fmt::format("set ytics ({})\n", fmt::join(ticks, ", "));
    }
    const int step = std::max(1, (last - first) / 10);  // decades from one label to the next
    for (int n = first; n <= last; ++n) {
        for (int digit = 1; digit <= 9; ++digit) {
            const double value = digit * std::pow(10.0, n);
            const bool round =
                digit == 1 ? (n - first) % step == 0 : decades < 3 && (digit == 2 || digit == 5);
            if (round)
                ticks.push_back(fmt::format("'{}' {:.9e} 0", label(digit, n), value));
            else if (step == 1)
                ticks.push_back(fmt::format("'' {:.9e} 1", value));
        }
    }
    return fmt::format("set ytics ({})\n", fmt::join(ticks, ", "));
}

std::string plot_script(const PlotText& text, bool log_y, const std::vector<PlotSeries>& series) {
    Range x_range;
    Range y_range;
    std::string data;
    std::vector<std::string> curves;
    for (size_t s = 0; s < series.size(); ++s) {
        size_t drawn = 0;
        data += fmt::format("$series{} << EOD\n", s);
        for (const Point& p : drawable_points(series[s], log_y)) {
            if (std::isnan(p.y)) {
                data += "\n";  // an empty line: the curve is broken here
                continue;
            }
            ++drawn;
            x_range.include(p.x);
            y_range.include(p.y);
            data += fmt::format("{:.12e} {:.12e}\n", p.x, p.y);
        }
        data += "EOD\n";
        const char* colour = kColours[s % std::size(kColours)];
        const std::string style = drawn == 1 ? fmt::format("points pt 7 ps 0.6 lc rgb '{}'", colour)
                                             : fmt::format("lines lw 1.8 lc rgb '{}'", colour);
        curves.push_back(drawn == 0
                             ? fmt::format("NaN with lines lw 1.8 lc rgb '{}' title {} noenhanced", colour,
                                           gnuplot_string(series[s].name + " (nothing to draw)"))
                             : fmt::format("$series{} using 1:2 with {} title {} noenhanced", s, style,
                                           gnuplot_string(series[s].name)));
    }
    if (x_range.empty()) x_range = {0, 1};
    if (y_range.empty()) y_range = log_y ? Range{0.1, 1} : Range{0, 1};
    if (x_range.low == x_range.high) x_range.low -= 0.5, x_range.high += 0.5;
    const double margin = log_y ? std::pow(y_range.high / y_range.low, 0.04) * 1.02
                                : 0.04 * (y_range.high - y_range.low) + 1e-3 * std::abs(y_range.high) + 1e-12;
    y_range = log_y ? Range{y_range.low / margin, y_range.high * margin}
                    : Range{y_range.low - margin, y_range.high + margin};
    if (log_y) y_range.low = std::max(y_range.low, 1e-300), y_range.high = std::min(y_range.high, 1e300);

    std::string script =
        "set encoding utf8\n"
        "set terminal svg size 960,600 enhanced font 'DejaVu Sans,Helvetica,sans-serif,14' background "
        "'white'\n"
        "set border 3 lc rgb '#888888'\n"
        "set grid xtics ytics lc rgb '#dddddd' lt 1 lw 0.7\n"
        "set tics nomirror out textcolor rgb '#333333'\n"
        "set key outside right top Left reverse noenhanced textcolor rgb '#333333' samplen 2 spacing 1.3\n"
        "set lmargin 11\n";
    script += fmt::format("set title {} noenhanced font ',17' textcolor rgb '#222222'\n",
                          gnuplot_string(text.title));
    script += fmt::format("set xlabel {} noenhanced textcolor rgb '#333333'\n", gnuplot_string(text.x_label));
    script += fmt::format("set ylabel {} noenhanced textcolor rgb '#333333'\n", gnuplot_string(text.y_label));
    script += fmt::format("set xrange [{:.12e}:{:.12e}]\n", x_range.low, x_range.high);
    script += fmt::format("set yrange [{:.12e}:{:.12e}]\n", y_range.low, y_range.high);
    if (log_y) script += "set logscale y\n" + log_ticks(y_range);
    return script + data + fmt::format("plot {}\n", fmt::join(curves, ", \\\n  "));
}

// A file without a name, for what goes to and comes from the child process; no pipe, so neither side can
// block.
class MemoryFile {
  public:
    MemoryFile() : fd_(::memfd_create("lily-plot", MFD_CLOEXEC)) {
        if (fd_ < 0) fail("cannot plot: {}", std::strerror(errno));
    }
    ~MemoryFile() { ::close(fd_); }
    MemoryFile(const MemoryFile&) = delete;
    MemoryFile& operator=(const MemoryFile&) = delete;
    int get() const { return fd_; }

    void fill(const std::string& text) const {
        for (size_t done = 0; done < text.size();) {
            const ssize_t n = ::write(fd_, text.data() + done, text.size() - done);
            if (n < 0) fail("cannot plot: {}", std::strerror(errno));
            done += static_cast<size_t>(n);
        }
        ::lseek(fd_, 0, SEEK_SET);
    }
    std::string text() const {
        std::string out(static_cast<size_t>(std::max<off_t>(::lseek(fd_, 0, SEEK_END), 0)), '\0');
        const ssize_t n = ::pread(fd_, out.data(), out.size(), 0);
        out.resize(static_cast<size_t>(std::max<ssize_t>(n, 0)));
        return out;
    }

  private:
    int fd_;
};

// gnuplot's standard output, given `script` on its standard input; -d: no settings of the user's.
std::string run_gnuplot(const std::string& script) {
    const MemoryFile in;
    const MemoryFile out;
    const MemoryFile errors;
    in.fill(script);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in.get(), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out.get(), STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, errors.get(), STDERR_FILENO);
    const char* arguments[] = {"gnuplot", "-d", "-", nullptr};
    pid_t child = 0;
    const int error =
        ::posix_spawnp(&child, arguments[0], &actions, nullptr, const_cast<char* const*>(arguments), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) fail("cannot start gnuplot: {}", std::strerror(error));
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    std::string svg = out.text();
    if (status != 0 || svg.find("</svg>") == std::string::npos) {
        std::string reason = errors.text();
        reason.erase(0, reason.find_first_not_of(" \n"));
        fail("gnuplot failed: {}", in_quotes(reason));
    }
    return svg;
}

}  // namespace

bool plot_available() {
    const char* path = std::getenv("PATH");
    const std::string folders = path == nullptr ? "" : path;
    for (size_t begin = 0; begin <= folders.size();) {
        const size_t end = std::min(folders.find(':', begin), folders.size());
        const std::string program =
            (std::filesystem::path(folders.substr(begin, end - begin)) / "gnuplot").string();
        if (::access(program.c_str(), X_OK) == 0) return true;
        begin = end + 1;
    }
    return false;
}

void require_plot() { check(plot_available(), "plots need gnuplot: apt-get install gnuplot-nox"); }

void plot_lines_svg(const std::string& path, const PlotText& text, bool log_y,
                    const std::vector<PlotSeries>& series) {
    check(!series.empty(), "[plot_lines_svg] nothing to draw");
    for (const PlotSeries& s : series)
        check(s.xs.size() == s.ys.size(), "[plot_lines_svg] {} has {} xs and {} ys", in_quotes(s.name),
              s.xs.size(), s.ys.size());
    require_plot();
    write_file_atomically(path, run_gnuplot(plot_script(text, log_y, series)));
}

}  // namespace lily::io
