// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <string>

namespace lily::io {

struct SavedFile {
    std::string path;  // where it is
    std::string
        problem;  // empty if that is where it was to go; else "cannot write 'a/x.png': …; it is in '…'"
};

// For the work of hours, at its end: write(path), and if that throws, write() of the same name in the working
// directory, then in the temporary folder ($TMPDIR or /tmp). What is there already is not replaced: the name
// gets a number. Throws the first error, with what else was tried, if the file fits nowhere.
SavedFile save_somewhere(const std::string& path, const std::function<void(const std::string&)>& write);

}  // namespace lily::io
