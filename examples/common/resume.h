// SPDX-License-Identifier: MIT
// What a resumed run must have in common with the one that it continues, said once, where an option is
// declared.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>
#include <type_traits>
#include <vector>

#include "framework/error.h"
#include "framework/io/checkpoint.h"

namespace lily {

// May a resumed run have another value of an option?
enum class Resume {
    same,          // no: the run would be another one
    same_content,  // its file may have another name, but the same content: the program gives a fingerprint
    any            // yes
};

template <class Value>
std::string setting_text(const Value& value) {
    if constexpr (std::is_same_v<Value, bool>)
        return value ? "yes" : "no";
    else if constexpr (std::is_arithmetic_v<Value> || std::is_same_v<Value, std::string>)
        return fmt::format("{}", value);
    else
        return fmt::format("{}", fmt::join(value, ","));
}

struct ResumeSettings {
    io::Checkpoint::Settings same = {};      // option → value
    std::vector<std::string> contents = {};  // options that name files

    // Both together; `fingerprints`: of every file, by the option's name ("--style 2" for a second file).
    io::Checkpoint::Settings with(const io::Checkpoint::Settings& fingerprints) const {
        io::Checkpoint::Settings all = same;
        for (const auto& [name, fingerprint] : fingerprints) {
            const std::string option = name.substr(0, name.find(' '));
            check(std::count(contents.begin(), contents.end(), option) == 1, "[internal] {} names no file",
                  option);
            all[name] = fingerprint;
        }
        for (const std::string& option : contents)
            check(std::any_of(fingerprints.begin(), fingerprints.end(),
                              [&](const auto& entry) {
                                  return entry.first.substr(0, entry.first.find(' ')) == option;
                              }),
                  "[internal] no fingerprint of {}", option);
        return all;
    }
};

}  // namespace lily
