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
    if (a.empty() || b.empty() || (fs::exists(a, none) && !fs::is_regular_file(a, none))) return false;
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

Outputs::Outputs(const Settings& s, StyleTransfer& run, const Picture& content,
                 const std::vector<Picture>& styles, std::function<RunSettings()> same)
    : s_(s), run_(run), content_(content), styles_(styles), same_(std::move(same)) {
    if (s.resume.empty()) return;
    history_ = load_run(s.resume, run_, same_());
    check(run_.iteration() < s.iterations,
          "'{}' has {} iterations done already; pass --iterations {} or more", s.resume, run_.iteration(),
          run_.iteration() + 1);
    s.say("goes on after iteration {}", run_.iteration());
}

void Outputs::begin() {
    started_ = std::chrono::steady_clock::now();
    seconds_before_ = history_.seconds;
    const std::vector<std::string> columns = {"iteration", "seconds", "content", "style", "tv", "total"};
    if (!s_.log.empty() && s_.resume.empty()) log_.emplace(s_.log, columns);
    if (!s_.log.empty() && !s_.resume.empty())
        log_.emplace(io::CsvLog::resume(s_.log, columns, run_.iteration()));
    bar_.emplace(s_.iterations, io::ProgressOptions{.first = run_.iteration(), .quiet = s_.quiet});
}

void Outputs::after_step(const LossValues& l) {
    const int64_t i = run_.iteration();
    const std::chrono::duration<double> here = std::chrono::steady_clock::now() - started_;
    history_.losses.push_back(l);
    const double before = std::exchange(history_.seconds, seconds_before_ + here.count());
    if (log_) log_->row(i, std::vector<double>{history_.seconds, l.content, l.style, l.tv, l.total});
    // The first step fetches memory and prepares the weights. (On a GPU later ones are replayed: faster
    // still.)
    if (++steps_ == 2 && i < s_.iterations)
        bar_->message(fmt::format(
            "{} more iterations, about {}", s_.iterations - i,
            io::format_duration((history_.seconds - before) * static_cast<double>(s_.iterations - i))));
    bar_->update(i, fmt::format("content {:.3g}  style {:.3g}  tv {:.3g}  total {:.4g}", l.content, l.style,
                                l.tv, l.total));
    if (s_.save_every > 0 && i % s_.save_every == 0) io::save_image(numbered(s_.output, i), picture());
    if (!s_.checkpoint.empty() && i % s_.checkpoint_every == 0)
        save_run(s_.checkpoint, run_, history_, same_());
}

std::string Outputs::save(const char* what, const std::string& path,
                          const std::function<void(const std::string&)>& write) {
    std::string at = saved_.save(path, write);
    if (!at.empty()) s_.say("{}: {}", what, at);
    return at;
}

void Outputs::save_result(bool keep_state) {
    if (bar_) bar_->finish();
    picture_at_ =
        save("picture", s_.output, [&](const std::string& path) { io::save_image(path, picture()); });
    if (keep_state || !s_.checkpoint.empty())
        checkpoint_at_ = save("checkpoint", checkpoint_path(),
                              [&](const std::string& path) { save_run(path, run_, history_, same_()); });
}

std::string Outputs::rescue(const std::string& picture, bool keep_state) {
    if (history_.losses.empty()) return "";
    save_result(keep_state);
    std::string text;
    if (!picture_at_.empty()) text += fmt::format("; {} is in {}", picture, picture_at_);
    if (!checkpoint_at_.empty()) text += fmt::format("; to go on: --resume {}", checkpoint_at_);
    return text;
}

int Outputs::finish(int signal) {
    bar_->finish();
    if (signal) s_.say("interrupted after iteration {}", run_.iteration());
    if (!run_.stalled().empty())
        s_.say("stops after iteration {}, the picture no longer changes: {}", run_.iteration(),
               run_.stalled());
    save_result(signal != 0);
    if (!s_.sheet.empty())
        save("sheet", s_.sheet, [&](const std::string& path) {
            io::save_image(path, comparison_sheet(content_, styles_, picture()));
        });
    if (!s_.plot.empty()) save("plot", s_.plot, [&](const std::string& path) { save_plot(path); });
    if (signal) {
        s_.say("to go on: the same command with --resume {}", checkpoint_at_);
        return 128 + signal;
    }
    const LossValues last = history_.losses.empty() ? LossValues{} : history_.losses.back();
    s_.say("done in {}: content {:.4g}, style {:.4g}, tv {:.3g}, total {:.5g}; peak of tensors {} MB",
           io::format_duration(history_.seconds), last.content, last.style, last.tv, last.total,
           allocator(run_.image().device()).stats().peak_bytes / 1'000'000);
    return 0;
}

io::Image Outputs::picture() const {
    return finished_picture(run_.image().to(Device::cpu), content_, s_.preserve_color);
}

std::string Outputs::checkpoint_path() const {
    if (!s_.checkpoint.empty()) return s_.checkpoint;
    const std::filesystem::path output(s_.output);
    const std::filesystem::path folder = output.parent_path();
    return (folder / io::cut_to_fit(folder.string(), output.filename().string(), ".checkpoint")).string();
}

void Outputs::save_plot(const std::string& path) const {
    std::vector<io::PlotSeries> series = {
        {"total", {}, {}}, {"style", {}, {}}, {"content", {}, {}}, {"total variation", {}, {}}};
    for (size_t i = 0; i < history_.losses.size(); ++i) {
        const LossValues& l = history_.losses[i];
        const double values[] = {l.total, l.style, l.content, l.tv};
        for (size_t k = 0; k < series.size(); ++k) {
            series[k].xs.push_back(static_cast<double>(i + 1));
            series[k].ys.push_back(values[k]);
        }
    }
    io::plot_lines_svg(path, {"Style transfer: weighted losses", "iteration", "loss"}, true, series);
}

}  // namespace lily::style_transfer
