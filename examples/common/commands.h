// SPDX-License-Identifier: MIT
// A program of several commands, each with options of its own.
#pragma once

#include <functional>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "examples/common/options.h"

namespace lily {

// Settings: a std::variant of what the commands take.
//     Commands<Settings> commands("clip", "Trains and uses CLIP.", kExamples);
//     commands.add("train", "train a small model", add_train);  // void add_train(Options&, TrainSettings&)
//     return commands.parse(argc, argv);
template <class Settings>
class Commands {
  public:
    Commands(const char* name, const char* what, const char* footer) : app_(what, name) {
        app_.footer(footer);
        app_.require_subcommand(1);
    }

    // `add` declares the options; those of the machine are added for settings that have them. `finish`, if
    // given, sees the settings when all have been read, and may throw a CLI::ValidationError.
    template <class S>
    void add(const char* name, const char* what, void (*add)(Options&, S&),
             const std::function<void(S&)>& finish = {}) {
        CLI::App* app = app_.add_subcommand(name, what);
        const auto settings = std::make_shared<S>();
        Options options(*app);
        add(options, *settings);
        if constexpr (std::is_base_of_v<Machine, S>) options.machine(*settings);
        if (finish) app->final_callback([settings, finish] { finish(*settings); });
        commands_.push_back({app, [settings, options] {
                                 if constexpr (requires { settings->same; })
                                     settings->same = options.resume_settings();
                                 return Settings(std::move(*settings));
                             }});
    }

    // As parse_or_exit; the settings of the command that was called. `same` of those that have it is what a
    // resumed run must have in common with this one.
    Settings parse(int argc, char** argv) {
        parse_or_exit(app_, argc, argv);
        for (const Command& command : commands_)
            if (command.app->parsed()) return command.settings();
        fail("[internal] no command");
    }

  private:
    struct Command {
        CLI::App* app;
        std::function<Settings()> settings;
    };

    CLI::App app_;
    std::vector<Command> commands_;
};

}  // namespace lily
