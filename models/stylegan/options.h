// SPDX-License-Identifier: MIT
// The sizes of StyleGAN's networks (Karras et al. 2019, "A Style-Based Generator Architecture for GANs").
#pragma once

#include <cstdint>

#include "framework/dtype.h"

namespace lily::models {

// How many resolutions there are from 4² to this one.
int64_t blocks_of(int64_t resolution);

struct StyleGanOptions {
    int64_t resolution = 32;  // of a picture's side, a power of two from 8 to 1024
    int64_t channels = 3;     // 1 for grey, 3 for RGB
    int64_t classes = 0;      // more: both networks are told the class
    int64_t latent = 512;     // numbers in z
    int64_t width = 512;      // numbers in w, and in the mapping network's layers
    int64_t mapping_layers = 8;
    int64_t feature_base = 8192, feature_max = 512;  // see features()
    int64_t stddev_group = 4;                        // pictures that D compares with each other; 0: none
    DType dtype = DType::f32;

    int64_t blocks() const { return blocks_of(resolution); }  // one per resolution: 4, 8, … resolution
    int64_t layers() const { return 2 * blocks(); }           // places for a style: two per resolution
    // Feature maps of the generator's block `i`, whose resolution is 4·2^i: min(base / 2^(i+1), max).
    // features(-1) is the width of the discriminator's last hidden layer.
    int64_t features(int64_t i) const;

    bool operator==(const StyleGanOptions&) const = default;
};

// As published: 26.2 million parameters in G and 23.1 in D at 1024².
StyleGanOptions stylegan_paper(int64_t resolution, int64_t channels = 3);
// For 32² and 64² on two CPU cores: 128 maps at 4² and 8², 64 at 16², 32 at 32², 16 at 64².
StyleGanOptions stylegan_small(int64_t resolution, int64_t channels = 3);

void check_options(const StyleGanOptions& options);

// How far progressive growing has come: pictures of `resolution`, whose last doubling is faded in by `alpha`.
struct Growth {
    int64_t resolution;
    double alpha = 1;  // 1: the new layers count fully
    int64_t last_block() const { return blocks_of(resolution) - 1; }
    int64_t layers() const { return 2 * blocks_of(resolution); }
    bool operator==(const Growth&) const = default;
};

}  // namespace lily::models
