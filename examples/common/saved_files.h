// SPDX-License-Identifier: MIT
// What a program writes at its end: a file that does not go where it was to go does not take the others
// along.
#pragma once

#include <fmt/ranges.h>

#include <functional>
#include <string>
#include <vector>

#include "examples/common/program.h"
#include "framework/error.h"
#include "framework/io/save_somewhere.h"

namespace lily {

class SavedFiles {
  public:
    // write(path), or elsewhere if that fails; returns where it is, empty: nowhere.
    std::string save(const std::string& path, const std::function<void(const std::string&)>& write) {
        try {
            io::SavedFile saved = io::save_somewhere(path, write);
            if (!saved.problem.empty()) problems_.push_back(saved.problem);
            return saved.path;
        } catch (const std::exception& error) {
            problems_.push_back(error_text(error));
            return "";
        }
    }

    // Throws, in one line, what went wrong and where the files are.
    void require_all_in_place() const {
        if (!problems_.empty()) fail("{}", fmt::join(problems_, "; "));
    }

  private:
    std::vector<std::string> problems_;
};

}  // namespace lily
