// SPDX-License-Identifier: MIT
#include "framework/train/stateful.h"

#include <bit>

namespace lily::train {
namespace {

const std::string kValue = "value";

// Numbers as one i64 tensor: 64 bits each, exact.
Stateful numbers(size_t count, const std::function<std::vector<int64_t>()>& get,
                 const std::function<void(const std::vector<int64_t>&)>& set) {
    const Shape shape{static_cast<int64_t>(count)};
    return {[=] {
                return StateDict{{kValue, from_vector(get(), shape)}};
            },
            [=](const StateDict& state) {
                const auto found = state.find(kValue);
                check(state.size() == 1 && found != state.end() && found->second.dtype() == DType::i64 &&
                          found->second.shape() == shape,
                      "[checkpoint] expected {} whole number{}", count, count == 1 ? "" : "s");
                set(found->second.to_vector<int64_t>());
            }};
}

}  // namespace

Stateful stateful(Generator& generator) {
    return numbers(
        3,
        [&generator] {
            const GeneratorState state = generator.state();
            return std::vector{std::bit_cast<int64_t>(state.seed), std::bit_cast<int64_t>(state.counter),
                               std::bit_cast<int64_t>(state.stream)};
        },
        [&generator](const std::vector<int64_t>& v) {
            generator.set_state({std::bit_cast<uint64_t>(v[0]), std::bit_cast<uint64_t>(v[1]),
                                 std::bit_cast<uint64_t>(v[2])});
        });
}

Stateful stateful(data::Loader& loader) {
    return numbers(
        1, [&loader] { return std::vector{loader.position()}; },
        [&loader](const std::vector<int64_t>& v) { loader.set_position(v[0]); });
}

Stateful stateful(int64_t& number) {
    return numbers(
        1, [&number] { return std::vector{number}; },
        [&number](const std::vector<int64_t>& v) { number = v[0]; });
}

Stateful stateful(double& number) {
    return numbers(
        1, [&number] { return std::vector{std::bit_cast<int64_t>(number)}; },
        [&number](const std::vector<int64_t>& v) { number = std::bit_cast<double>(v[0]); });
}

}  // namespace lily::train
