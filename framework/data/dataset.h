// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "framework/io/picture_grid.h"

namespace lily::data {

// Pictures of one size as bytes, each with a class or all without.
struct Dataset {
    int64_t count = 0, channels = 0, height = 0, width = 0;
    std::vector<uint8_t> pixels = {};  // (count, channels, height, width)
    std::vector<uint8_t> labels = {};  // (count), below `classes`; empty: none
    int64_t classes = 0;
    std::vector<std::string> captions = {};  // (count), UTF-8; empty: none
    std::vector<std::string> remarks = {};   // of the files, for the user: a line each
    struct Skipped {
        std::string path, why;
    };
    std::vector<Skipped> skipped = {};  // files that look like pictures and could not be taken

    int64_t picture_size() const { return channels * height * width; }
    io::PictureSize size() const { return {channels, height, width}; }
    // The numbers of `wanted` pictures (of all, if there are fewer), spread evenly over them.
    std::vector<int64_t> spread(int64_t wanted) const;
    // Of all that is in it (io::Fingerprint).
    std::string fingerprint() const;
    // "3 of 1000 pictures are skipped, the first: 'a.png': …"; empty: none is.
    std::string skipped_text() const;
    // A line for each: its path, a tab, the reason.
    void save_skipped(const std::string& path) const;
};

enum class Split { train, test };

// The files of MNIST and its relatives in a folder: train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-…
// for the test split, each also with .gz; or a pair images-idx3-ubyte, labels-idx1-ubyte, which is the
// training split; or one set of EMNIST, emnist-letters-train-images-idx3-ubyte, …-test-…, whose pictures lie
// transposed in the file and are turned upright here, and whose letters are the classes 0 (a, A) to 25, in
// the file 1 to 26. Labels may be missing.
Dataset load_mnist(const std::string& folder, Split split = Split::train);
bool has_mnist(const std::string& folder, Split split);

// The pictures in the middle of a black border; of their own size: themselves.
Dataset padded(const Dataset& set, int64_t height, int64_t width);

// Whatever the folder holds: MNIST's files, or pictures, which become grey ones of size x size.
Dataset load_folder(const std::string& folder, int size);

}  // namespace lily::data
