// SPDX-License-Identifier: MIT
#include "framework/train/run_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

namespace lily::train {
namespace {

namespace fs = std::filesystem;

std::string file_of(const std::string& folder, int64_t step) {
    return fmt::format("{}/{:07}.png", folder, step);
}

}  // namespace

RunFolder::RunFolder(std::string path, bool resume, const std::vector<std::string>& files, bool writes)
    : path_(std::move(path)), resume_(resume), writes_(writes) {
    if (!writes) return;
    io::make_folder(path_);
    // The folder's own lock: no file is left behind, and it ends with the process. Where the file system has
    // no locks there is none.
    lock_ = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool taken = lock_ >= 0 && ::flock(lock_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (taken) ::close(lock_);
    check(!taken, "another process is training in {}: wait for it, or name another folder",
          io::in_quotes(path_));
    try {
        check(resume || !io::exists(checkpoint()),
              "{} holds a run already: go on with it by --resume, or name another folder",
              io::in_quotes(path_));
        io::check_writable(checkpoint());
        for (const std::string& file : files) {
            io::make_folder(fs::path(*this / file).parent_path());
            io::check_writable(*this / file);
        }
    } catch (...) {
        ::close(lock_);
        throw;
    }
}

RunFolder::~RunFolder() {
    if (lock_ >= 0) ::close(lock_);
}

RunOptions RunFolder::with_files(RunOptions options) const {
    options.writes = writes_;
    options.checkpoint = checkpoint();
    options.log = *this / "log.csv";
    if (resume_ && io::exists(checkpoint())) options.resume = checkpoint();
    return options;
}

void RunFolder::save_picture(const std::string& series, int64_t step, const io::Image& picture) const {
    if (!writes_) return;
    io::make_folder(*this / series);
    io::save_image(file_of(*this / series, step), picture);
}

void RunFolder::save_sheet(const std::string& series, int64_t step, const std::string& path) const {
    if (!io::exists(*this / series)) return;
    std::vector<std::string> paths;
    for (const auto& entry : fs::directory_iterator(*this / series))
        if (entry.path().extension() == ".png" && entry.path().string() <= file_of(*this / series, step))
            paths.push_back(entry.path().string());
    std::sort(paths.begin(), paths.end());
    if (paths.empty()) return;
    const size_t count = std::min(paths.size(), size_t{kMostInSheet});
    const io::Image last = io::load_image(paths.back());
    std::vector<io::Image> pictures;
    for (size_t i = 1; i <= count; ++i) {
        io::Image picture = io::load_image(paths[i * paths.size() / count - 1]);
        if (picture.width == last.width && picture.height == last.height)
            pictures.push_back(std::move(picture));
    }
    io::save_image(path, io::contact_sheet(pictures, kSheetColumns));
}

void RunFolder::check_grids(const std::string& folder, const std::string& last, const std::string& sheet,
                            const io::PictureSize& size, const std::array<int, 2>& grid, int zoom) {
    const int64_t count = int64_t{grid[0]} * grid[1];
    const auto channels = static_cast<int>(size.channels);
    const auto [last_width, last_height] = io::grid_size(count, size, grid[0], zoom);
    io::check_image_size(folder + "/" + last, last_width, last_height, channels);
    const auto [width, height] = io::grid_size(count, size, grid[0]);
    const auto [sheet_width, sheet_height] =
        io::contact_sheet_size(kMostInSheet, width, height, kSheetColumns);
    io::check_image_size(folder + "/" + sheet, sheet_width, sheet_height, channels);
}

void RunFolder::save_plot(const std::string& path, const io::PlotText& text,
                          const std::vector<io::PlotSeries>& series, bool quiet) {
    if (!io::plot_available()) {
        if (!quiet)
            io::put(stderr,
                    fmt::format("no {}: gnuplot is not installed\n", fs::path(path).filename().string()));
    } else if (!std::all_of(series.begin(), series.end(), [](const auto& s) { return s.ys.empty(); }))
        io::plot_lines_svg(path, text, false, series);
}

}  // namespace lily::train
