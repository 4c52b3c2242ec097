// SPDX-License-Identifier: MIT
#include "examples/style_transfer/outputs.h"

#include <charconv>
#include <filesystem>

#include "framework/io/plot.h"

namespace lily::style_transfer {

using namespace lily::models;

namespace {

// "dir/name_0100.png" for "dir/name.png"
std::string numbered(const std::string& path, int64_t iteration) {
    const std::filesystem::path p(path);
    return (p.parent_path() / fmt::format("{}_{:04}{}", p.stem().string(), iteration, p.extension().string()))
        .string();
}

// Whether `path` is one of the pictures that --save-every writes.
bool is_numbered(const Settings& s, const std::string& path) {
    if (s.save_every == 0 || path.empty()) return false;
    const std::string stem = std::filesystem::path(path).stem().string();
    const size_t digits = stem.find_last_not_of("0123456789") + 1;
    int64_t iteration = 0;
    std::from_chars(stem.data() + digits, stem.data() + stem.size(), iteration);
    return iteration > 0 && iteration <= s.iterations && iteration % s.save_every == 0 &&
           io::written_path(numbered(s.output, iteration)) == io::written_path(path);
}

// Devices can be named twice.
bool same_file(const std::string& a, const std::string& b) {
    namespace fs = std::filesystem;
    std::error_code none;
    if (a.empty() || b.empty() || (io::exists(a) && !fs::is_regular_file(a, none))) return false;
    return io::written_path(a) == io::written_path(b);
}

}  // namespace

void check_outputs(const Settings& s) {
    // Of two options that name one file the second would destroy what the first has written, or read.
    std::vector<std::pair<std::string, std::string>> files = {
        {"--output", s.output}, {"--sheet", s.sheet},     {"--log", s.log},
        {"--plot", s.plot},     {"--profile", s.profile}, {"--checkpoint", s.checkpoint}};
    const size_t outputs = files.size();
    files.emplace_back("--content", s.content);
    for (const std::string& style : s.styles) files.emplace_back("--style", style);
    for (size_t i = 0; i < outputs; ++i)
        for (size_t j = i + 1; j < files.size(); ++j)
            check(!same_file(files[i].second, files[j].second) ||
                      (i == 0 && j == outputs),  // to paint over the photograph is the user's right
                  "{} and {} are one file, {}", files[i].first, files[j].first,
                  io::in_quotes(files[i].second));
    for (size_t i = 1; i < files.size(); ++i)
        check(!is_numbered(s, files[i].second), "{} and a picture of --save-every are one file, {}",
              files[i].first, io::in_quotes(files[i].second));
    io::check_can_save_image(s.output);
    if (const int64_t last = s.save_every > 0 ? s.iterations / s.save_every * s.save_every : 0; last > 0)
        io::check_can_save_image(numbered(s.output, last));
    if (!s.sheet.empty()) io::check_can_save_image(s.sheet);
    for (const std::string& path : {s.log, s.plot, s.profile, s.checkpoint})
        if (!path.empty()) io::check_writable(path);
    if (!s.plot.empty()) io::require_plot();
}

train::RunOptions Outputs::with_files(train::RunOptions options) {
    const std::filesystem::path output(s_.output);
    const std::filesystem::path folder = output.parent_path();
    options.checkpoint = s_.checkpoint;
    options.rescue =
        (folder / io::cut_to_fit(folder.string(), output.filename().string(), ".checkpoint")).string();
    options.resume = s_.resume;
    options.resume_by_file = true;
    options.log = s_.log;
    options.save_last = [this](const std::string& path, const auto& write) {
        return save("checkpoint", path, write);
    };
    options.save_more = [this](bool diverged) {
        std::string at = save_picture();
        if (at.empty()) return at;
        return fmt::format("the {} is in {}", diverged ? "last good picture" : "picture so far", at);
    };
    options.error_text = error_text;
    return options;
}

void Outputs::save_numbered(int64_t iteration) const {
    io::save_image(numbered(s_.output, iteration), picture());
}

std::string Outputs::save(const char* what, const std::string& path,
                          const std::function<void(const std::string&)>& write) {
    std::string at = saved_.save(path, write);
    if (!at.empty()) s_.say("{}: {}", what, at);
    return at;
}

std::string Outputs::save_picture() {
    return save("picture", s_.output, [&](const std::string& path) { io::save_image(path, picture()); });
}

void Outputs::finish(const train::Log& log) {
    save_picture();
    if (!s_.sheet.empty())
        save("sheet", s_.sheet, [&](const std::string& path) {
            io::save_image(path, comparison_sheet(content_, styles_, picture()));
        });
    if (!s_.plot.empty())
        save("plot", s_.plot, [&](const std::string& path) {
            std::vector<io::PlotSeries> curves;
            for (const auto& [column, name] : {std::pair("total", "total"),
                                               {"style", "style"},
                                               {"content", "content"},
                                               {"tv", "total variation"}})
                curves.push_back(log.series(column, name, log.size()));
            io::plot_lines_svg(path, {"Style transfer: weighted losses", "iteration", "loss"}, true, curves);
        });
}

io::Image Outputs::picture() const {
    return finished_picture(painting_.image().to(Device::cpu), content_, s_.preserve_color);
}

}  // namespace lily::style_transfer
