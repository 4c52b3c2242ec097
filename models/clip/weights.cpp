// SPDX-License-Identifier: MIT
#include "models/clip/weights.h"

#include <optional>
#include <set>

#include "framework/io/file.h"

namespace lily::models {

struct ClipWeights::Source {
    nn::Init init = nn::skip_init;
    std::optional<StateDict> file = std::nullopt;
    std::set<std::string> taken = {};
    std::vector<std::string> problems = {};
};

ClipWeights::ClipWeights(nn::Init init) : source_(std::make_shared<Source>(Source{.init = init})) {}
ClipWeights::ClipWeights(const StateDict& file) : source_(std::make_shared<Source>(Source{.file = file})) {}

ClipWeights ClipWeights::in(const std::string& name) const {
    ClipWeights below = *this;
    below.prefix_ += name + ".";
    return below;
}

Tensor ClipWeights::taken(const std::string& own, const Shape& shape, bool& given) const {
    given = true;
    if (!source_->file) {
        given = !source_->init;
        return empty(shape);
    }
    const std::string name = prefix_ + own;
    source_->taken.insert(name);
    const auto found = source_->file->find(name);
    if (found == source_->file->end())
        source_->problems.push_back(fmt::format("{} is missing", name));
    else if (found->second.shape() != shape)
        source_->problems.push_back(fmt::format("{} is {}, expected {}", name, found->second.shape(), shape));
    else
        return found->second.to(DType::f32);
    return empty(shape);
}

Tensor ClipWeights::normal(const std::string& name, const Shape& shape, double std) const {
    bool given = false;
    Tensor weight = taken(name, shape, given);
    if (!given) nn::normal_(weight, 0, std, source_->init.generator());
    return weight;
}

Tensor ClipWeights::filled(const std::string& name, const Shape& shape, double value) const {
    bool given = false;
    Tensor weight = taken(name, shape, given);
    if (!given) weight.fill_(value);
    return weight;
}

std::vector<std::string> ClipWeights::problems() const {
    std::vector<std::string> all = source_->problems;
    if (source_->file)
        for (const auto& [name, tensor] : *source_->file)
            if (!source_->taken.contains(name))
                all.push_back(fmt::format("{} is not CLIP's", io::in_quotes(name)));
    return all;
}

}  // namespace lily::models
