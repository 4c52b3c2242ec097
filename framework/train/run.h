// SPDX-License-Identifier: MIT
// The loop around a training: what it logs, when it saves, how it is interrupted, resumed and rolled back.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "framework/io/checkpoint.h"
#include "framework/io/progress.h"
#include "framework/train/diverged.h"
#include "framework/train/log.h"
#include "framework/train/stateful.h"

namespace lily::train {

struct RunOptions {
    std::string program = {};                // in the checkpoint: whose run it is
    io::Checkpoint::Settings settings = {};  // what a resumed run must have in common with this one
    // More of them that take time to find out, such as what is in large files: asked for once, when a state
    // is first saved or loaded.
    std::function<io::Checkpoint::Settings()> more_settings = {};
    io::Checkpoint::Difference difference = io::Checkpoint::difference;  // of settings, in words
    std::string checkpoint = {};     // the state's file; empty: none is written on the way
    std::string rescue = {};         // then: the file for the state of a run that is interrupted or fails
    std::string resume = {};         // a state to go on from; empty: a new run
    std::string log = {};            // the CSV file of the history; empty: memory and checkpoints hold it
    int64_t steps = 0;               // at the end, those of the resumed run included
    int64_t checkpoint_every = 500;  // steps
    bool save_first = true;          // a checkpoint before the first step
    bool refuse_done = false;        // to resume what has all of its steps
    bool resume_by_file = false;     // the program's --resume takes the checkpoint's path
    // For roll_back(): the file of the last state of which is_good() was true, looked at with every
    // checkpoint.
    std::string good = {};
    std::function<bool()> is_good = {};
    std::string longer = "more steps";  // what to pass where the resumed run has all of its steps already
    std::string calmer = {};            // what to try where one diverges: "a lower --learning-rate"
    // How the last state is written, by write(path): another place where `path` fails, say, and then an error
    // after everything else is saved. Returns where it is; empty: nowhere. Default: another place, and an
    // error at once.
    using Write = std::function<void(const std::string& path)>;
    std::function<std::string(const std::string& path, const Write& write)> save_last = {};
    // What else to save of a run that fails after its first step; returns where that is, in words for the
    // error's line.
    std::function<std::string(bool diverged)> save_more = {};
    std::function<std::string(const std::exception&)> error_text = {};  // default: what()
    bool quiet = false;
    // Of a training by several processes: false where another one writes the files, which all read.
    bool writes = true;
    // Called after each step with the signal that is to end the run, 0 for none: returns what all processes
    // do about it, so that they end after the same step.
    std::function<int(int signal)> agree = {};
};

// A training program makes its parts, add()s them, and gives loop() one step:
//     Run run({.program = "digits", .checkpoint = "run/checkpoint.safetensors", .log = "run/log.csv", .steps
//     = 1000},
//             {{"loss", "loss", "{:.3f}"}});
//     run.add("net", net);
//     run.add("adam", adam);
//     run.add("loader", loader);
//     return run.loop([&] { run.log({train(net, adam, loader.next())}); });
// Killed at any moment, it goes on from its checkpoint with the bits of a run that was never interrupted.
class Run {
  public:
    Run(RunOptions options, std::vector<Column> columns);
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;

    // What a checkpoint saves and loads, by name; refers to `part`. Before begin().
    void add(const std::string& name, Stateful part);
    template <class T>
    void add(const std::string& name, T& part) {
        add(name, stateful(part));
    }
    // Text in the checkpoint that is not loaded back: a description of the model, for programs that read it.
    void describe(std::function<void(io::Checkpoint&)> put) { describe_ = std::move(put); }
    // A further log, of what is not done in every step: it is resumed and rewound with the run.
    Log& add_log(const std::string& path, std::vector<Column> columns);

    // Loads the state that options.resume names, begins or continues the logs, and saves the first state.
    void begin();
    // Calls `step` until the run is done, interrupted or stopped; begin() before, if nobody called it. In
    // each call log() is called once. After it the state is saved where that is due. If step throws Diverged,
    // the error names the checkpoint, which holds the last good state. If something else fails after log(), a
    // full disk, say, the state is saved, elsewhere if need be, and the error names the file. Returns the
    // exit code: 0; 128 + the signal that interrupted the run; kStopped.
    int loop(const std::function<void()>& step);
    static constexpr int kStopped = 3;

    // Within a step. log() ends it: step() counts it from there on. Throws Diverged for infinite and NaN.
    void log(const std::vector<double>& values);
    // The same for numbers that are on their way from a GPU: they are asked for when the next step has been
    // begun, and before anything is saved; at once if they are `ready`. Then a run that diverges is noticed a
    // step late, and no file has it.
    void log_late(bool ready, std::function<std::vector<double>()> values);
    void settle();                          // asks for them now
    int64_t step() const { return step_; }  // steps done
    bool is_due(int64_t every) const { return every > 0 && step_ % every == 0; }
    bool is_last() const { return step_ == options_.steps; }
    bool is_over() const;                                              // there is no step after this one
    void message(const std::string& line);                             // above the progress bar
    void stop(const std::string& why = "stopped") { stopped_ = why; }  // after this step, with kStopped
    void finish(const std::string& why) { finished_ = why; }           // the same, with 0: it is done early
    // To the last good state: its parts, its step, its logs. `change`, where given, makes the parts go
    // another way from there; the checkpoint holds what it did.
    void roll_back(const std::function<void()>& change = {});

    const Log& history() const { return log_; }
    // Throws, naming both versions, if a checkpoint is not one of this version's runs.
    static void require_format(const io::Checkpoint& checkpoint, const std::string& path);
    // Writes the state; throws Diverged instead if a module has infinities or NaN.
    void save(const std::string& path);
    void save_checkpoint();  // where checkpoints go, and the good state if is_good()

  private:
    io::Checkpoint state() const;
    io::Checkpoint settled_state();
    void write(const std::string& path, const io::Checkpoint& state);
    enum class Parts : bool { all, that_roll_back };
    StateDict load(const std::string& path, Parts parts);  // returns the history, where the state holds it
    void take_step(const std::function<void()>& step);
    std::string save_last(const std::string& path, const io::Checkpoint& last);
    std::string save_somewhere();
    std::string save_more(bool diverged) const;
    const io::Checkpoint::Settings& settings() const;
    [[noreturn]] void diverge(const std::string& problem) const;

    const RunOptions options_;
    std::vector<std::pair<std::string, Stateful>> parts_;
    std::function<void(io::Checkpoint&)> describe_;
    Log log_;
    std::vector<std::unique_ptr<Log>> more_logs_;
    std::optional<io::ProgressBar> bar_;
    int64_t step_ = 0;
    std::optional<std::pair<int64_t, std::function<std::vector<double>()>>> late_row_;  // its step
    int signal_ = 0;                                            // that ends the run, 0: none
    std::string stopped_, finished_;                            // why; empty: it is not
    std::string good_state_;                                    // the last file of one; empty: none yet
    mutable std::optional<io::Checkpoint::Settings> settings_;  // all
    bool begun_ = false, rolled_back_ = false;
    bool is_whole_ = true;  // all parts are at step_
};

}  // namespace lily::train
