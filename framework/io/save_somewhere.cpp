// SPDX-License-Identifier: MIT
#include "framework/io/save_somewhere.h"

#include <exception>
#include <filesystem>
#include <vector>

#include "framework/error.h"
#include "framework/io/file.h"

namespace lily::io {
namespace {

namespace fs = std::filesystem;

// "x.png", "x-2.png", …: the first that is not there. Links count, wherever they lead.
fs::path unused(const fs::path& folder, const fs::path& name) {
    std::error_code none;
    fs::path path = folder / name;
    for (int i = 2; fs::exists(fs::symlink_status(path, none)); ++i)
        path = folder / cut_to_fit(folder.string(), name.stem().string(),
                                   fmt::format("-{}{}", i, name.extension().string()));
    return path;
}

}  // namespace

SavedFile save_somewhere(const std::string& path, const std::function<void(const std::string&)>& write) {
    std::string problem;
    try {
        write(path);
        return {path, ""};
    } catch (const std::exception& error) {
        problem = error.what();
    }
    std::error_code error;
    for (const fs::path& folder : {fs::current_path(error), fs::temp_directory_path(error)}) {
        if (folder.empty()) continue;
        const std::string other = unused(folder, fs::path(path).filename()).string();
        try {
            write(other);
            return {other, fmt::format("{}; it is in {}", problem, in_quotes(other))};
        } catch (const std::exception&) {  // the first error is the one to report
        }
    }
    fail("{}; the working directory and the temporary folder did not take it either", problem);
}

}  // namespace lily::io
