// SPDX-License-Identifier: MIT
// Command lines in one line per option: its name, what it sets, what --help shows.
#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cmath>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "examples/common/words.h"

namespace lily {

// Adds to an app, or to one of its subcommands.
class Options {
  public:
    explicit Options(CLI::App& app) : app_(app) {
        app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);  // the last word counts
    }

    // The heading in --help of the options that follow.
    void group(const char* name) { app_.option_defaults()->group(name); }

    template <class Value>
    CLI::Option* add(const char* name, Value& value, const std::string& shown, const char* help) {
        return app_.add_option(name, value, help)->option_text(shown);
    }

    CLI::Option* file(const char* name, std::string& path, const char* help) {
        return add(name, path, "FILE", help);
    }

    template <class Number>
    CLI::Option* number(const char* name, Number& value, const CLI::Validator& range, const char* shown,
                        const char* help) {
        CLI::Option* option = add(name, value, shown, help)->check(range);
        if constexpr (std::is_integral_v<Number>)  // CLI11 would read 010 as 8, and cut 2^70 to what fits
            option->check([](const std::string& text) {
                Number given = 0;
                const char *const begin = text.data() + (text[0] == '+'), *const end =
                                                                              text.data() + text.size();
                const auto [stop, error] = std::from_chars(begin, end, given);
                if (error == std::errc::result_out_of_range) return text + " is out of range";
                const bool octal = given != 0 && begin[*begin == '-'] == '0';
                return error == std::errc() && stop == end && !octal ? std::string()
                                                                     : text + " is not a whole number";
            });
        else if constexpr (std::is_floating_point_v<Number>)  // NaN is in every range
            option->check([](const std::string& text) {
                double given = 0;
                return CLI::detail::lexical_cast(text, given) && std::isfinite(given)
                           ? std::string()
                           : text + " is not a finite number";
            });
        return option;
    }

    // One of a few words; the default is what `value` is now.
    template <class Value>
    CLI::Option* choice(const char* name, Value& value, const Words<Value>& words, const char* help) {
        std::string shown;
        for (const auto& [word, meaning] : words) shown += (shown.empty() ? "" : "|") + word;
        return add(name, value, fmt::format("{} [{}]", shown, word_for(value, words)), help)
            ->transform(CLI::CheckedTransformer(words));
    }

    // A word that a function takes.
    CLI::Option* function(const char* name, const std::function<void(const std::string&)>& take,
                          const std::string& shown, const char* help) {
        return app_.add_option_function<std::string>(name, take, help)->option_text(shown);
    }

    CLI::Option* flag(const char* name, bool& value, const char* help) {
        return app_.add_flag(name, value, help);
    }

    // --device, --threads, --quiet: of every program.
    void machine(std::string& device, int& threads, bool& quiet) {
        group("Machine");
        add("--device", device, "auto|cpu|simt|cuda [auto]",
            "where it runs: the CPU, the software GPU (slow; for tests and learning), a GPU")
            ->check(CLI::IsMember({"auto", "cpu", "simt", "cuda"}));
        number("--threads", threads, CLI::Range(1, 1024), "N [all cores]", "CPU threads");
        flag("--quiet", quiet, "print errors only");
    }

  private:
    CLI::App& app_;
};

}  // namespace lily
