// SPDX-License-Identifier: MIT
#include "examples/mnist_gan/train_outputs.h"

#include <algorithm>
#include <filesystem>

#include "framework/io/plot.h"

namespace lily::mnist_gan {

using namespace lily::models;

namespace {

namespace fs = std::filesystem;

constexpr size_t kMostInSheet = 15;
constexpr int kSheetColumns = 5;
constexpr int kLastZoom = 2;          // of samples.png
constexpr size_t kMostPoints = 1000;  // of a plotted curve: more are averaged

const std::vector<std::string> kLogColumns = {"iteration", "epoch",  "d_loss", "g_loss",
                                              "d_real",    "d_fake", "penalty"};
const std::vector<std::string> kMonitorColumns = {"iteration", "kinds", "variance", "saturation", "healthy"};
const std::vector<std::string> kQualityColumns = {"iteration", "frechet", "confidence", "least_class",
                                                  "most_class"};

// A row of `columns` is begun anew without resuming, whatever was there.
io::CsvLog open_log(const std::string& path, const std::vector<std::string>& columns, int64_t iteration) {
    return iteration > 0 ? io::CsvLog::resume(path, columns, iteration) : io::CsvLog(path, columns);
}

}  // namespace

std::string RunFolder::grid(int64_t iteration) const {
    return *this / fmt::format("grids/{:07}.png", iteration);
}

bool RunFolder::has_checkpoint() const {
    std::error_code none;
    return fs::exists(checkpoint(), none);
}

bool RunFolder::has_healthy() const {
    std::error_code none;
    return fs::exists(healthy(), none);
}

void RunFolder::prepare(bool resume) const {
    std::error_code error;
    check(resume || !has_checkpoint(),
          "{} holds a run already: go on with it by --resume, or name another folder", io::in_quotes(path_));
    fs::create_directories(*this / "grids", error);
    check(!error, "cannot make the folder {}: {}", io::in_quotes(*this / "grids"), error.message());
    for (const std::string& file : {checkpoint(), healthy(), model(), best(), *this / "samples.png",
                                    *this / "sheet.png", *this / "losses.svg", grid(0)})
        io::check_writable(file);
}

void check_pictures(const TrainSettings& s, const RunFolder& folder, const io::PictureSize& size) {
    const auto channels = static_cast<int>(size.channels);
    const auto [width, height] = io::grid_size(int64_t{s.grid[0]} * s.grid[1], size, s.grid[0]);
    io::grid_size(int64_t{s.grid[0]} * s.grid[1], size, s.grid[0], kLastZoom);
    io::check_image_size(folder / "samples.png", width * kLastZoom, height * kLastZoom, channels);
    const auto [sheet_width, sheet_height] =
        io::contact_sheet_size(static_cast<int>(kMostInSheet), width, height, kSheetColumns);
    io::check_image_size(folder / "sheet.png", sheet_width, sheet_height, channels);
}

TrainOutputs::TrainOutputs(const TrainSettings& s, const RunFolder& folder, int64_t iteration,
                           int64_t iterations)
    : s_(s), folder_(folder), iterations_(iterations) {
    open_logs(iteration);
    bar_.emplace(iterations, io::ProgressOptions{.first = iteration, .quiet = s.quiet});
}

void TrainOutputs::open_logs(int64_t iteration) {
    log_.emplace(open_log(folder_ / "log.csv", kLogColumns, iteration));
    monitor_log_.emplace(open_log(folder_ / "monitor.csv", kMonitorColumns, iteration));
    quality_log_.emplace(open_log(folder_ / "quality.csv", kQualityColumns, iteration));
}

void TrainOutputs::rewind(int64_t iteration) {
    log_.reset();
    monitor_log_.reset();
    quality_log_.reset();
    open_logs(iteration);
}

void TrainOutputs::step(int64_t iteration, int64_t epoch, const GanStep& s) {
    log_->row(iteration, std::vector<double>{static_cast<double>(epoch), s.d_loss, s.g_loss, s.d_real,
                                             s.d_fake, s.penalty});
    bar_->update(iteration, fmt::format("epoch {}  D {:.3f}  G {:.3f}  D(x) {:.2f}  D(G(z)) {:.2f}", epoch,
                                        s.d_loss, s.g_loss, s.d_real, s.d_fake));
}

void TrainOutputs::health(int64_t iteration, const GanHealth& h) {
    monitor_log_->row(iteration,
                      std::vector<double>{h.kinds, h.variance, h.saturation, h.problem.empty() ? 1.0 : 0.0});
}

void TrainOutputs::quality(int64_t iteration, const GanQuality& q) {
    quality_log_->row(iteration,
                      std::vector<double>{q.frechet, q.confidence, q.least_share(), q.most_share()});
}

void TrainOutputs::message(const std::string& line) { bar_->message(line); }

void TrainOutputs::grid(int64_t iteration, const Tensor& samples, const io::PictureSize& size) {
    io::save_image(folder_.grid(iteration), io::sample_grid(samples, size, s_.grid[0]));
}

void TrainOutputs::finish(const Tensor& samples, const io::PictureSize& size,
                          const std::vector<GanStep>& history, SavedFiles& saved) {
    bar_->finish();
    saved.save(folder_ / "samples.png", [&](const std::string& path) {
        io::save_image(path, io::sample_grid(samples, size, s_.grid[0], kLastZoom));
    });
    save_sheet(static_cast<int64_t>(history.size()), saved);
    if (io::plot_available())
        saved.save(folder_ / "losses.svg", [&](const std::string& path) { save_plot(path, history); });
    else
        s_.say("no losses.svg: gnuplot is not installed");
}

// Grids of this run, evenly spaced over it; the last one always, and none of another size (--grid may have
// changed on the way).
void TrainOutputs::save_sheet(int64_t iterations, SavedFiles& saved) const {
    std::vector<std::string> paths;
    for (const auto& entry : fs::directory_iterator(folder_ / "grids"))
        if (entry.path().extension() == ".png" && entry.path().string() <= folder_.grid(iterations))
            paths.push_back(entry.path().string());
    std::sort(paths.begin(), paths.end());
    if (paths.empty()) return;
    const size_t count = std::min(paths.size(), kMostInSheet);
    const io::Image last = io::load_image(paths.back());
    std::vector<io::Image> grids;
    for (size_t i = 1; i <= count; ++i) {
        io::Image grid = io::load_image(paths[i * paths.size() / count - 1]);
        if (grid.width == last.width && grid.height == last.height) grids.push_back(std::move(grid));
    }
    saved.save(folder_ / "sheet.png", [&](const std::string& path) {
        io::save_image(path, io::contact_sheet(grids, kSheetColumns));
    });
}

void TrainOutputs::save_plot(const std::string& path, const std::vector<GanStep>& history) const {
    std::vector<io::PlotSeries> series = {{"D", {}, {}}, {"G", {}, {}}};
    const size_t piece = (history.size() + kMostPoints - 1) / kMostPoints;
    for (size_t begin = 0; begin < history.size(); begin += piece) {
        const size_t end = std::min(begin + piece, history.size());
        double d = 0, g = 0;
        for (size_t i = begin; i < end; ++i) {
            d += history[i].d_loss;
            g += history[i].g_loss;
        }
        for (io::PlotSeries& s : series) s.xs.push_back(static_cast<double>(end));
        series[0].ys.push_back(d / static_cast<double>(end - begin));
        series[1].ys.push_back(g / static_cast<double>(end - begin));
    }
    if (!history.empty()) io::plot_lines_svg(path, {"GAN: losses", "iteration", "loss"}, false, series);
}

}  // namespace lily::mnist_gan
