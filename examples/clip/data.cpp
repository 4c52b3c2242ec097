// SPDX-License-Identifier: MIT
#include "examples/clip/data.h"

#include "examples/common/pictures.h"
#include "framework/data/picture_folder.h"
#include "framework/io/file.h"

namespace lily::clip {

data::Dataset load_set(const Machine& machine, const std::string& folder, int64_t side, data::Split split) {
    constexpr int64_t kSide = 32;
    const int64_t pixels = side > 0 ? side : kSide;
    data::Dataset set = data::has_mnist(folder, split)
                            ? data::load_mnist(folder, split)
                            : data::load_picture_folder(folder, {.size = {3, pixels, pixels},
                                                                 .subfolders = data::Subfolders::flat,
                                                                 .captions = true});
    say_what_was_found(machine, set);
    check(set.height == set.width && (side == 0 || set.width == side),
          "the pictures in {} are {}x{}, expected {}x{}", io::in_quotes(folder), set.width, set.height,
          pixels, pixels);
    return set;
}

std::vector<std::string> read_lines(const std::string& path, bool keep_empty) {
    constexpr size_t kMostBytes = 16 << 20;
    const std::vector<std::byte> bytes = io::read_file(path, kMostBytes);
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    std::vector<std::string> lines;
    for (size_t at = 0; at < text.size();) {
        const size_t end = std::min(text.find('\n', at), text.size());
        std::string_view line = text.substr(at, end - at);
        if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
        if (keep_empty || !line.empty()) lines.emplace_back(line);
        at = end + 1;
    }
    check(!lines.empty(), "{} has no lines", io::in_quotes(path));
    return lines;
}

std::vector<std::string> templates_or(const std::string& path, data::Split split) {
    if (!path.empty()) return read_lines(path);
    if (split == data::Split::train)
        return {
            "a photo of a {}", "a picture of a {}", "an image of a {}", "a {}",
            "the {}",          "a small {}",        "this is a {}",     "a black and white photo of a {}"};
    return {"a photograph of one {}", "here you see a {}", "a {} for sale", "my {}"};
}

}  // namespace lily::clip
