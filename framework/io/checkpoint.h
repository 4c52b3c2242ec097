// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "framework/io/tensors.h"

namespace lily::io {

// The state of a run in one file: named parts of tensors (a model, an optimiser) and text. As a file it is
// safetensors, with the format's name and version in its metadata.
struct Checkpoint {
    StateDict tensors;                            // "model.features.0.weight", "optimizer.0.exp_avg"
    std::map<std::string, std::string> metadata;  // "step", "loss", options of the run

    // put("model", net.state_dict()); net.load_state_dict(checkpoint.part("model")).
    void put(const std::string& part, const StateDict& state);
    StateDict part(const std::string& name) const;           // throws where there is none
    StateDict part_or_empty(const std::string& name) const;  // a module without parameters has none
    // Throws unless tensor `name` is there in that shape: before a network of described sizes takes memory.
    void require_shape(const std::string& name, const Shape& shape) const;

    // Whole numbers of 64 bits as text, exact: steps, seeds, positions in the data.
    void put_integer(const std::string& key, uint64_t value);
    uint64_t integer(const std::string& key) const;
    int64_t size(const std::string& key,
                 int64_t most) const;  // one of 0 to `most`: a file that says more is damaged
    double number(const std::string& key) const;
    const std::string& text(const std::string& key) const;  // throws where there is none

    // What a run must have in common with the one that it continues: its program, and option name → value.
    // The two throw, naming `path`, if the program is another, and what `difference` says of the options
    // (name, value now, value then; kNotSet where there is none). Empty: no difference.
    using Settings = std::map<std::string, std::string>;
    static constexpr const char* kNotSet = "not set";
    using Difference =
        std::function<std::string(const std::string& name, const std::string& now, const std::string& then)>;
    static std::string difference(const std::string& name, const std::string& now, const std::string& then);
    void put_settings(const std::string& program, const Settings& settings);
    void require_program(const std::string& program, const std::string& path) const;
    void require_settings(const Settings& settings, const std::string& path,
                          const Difference& difference = Checkpoint::difference) const;
};

// Atomic: killed at any moment, there is the old file or the new one.
void save_checkpoint(const std::string& path, const Checkpoint& checkpoint);

// The tensors may be changed in place; the file stays as it is.
Checkpoint load_checkpoint(const std::string& path);

}  // namespace lily::io
