// SPDX-License-Identifier: MIT
// docs/pictures.md promises a test for each kind of picture: is there one?
#include <filesystem>
#include <sstream>

#include "tests/framework/io/io_test.h"

namespace lily::io {
namespace {

TEST_CASE("each kind of picture that docs/pictures.md lists has a test", "[io][image]") {
    std::string sources;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(LILY_SOURCE_DIR "/tests/framework/io"))
        if (entry.path().extension() == ".cpp") sources += text_of(entry.path().string());

    std::istringstream page(text_of(LILY_SOURCE_DIR "/docs/pictures.md"));
    int kinds = 0;
    for (std::string line; std::getline(page, line);) {
        if (line.rfind("| ", 0) != 0 || line.rfind("| kind |", 0) == 0) continue;
        INFO(line);
        const size_t first = line.rfind(" | `");
        REQUIRE(first != std::string::npos);
        REQUIRE(line.substr(line.size() - 3) == "` |");
        const std::string name = line.substr(first + 4, line.size() - 3 - first - 4);
        CHECK(sources.find("TEST_CASE(\"" + name + "\"") != std::string::npos);
        ++kinds;
    }
    CHECK(kinds > 30);
}

}  // namespace
}  // namespace lily::io
