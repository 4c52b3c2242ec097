// SPDX-License-Identifier: MIT
// A trained generator as a file, and what a file must say so that its networks can be built again.
#pragma once

#include <memory>
#include <string>

#include "framework/io/checkpoint.h"
#include "framework/io/picture_grid.h"
#include "models/gan/trainer.h"

namespace lily::models {

inline constexpr const char* kGanProgram = "mnist_gan";
inline constexpr int64_t kMostLayerSize = 1 << 20;  // a file that says more is damaged
inline constexpr size_t kMostLayers = 64;

// The layers' sizes and the pictures' as text in a checkpoint.
void put_description(io::Checkpoint& checkpoint, const GanOptions& options, const io::PictureSize& size);
GanOptions described_options(const io::Checkpoint& checkpoint);
io::PictureSize described_size(const io::Checkpoint& checkpoint);

void save_generator(const std::string& path, const nn::Module& generator, const GanOptions& options,
                    const io::PictureSize& size);

// What makes its samples: the averaged generator, if it has one.
void save_generator(const std::string& path, GanTrainer& trainer, const io::PictureSize& size);

struct LoadedGenerator {
    GanOptions options;
    io::PictureSize size;
    std::unique_ptr<GanGenerator> generator;  // on the CPU, in eval mode

    // (N,pixels) on the CPU, computed on the generator's device in pieces.
    Tensor sample(const Tensor& z, const std::vector<int64_t>& labels, Device device) const;
};
// Of a file of save_generator, or a checkpoint of a run: then its averaged generator, if it has one.
LoadedGenerator load_generator(const std::string& path);

}  // namespace lily::models
