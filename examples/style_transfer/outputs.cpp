// SPDX-License-Identifier: MIT
#include "examples/style_transfer/outputs.h"

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
    io::check_can_save_image(s.output);
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

// If the picture cannot be written (a full disk), the work of the run is still put into the checkpoint.
void Outputs::save_result(bool keep_state) {
    if (bar_) bar_->finish();
    std::string lost;
    try {
        io::save_image(s_.output, picture());
    } catch (const std::exception& error) {
        lost = error.what();
    }
    if (keep_state || !s_.checkpoint.empty()) {
        save_run(checkpoint_path(), run_, history_, same_());
        s_.say("checkpoint: {}", checkpoint_path());
    }
    check(lost.empty(), "{}", lost);
}

void Outputs::rescue() {
    if (history_.losses.empty()) return;
    try {
        save_result(true);
        s_.say("saved as far as it is done: {}", s_.output);
    } catch (const std::exception&) {  // the first error is the one to tell
    }
}

int Outputs::finish(int signal) {
    bar_->finish();
    if (signal) s_.say("interrupted after iteration {}", run_.iteration());
    save_result(signal != 0);
    s_.say("picture: {}", s_.output);
    if (!s_.sheet.empty()) {
        io::save_image(s_.sheet, comparison_sheet(content_, styles_, picture()));
        s_.say("sheet: {}", s_.sheet);
    }
    if (!s_.plot.empty()) {
        save_plot();
        s_.say("plot: {}", s_.plot);
    }
    if (signal) {
        s_.say("to go on: the same command with --resume {}", checkpoint_path());
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
    return s_.checkpoint.empty() ? s_.output + ".checkpoint" : s_.checkpoint;
}

void Outputs::save_plot() const {
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
    io::plot_lines_svg(s_.plot, {"Style transfer: weighted losses", "iteration", "loss"}, true, series);
}

}  // namespace lily::style_transfer
