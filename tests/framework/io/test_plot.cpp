// SPDX-License-Identifier: MIT
#include "framework/io/plot.h"

#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "tests/framework/io/io_test.h"

namespace lily::io {
namespace {

size_t count(const std::string& text, const std::string& part) {
    size_t n = 0;
    for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++n;
    return n;
}

// The number of strokes ("M x,y L ...") drawn in the colour of the first series. gnuplot starts each with
// "M".
size_t strokes_of_first_series(const std::string& svg) {
    size_t n = 0;
    for (size_t at = 0; (at = svg.find("<path stroke='rgb(  0, 114, 178)'", at)) != std::string::npos; ++at) {
        const std::string path = svg.substr(at, svg.find("/>", at) - at);
        n += count(path.substr(path.find(" d=")), "M");
    }
    return n;
}

TEST_CASE("plot_available looks at the PATH", "[io][plot]") {
    const ScratchFolder dir;
    const std::string path = std::getenv("PATH");
    ::setenv("PATH", (dir / "").c_str(), 1);
    const bool in_empty_folder = plot_available();
    const std::string message = error_of([] { require_plot(); });
    const std::string of_plot = error_of([&] { plot_lines_svg(dir / "p.svg", {}, true, {{"a", {1}, {1}}}); });
    ::setenv("PATH", path.c_str(), 1);
    CHECK(!in_empty_folder);
    CHECK(message == "plots need gnuplot: apt-get install gnuplot-nox");
    CHECK(of_plot == message);
    CHECK(dir.listing().empty());
}

TEST_CASE("plots: titles, gaps, degenerate data", "[io][plot]") {
    if (!plot_available()) {
        WARN("skipped: gnuplot is not installed");
        return;
    }
    const ScratchFolder dir;
    const std::string path = dir / "p.svg";
    const PlotText text{"It's 50 % <of> a_b & \"c\"", "iter\nation", "loss^2"};
    std::vector<double> xs;
    std::vector<double> ys;
    for (int i = 0; i < 100; ++i) xs.push_back(i), ys.push_back(1e6 / (1 + i));

    plot_lines_svg(path, text, true, {{"total", xs, ys}, {"it's_a'b", xs, ys}});
    const std::string svg = text_of(path);
    CHECK(svg.find("50 % &lt;of> a_b &amp; ") != std::string::npos);
    CHECK(svg.find("it's_a'b") != std::string::npos);
    CHECK(svg.find("iter ation") != std::string::npos);
    CHECK(svg.find("fill=\"#ffffff\"") != std::string::npos);
    const size_t strokes = strokes_of_first_series(svg);  // the curve and its sample in the key
    CHECK(strokes == 2);
    CHECK(dir.listing() == "p.svg");

    auto with_gaps = ys;
    with_gaps[20] = std::nan("");
    with_gaps[50] = INFINITY;
    with_gaps[70] = 0;  // only a logarithmic axis has no place for it
    plot_lines_svg(path, text, true, {{"total", xs, with_gaps}});
    CHECK(strokes_of_first_series(text_of(path)) == strokes + 3);
    plot_lines_svg(path, text, false, {{"total", xs, with_gaps}});
    CHECK(strokes_of_first_series(text_of(path)) == strokes + 2);

    for (const bool log_y : {false, true}) {
        plot_lines_svg(path, text, log_y, {{"one point", {3}, {5}}});
        plot_lines_svg(path, text, log_y, {{"flat", {1, 2}, {4, 4}}});
        plot_lines_svg(path, text, log_y, {{"narrow", {1, 2}, {200, 201}}});
        plot_lines_svg(path, text, log_y, {{"wide", {1, 2}, {1e-299, 1e299}}});
        plot_lines_svg(path, text, log_y, {{"tiny", {1e-200, 2e-200}, {1e-200, 2e-200}}});
        plot_lines_svg(path, text, log_y, {{"empty", {}, {}}});
        plot_lines_svg(path, text, log_y, {{"bad", {1, INFINITY}, {std::nan(""), 5}}, {"good", xs, ys}});
        CHECK(text_of(path).find("bad (nothing to draw)") != std::string::npos);
    }
}

TEST_CASE("a long series is thinned, its spikes kept", "[io][plot]") {
    if (!plot_available()) return;
    const ScratchFolder dir;
    std::vector<double> xs(300'000);
    std::vector<double> ys(xs.size(), 1.0);
    for (size_t i = 0; i < xs.size(); ++i) xs[i] = static_cast<double>(i);
    ys[123'456] = 1000;
    plot_lines_svg(dir / "p.svg", {"t", "x", "y"}, true, {{"a", xs, ys}});
    const std::string svg = text_of(dir / "p.svg");
    CHECK(svg.size() < 200'000);
    CHECK(svg.find(">1000<") != std::string::npos);  // the axis reaches the spike
}

TEST_CASE("a gnuplot that fails is quoted on one line, and nothing is written", "[io][plot]") {
    const ScratchFolder dir;
    write_file_atomically(dir / "gnuplot", "#!/bin/sh\necho ' no terminal\nof that name' >&2\nexit 1\n");
    std::filesystem::permissions(dir / "gnuplot", std::filesystem::perms::owner_all);
    const std::string path = std::getenv("PATH");
    ::setenv("PATH", (dir / "").c_str(), 1);
    const std::string message = error_of([&] { plot_lines_svg(dir / "p.svg", {}, true, {{"a", {1}, {1}}}); });
    ::setenv("PATH", path.c_str(), 1);
    CHECK(message.starts_with("gnuplot failed: 'no terminal"));
    CHECK(message.find('\n') == std::string::npos);
    CHECK(dir.listing() == "gnuplot");
}

TEST_CASE("plots that cannot be", "[io][plot]") {
    CHECK(error_of([] { plot_lines_svg("x.svg", {}, true, {}); }) == "[plot_lines_svg] nothing to draw");
    CHECK(error_of([] {
              plot_lines_svg("x.svg", {}, true, {{"a", {1, 2}, {1}}});
          }) == "[plot_lines_svg] 'a' has 2 xs and 1 ys");
    if (!plot_available()) return;
    CHECK(error_of([] {
              plot_lines_svg("/dev/full", {}, true, {{"a", {1, 2}, {1, 2}}});
          }) == "cannot write '/dev/full': No space left on device");
}

}  // namespace
}  // namespace lily::io
