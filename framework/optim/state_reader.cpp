// SPDX-License-Identifier: MIT
#include "framework/optim/state_reader.h"

#include "framework/io/file.h"

namespace lily::optim {

const Tensor& StateReader::at(const std::string& name, DType dtype) {
    const auto found = state_.find(name);
    check(found != state_.end() && found->second.defined(), "[{}] the state has no '{}'", reader_, name);
    check(found->second.dtype() == dtype, "[{}] state '{}' is {}, expected {}", reader_, name,
          lily::name(found->second.dtype()), lily::name(dtype));
    read_.insert(name);
    return found->second;
}

Tensor StateReader::tensor(const std::string& name, const Tensor& like) {
    const Tensor& saved = at(name, like.dtype());
    check(saved.shape() == like.shape(), "[{}] state '{}' has shape {}, its parameter {}", reader_, name,
          saved.shape(), like.shape());
    return empty_like(like).copy_(saved);
}

double StateReader::number(const std::string& name) { return at(name, DType::f64).item<double>(); }
int64_t StateReader::integer(const std::string& name) { return at(name, DType::i64).item<int64_t>(); }

std::vector<double> StateReader::numbers(const std::string& name) {
    return at(name, DType::f64).to_vector<double>();
}

std::vector<int64_t> StateReader::integers(const std::string& name) {
    return at(name, DType::i64).to_vector<int64_t>();
}

void StateReader::finish() const {
    for (const auto& [name, tensor] : state_)
        check(read_.contains(name), "[{}] the state has {}, which is not of this optimiser", reader_,
              io::in_quotes(name));
}

}  // namespace lily::optim
