// SPDX-License-Identifier: MIT
// From picture to picture: closed paths through the noise that a generator makes pictures of.
#pragma once

#include <vector>

#include "framework/io/picture_grid.h"

namespace lily::models {

// points (stops, walks, latent) -> (stops · frames, walks, latent): each walk goes from its first point to
// the next, and from the last back to the first, in `frames` steps each. On arcs between points that are
// normally distributed: straight lines pass too near to 0.
enum class Path { arcs, lines };
Tensor closed_walks(const Tensor& points, int64_t frames, Path path = Path::arcs);

// `samples` (frames · walks, pixels): frame f of walk w is sample f · walks + w. A picture per frame that
// shows all walks in a grid of so many columns; or one picture, in which each walk is a row.
std::vector<io::Image> walk_frames(const Tensor& samples, int64_t walks, const io::PictureSize& size,
                                   int columns, int zoom);
io::Image walk_strip(const Tensor& samples, int64_t walks, const io::PictureSize& size, int zoom);

}  // namespace lily::models
