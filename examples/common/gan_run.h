// SPDX-License-Identifier: MIT
// What the trainings of GANs have around their step: the run and its folder, what becomes of a collapse, the
// best model so far, and the files at the end.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "examples/common/processes.h"
#include "examples/common/saved_files.h"
#include "framework/train/collapse.h"
#include "framework/train/run_folder.h"
#include "models/metrics/evaluation.h"

namespace lily {

struct GanRunOptions {
    std::string out;     // the run's folder
    std::string series;  // of pictures in it: "grids"
    bool resume = false;
    train::OnCollapse on_collapse = train::OnCollapse::warn;
    train::CollapseGuard::ChangeCourse change_course = {};
    std::vector<train::Column> log = {}, health = {};  // of log.csv and monitor.csv
    // program, settings, steps, checkpoint_every, longer, calmer, quiet
    train::RunOptions run = {};
};

class GanRun {
  public:
    // Refers to the processes, of which the first writes.
    GanRun(GanRunOptions options, distributed::ProcessGroup& processes)
        : processes_(processes),
          series_(options.series),
          guard_(options.on_collapse, std::move(options.change_course)),
          folder_(options.out, options.resume,
                  {kHealthy, "model.safetensors", kBest, "samples.png", "sheet.png", "losses.svg",
                   options.series + "/0000000.png"},
                  processes.is_first()),
          quiet_(options.run.quiet),
          run_(run_options(std::move(options.run), options.on_collapse), std::move(options.log)),
          health_(run_.add_log(folder_ / "monitor.csv", std::move(options.health))),
          quality_(run_.add_log(folder_ / "quality.csv",
                                {{"frechet"}, {"confidence"}, {"least_class"}, {"most_class"}})) {}
    GanRun(const GanRun&) = delete;
    GanRun& operator=(const GanRun&) = delete;

    train::Run& run() { return run_; }
    const train::RunFolder& folder() const { return folder_; }
    SavedFiles& saved() { return saved_; }

    // When all parts have been added to run().
    void begin() {
        guard_.add_to(run_);
        train::Stateful best = train::stateful(best_distance_);
        best.rolls_back = false;  // its file stays
        run_.add("best_distance", best);
        processes_.barrier();  // all have seen what is there before one writes
        run_.begin();
        guard_.begin();
    }

    void save_grid(const io::Image& picture) { folder_.save_picture(series_, run_.step(), picture); }
    // A check of the run's health: the figures' row, and what the guard makes of a problem; it may roll back.
    void note_health(std::vector<double> figures, const std::string& problem, const std::string& where = {}) {
        figures.push_back(problem.empty() ? 1.0 : 0.0);
        health_.row(run_.step(), figures);
        guard_.report(run_, problem, where);
    }
    // An evaluation; save(path) writes the model if it is the best so far.
    void note_quality(const models::GanQuality& q, const std::function<void(const std::string&)>& save) {
        quality_.row(run_.step(), std::vector{q.frechet, q.confidence, q.least_share(), q.most_share()});
        if (best_distance_ >= 0 && !(q.frechet < best_distance_)) return;
        best_distance_ = q.frechet;
        save(folder_ / kBest);
    }

    // Calls `step` until the run is over, and writes the model, the last grid, the sheet and the plot;
    // returns the exit code. The checkpoint is there: whatever fails then can be had by --resume.
    int loop(const std::function<void()>& step, const char* title,
             const std::function<void(const std::string&)>& save_model,
             const std::function<io::Image()>& last_grid) {
        const int status = run_.loop(step);
        if (!processes_.is_first()) return status;
        saved_.save(folder_ / "model.safetensors", save_model);
        saved_.save(folder_ / "samples.png",
                    [&](const std::string& path) { io::save_image(path, last_grid()); });
        saved_.save(folder_ / "sheet.png",
                    [&](const std::string& path) { folder_.save_sheet(series_, run_.step(), path); });
        const train::Log& log = run_.history();
        saved_.save(folder_ / "losses.svg", [&](const std::string& path) {
            folder_.save_plot(path, {title, "iteration", "loss"},
                              {log.series("d_loss", "D"), log.series("g_loss", "G")}, quiet_);
        });
        saved_.require_all_in_place();
        if (status == 0 && !quiet_)
            io::put(stderr,
                    fmt::format("done: {}; model, samples.png, sheet.png, losses.svg, log.csv in {}\n",
                                log.progress_text(), folder_.path()));
        return status;
    }

  private:
    static constexpr const char* kHealthy = "healthy.safetensors";  // the checkpoint from before a collapse
    static constexpr const char* kBest = "best.safetensors";

    train::RunOptions run_options(train::RunOptions options, train::OnCollapse on_collapse) {
        options.good = on_collapse == train::OnCollapse::rollback ? folder_ / kHealthy : "";
        options.is_good = [this] { return guard_.is_good(); };
        options.save_last = [this](const std::string& path, const auto& write) {
            return saved_.save(path, write);
        };
        options.error_text = error_text;
        options.agree = agreement(processes_);
        return folder_.with_files(std::move(options));
    }

    distributed::ProcessGroup& processes_;
    const std::string series_;
    train::CollapseGuard guard_;
    double best_distance_ = -1;  // the least Fréchet distance so far; negative: none
    SavedFiles saved_;
    const train::RunFolder folder_;
    const bool quiet_;
    train::Run run_;
    train::Log &health_, &quality_;
};

}  // namespace lily
