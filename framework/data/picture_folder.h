// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "framework/data/dataset.h"
#include "framework/data/transforms.h"

namespace lily::data {

enum class Subfolders {
    classes,  // their names are classes, in alphabetical order; pictures lie in them or beside none
    flat,     // all pictures below the folder, without classes
};

struct PictureFolderOptions {
    io::PictureSize size = {.channels = 3, .height = 64, .width = 64};  // 1 channel: grey
    Fit fit = Fit::crop;
    Subfolders subfolders = Subfolders::classes;
    // name.png has the first line of name.txt as its caption; a picture without one is skipped.
    bool captions = false;
};

// All pictures of a folder as bytes of one shape, in the order of their paths: PNG, JPEG, BMP, TGA, GIF, WebP
// and TIFF, by their extensions. Transparent ones are put on white. Hidden files and folders (.name) are
// passed over, and so are other files (lists, licences). A picture that cannot be read, or is of a kind that
// is not read (HEIC, SVG, …), is listed in Dataset::skipped. Throws if none is left.
Dataset load_picture_folder(const std::string& folder, const PictureFolderOptions& options);

// The paths of the pictures below a folder, in that order: files of kinds that are read.
std::vector<std::string> picture_files(const std::string& folder);

}  // namespace lily::data
