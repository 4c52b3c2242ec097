// SPDX-License-Identifier: MIT
#include "framework/data/picture_folder.h"

#include <algorithm>
#include <filesystem>
#include <functional>

#include "framework/data/caption.h"
#include "framework/error.h"
#include "framework/io/file.h"

namespace lily::data {
namespace {

namespace fs = std::filesystem;
using io::in_quotes;

constexpr int64_t kMostClasses = 255;
constexpr size_t kMostCaptionFileBytes = 1 << 20;
constexpr int kDeepest = 32;  // folders in folders

// Without the hidden ones, which others keep there: .ipynb_checkpoints, macOS' ._1.png beside 1.png.
std::vector<fs::path> sorted_entries(const fs::path& folder) {
    std::error_code error;
    std::vector<fs::path> entries;
    for (const auto& entry : fs::directory_iterator(folder, error))
        if (!entry.path().filename().string().starts_with('.')) entries.push_back(entry.path());
    check(!error, "cannot read {}: {}", in_quotes(folder.string()), error.message());
    std::sort(entries.begin(), entries.end());
    return entries;
}

enum class Kind { picture, unread_picture, other };

Kind kind_of(const fs::path& path) {
    constexpr std::string_view kRead[] = {".png", ".jpg",  ".jpeg", ".bmp", ".tga",
                                          ".gif", ".webp", ".tif",  ".tiff"};
    constexpr std::string_view kUnread[] = {".avif", ".eps", ".exr", ".hdr", ".heic", ".heif",
                                            ".ico",  ".jp2", ".jxl", ".pbm", ".pcx",  ".pgm",
                                            ".pnm",  ".ppm", ".psd", ".svg"};
    const std::string extension = io::extension_of(path.string());
    const auto is_in = [&](const auto& list) {
        return std::find(std::begin(list), std::end(list), extension) != std::end(list);
    };
    return is_in(kRead) ? Kind::picture : is_in(kUnread) ? Kind::unread_picture : Kind::other;
}

std::string caption_of(const fs::path& picture) {
    const std::string path = fs::path(picture).replace_extension(".txt").string();
    std::error_code none;
    check(fs::is_regular_file(path, none), "it has no caption: there is no {}",
          in_quotes(fs::path(path).filename().string()));
    const std::vector<std::byte> bytes = io::read_file(path, kMostCaptionFileBytes);
    return parse_caption({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

// One picture and what belongs to it, or why it is skipped.
void append(Dataset& set, const PictureFolderOptions& options, const fs::path& path, int64_t label) {
    const Kind kind = kind_of(path);
    if (kind == Kind::other) return;
    try {
        check(kind == Kind::picture, "pictures of this kind are not read");
        std::string caption = options.captions ? caption_of(path) : "";
        const auto side = static_cast<int>(std::max(options.size.height, options.size.width));
        const std::vector<uint8_t> pixels =
            to_shape(io::load_reduced_image(path.string(), {.shortest_side = side, .remarks = &set.remarks}),
                     options.size, options.fit);
        set.pixels.insert(set.pixels.end(), pixels.begin(), pixels.end());
        if (options.captions) set.captions.push_back(std::move(caption));
        if (label >= 0) set.labels.push_back(static_cast<uint8_t>(label));
        ++set.count;
    } catch (const Error& error) {
        set.skipped.push_back({path.string(), error.what()});
    }
}

// visit(path) for all files below the folder; links to folders aside, which may lead back.
void for_all_below(const fs::path& folder, const std::function<void(const fs::path&)>& visit, int depth = 0) {
    check(depth < kDeepest, "{} lies {} folders deep: no more are read", in_quotes(folder.string()), depth);
    std::error_code none;
    for (const fs::path& path : sorted_entries(folder))
        if (fs::is_directory(fs::symlink_status(path, none)))
            for_all_below(path, visit, depth + 1);
        else
            visit(path);
}

}  // namespace

std::vector<std::string> picture_files(const std::string& folder) {
    std::error_code none;
    check(fs::is_directory(folder, none), "there is no folder {}", in_quotes(folder));
    std::vector<std::string> files;
    for_all_below(folder, [&](const fs::path& path) {
        if (kind_of(path) == Kind::picture) files.push_back(path.string());
    });
    return files;
}

Dataset load_picture_folder(const std::string& folder, const PictureFolderOptions& options) {
    const io::PictureSize& size = options.size;
    std::error_code none;
    check(fs::exists(folder, none), "there is no folder {}", in_quotes(folder));
    check(fs::is_directory(folder, none), "{} is not a folder", in_quotes(folder));
    check(
        size.height >= 1 && size.width >= 1 && (size.channels == 1 || size.channels == 3),
        "[load_picture_folder] expected pictures of 1 or 3 channels, at least 1 high and wide, got {}x{}x{}",
        size.channels, size.height, size.width);
    Dataset set{.channels = size.channels, .height = size.height, .width = size.width};
    if (options.subfolders == Subfolders::flat) {
        for_all_below(folder, [&](const fs::path& path) { append(set, options, path, -1); });
    } else {
        for (const fs::path& path : sorted_entries(folder)) {
            if (!fs::is_directory(path, none)) continue;
            const int64_t before = set.count;
            for (const fs::path& picture : sorted_entries(path)) append(set, options, picture, set.classes);
            if (set.count > before) ++set.classes;
            check(set.classes <= kMostClasses,
                  "{} has more than {} folders of pictures: no more classes are read", in_quotes(folder),
                  kMostClasses);
        }
        const int64_t labelled = set.count;
        for (const fs::path& picture : sorted_entries(folder)) append(set, options, picture, -1);
        check(labelled == 0 || labelled == set.count, "{} has pictures both in sub-folders and beside them",
              in_quotes(folder));
    }
    check(set.count > 0 || set.skipped.empty(), "{} has no picture that can be read: {}", in_quotes(folder),
          set.skipped_text());
    check(set.count > 0, "{} has neither IDX files (train-images-idx3-ubyte) nor pictures",
          in_quotes(folder));
    return set;
}

}  // namespace lily::data
