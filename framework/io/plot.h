// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

namespace lily::io {

struct PlotSeries {
    std::string name;
    std::vector<double> xs, ys;  // same length; NaN and infinities are gaps
};

struct PlotText {
    std::string title, x_label, y_label;
};

// Draws the series as lines into an SVG file with gnuplot (a separate program), atomically. On a logarithmic
// axis zero and negative values are gaps too.
void plot_lines_svg(const std::string& path, const PlotText& text, bool log_y,
                    const std::vector<PlotSeries>& series);

// Whether gnuplot is installed; require_plot() throws the error that says how to get it. To ask before a long
// run.
bool plot_available();
void require_plot();

}  // namespace lily::io
