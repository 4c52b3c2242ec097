// SPDX-License-Identifier: MIT
// Command lines in one line per option: its name, what it sets, what --help shows.
#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "examples/common/machine.h"
#include "examples/common/resume.h"
#include "examples/common/words.h"
#include "framework/io/file.h"
#include "framework/io/progress.h"

namespace lily {

// What a number may be, in words that fit behind "expected".
struct Bounds {
    double least, most = HUGE_VAL;
    bool above = false;  // `least` itself is too small

    bool hold(double value) const { return (above ? value > least : value >= least) && value <= most; }
    std::string text() const {
        if (most != HUGE_VAL && !above) return fmt::format("{} to {}", least, most);
        const std::string lower = fmt::format("{} {}", above ? "more than" : "at least", least);
        return most == HUGE_VAL ? lower : fmt::format("{}, at most {}", lower, most);
    }
};
inline Bounds at_least(double least) { return {least}; }
inline Bounds more_than(double least) { return {least, HUGE_VAL, true}; }
inline Bounds between(double least, double most) { return {least, most}; }

// Why `text` is no such number; empty if it is one. CLI11's own conversion would read 010 as 8, and cut 2^70
// to what fits.
template <class Number>
std::string complaint(const std::string& text, const Bounds& bounds) {
    std::string expected = bounds.text();
    if constexpr (std::is_integral_v<Number>) {
        Number given = 0;
        const size_t digits = text.starts_with('+') || text.starts_with('-') ? 1 : 0;
        const bool is_whole = digits < text.size() &&
                              text.find_first_not_of("0123456789", digits) == text.npos &&
                              !(text[digits] == '0' && digits + 1 < text.size());
        const char* const end = text.data() + text.size();
        const bool fits = std::from_chars(text.data() + text.starts_with('+'), end, given).ec == std::errc();
        if (is_whole && fits && bounds.hold(static_cast<double>(given))) return "";
        if (!is_whole)
            expected = "a whole number, " + expected;
        else if (!fits && !text.starts_with('-') && bounds.most == HUGE_VAL)
            expected = fmt::format("at most {}", std::numeric_limits<Number>::max());
    } else {
        double given = 0;
        const bool is_finite = CLI::detail::lexical_cast(text, given) && std::isfinite(given);
        if (is_finite && bounds.hold(given)) return "";
        if (!is_finite) expected = "a finite number, " + expected;
    }
    constexpr size_t kShort = 40;
    const bool is_plain =
        !text.empty() && text.size() <= kShort &&
        std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isgraph(c); });
    return fmt::format("expected {}, got {}", expected, is_plain ? text : io::in_quotes(text));
}

inline std::optional<std::array<int, 2>> parse_grid(const std::string& text, int most) {
    std::array<int, 2> sides{};
    const char *at = text.data(), *end = at + text.size();
    const auto first = std::from_chars(at, end, sides[0]);
    if (first.ec != std::errc() || first.ptr == end || *first.ptr != 'x') return {};
    const auto second = std::from_chars(first.ptr + 1, end, sides[1]);
    if (second.ec != std::errc() || second.ptr != end) return {};
    for (const int side : sides)
        if (side < 1 || side > most) return {};
    return sides;
}

// The whole command line. Ends the program: with 0 after --help, with 2 and one line on stderr if something
// is wrong.
inline void parse_or_exit(CLI::App& app, int argc, char** argv) {
    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp& help) {
        std::exit(app.exit(help));
    } catch (const CLI::ParseError& error) {
        const std::string& name = app.get_name();
        io::put(stderr, fmt::format("{}: {}; see {} --help\n", name, error.what(), name));
        std::exit(2);
    }
}

// Adds to an app, or to one of its subcommands.
class Options {
  public:
    explicit Options(CLI::App& app) : app_(app) {
        app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);  // the last word counts
    }

    // The heading in --help of the options that follow, and whether a resumed run may have other values of
    // them.
    void group(const char* name, Resume resume = Resume::same) {
        app_.option_defaults()->group(name);
        resume_ = resume;
    }
    // The same of the next option alone.
    Options& with(Resume resume) {
        next_ = resume;
        return *this;
    }
    // After parsing.
    ResumeSettings resume_settings() const {
        ResumeSettings settings{.contents = contents_};
        for (const auto& [name, value] : same_) settings.same[name] = value();
        return settings;
    }

    template <class Value>
    CLI::Option* add(const char* name, Value& value, const std::string& shown, const char* help) {
        remember(name, [&value] { return setting_text(value); });
        return app_.add_option(name, value, help)->option_text(shown);
    }

    CLI::Option* file(const char* name, std::string& path, const char* help) {
        return add(name, path, "FILE", help);
    }

    template <class Number>
    CLI::Option* number(const char* name, Number& value, const Bounds& bounds, const char* shown,
                        const char* help) {
        return add(name, value, shown, help)->check([bounds](const std::string& text) {
            return complaint<Number>(text, bounds);
        });
    }

    // "3,1,2"
    template <class Number>
    CLI::Option* numbers(const char* name, std::vector<Number>& values, const Bounds& each, const char* shown,
                         const char* help) {
        return add(name, values, shown, help)
            ->delimiter(',')
            ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
            ->check([each](const std::string& text) { return complaint<Number>(text, each); });
    }

    // One of a few words; the default is what `value` is now.
    template <class Value>
    CLI::Option* choice(const char* name, Value& value, const Words<Value>& words, const char* help) {
        std::string shown;
        for (const auto& [word, meaning] : words) shown += (shown.empty() ? "" : "|") + word;
        remember(name, [&value, words] { return word_for(value, words); });
        return app_.add_option(name, value, help)
            ->option_text(fmt::format("{} [{}]", shown, word_for(value, words)))
            ->transform(CLI::CheckedTransformer(words));
    }

    // "8x4": columns and rows, at most so many; a resumed run may have others.
    CLI::Option* grid(const char* name, std::array<int, 2>& grid, int most, const char* shown,
                      const char* help) {
        next_.reset();
        return app_
            .add_option_function<std::string>(
                name, [&grid, most](const std::string& text) { grid = *parse_grid(text, most); }, help)
            ->option_text(shown)
            ->check([most](const std::string& text) {
                return parse_grid(text, most)
                           ? ""
                           : fmt::format("'{}' is not a grid like 8x8, of 1 to {} a side", text, most);
            });
    }

    CLI::Option* flag(const char* name, bool& value, const char* help) {
        remember(name, [&value] { return setting_text(value); });
        return app_.add_flag(name, value, help);
    }

    // examples/common/machine.h, of every program that trains.
    void machine(Machine& m) {
        group("Machine", Resume::any);
        add("--device", m.device, "auto|cpu|simt|cuda [auto]",
            "where it runs: the CPU, the software GPU (slow; for tests and learning), a GPU")
            ->check(CLI::IsMember({"auto", "cpu", "simt", "cuda"}));
        number("--threads", m.threads, between(1, 1024), "N [all cores]", "CPU threads");
        flag("--quiet", m.quiet, "print errors only");
        with(Resume::same)
            .choice("--precision", m.precision, kPrecisions,
                    "of the factors of products and convolutions on a GPU; sums are f32");
    }

    // Of the whole command line, as parse_or_exit().
    void parse(int argc, char** argv) { parse_or_exit(app_, argc, argv); }

  private:
    void remember(const char* name, std::function<std::string()> value) {
        const Resume resume = std::exchange(next_, std::nullopt).value_or(resume_);
        if (resume == Resume::same) same_.emplace_back(name, std::move(value));
        if (resume == Resume::same_content) contents_.emplace_back(name);
    }

    CLI::App& app_;
    Resume resume_ = Resume::same;
    std::optional<Resume> next_;
    std::vector<std::pair<std::string, std::function<std::string()>>> same_;
    std::vector<std::string> contents_;
};

}  // namespace lily
