// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>

#include "framework/data/loader.h"
#include "framework/io/tensors.h"
#include "framework/nn/module.h"
#include "framework/random.h"

namespace lily::train {

// A part of a run that a checkpoint saves and loads, as tensors by name.
struct Stateful {
    std::function<StateDict()> state_dict;
    std::function<void(const StateDict&)> load_state_dict;
    bool must_be_finite = false;  // a checkpoint with an infinity or NaN in it would be worth nothing
    bool rolls_back = true;       // false: Run::roll_back leaves it as it is
};

// Whatever has the two functions: optimisers, schedulers, averages. All refer to their argument.
template <class T>
Stateful stateful(T& part) {
    return {[&part] { return part.state_dict(); }, [&part](const StateDict& s) { part.load_state_dict(s); },
            std::is_base_of_v<nn::Module, T>};
}
Stateful stateful(Generator& generator);  // which sequence it is, and how far it has come
Stateful stateful(data::Loader& loader);  // how many samples all ranks have taken
Stateful stateful(int64_t& number);
Stateful stateful(double& number);

}  // namespace lily::train
