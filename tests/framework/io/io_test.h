// SPDX-License-Identifier: MIT
// What the tests of framework/io share: a scratch folder, and the text of an expected error.
#pragma once

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "framework/error.h"
#include "framework/io/file.h"
#include "tests/catch.h"

namespace lily::io {

class ScratchFolder {
  public:
    ScratchFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "lily-test-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no scratch folder");
        path_ = name;
    }
    ~ScratchFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    ScratchFolder(const ScratchFolder&) = delete;
    ScratchFolder& operator=(const ScratchFolder&) = delete;

    std::string operator/(const std::string& name) const { return (path_ / name).string(); }

    // Names of all files, sorted and joined by spaces: shows temporary files that stayed behind.
    std::string listing() const {
        std::vector<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator(path_))
            names.push_back(entry.path().filename().string());
        std::sort(names.begin(), names.end());
        std::string all;
        for (const std::string& name : names) all += (all.empty() ? "" : " ") + name;
        return all;
    }

  private:
    std::filesystem::path path_;
};

// While it lives, descriptor 1 writes into a file, as after a shell's `> path`.
class StdoutInto {
  public:
    explicit StdoutInto(const std::string& path) : saved_(::dup(STDOUT_FILENO)) {
        std::cout.flush();
        std::fflush(stdout);
        const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666);
        ::dup2(fd, STDOUT_FILENO);
        ::close(fd);
    }
    ~StdoutInto() {
        std::cout.flush();
        std::fflush(stdout);
        ::dup2(saved_, STDOUT_FILENO);
        ::close(saved_);
    }
    StdoutInto(const StdoutInto&) = delete;
    StdoutInto& operator=(const StdoutInto&) = delete;

  private:
    int saved_;
};

inline std::string text_of(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

inline Bytes bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

// The message of the lily::Error that `body` throws, which must be one line; any other exception gets
// through.
template <class Body>
std::string error_of(Body&& body) {
    try {
        body();
    } catch (const Error& error) {
        const std::string message = error.what();
        CHECK(message.find('\n') == std::string::npos);
        CHECK(message.size() < 600);
        return message;
    }
    return "(no error)";
}

}  // namespace lily::io
