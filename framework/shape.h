// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <initializer_list>
#include <vector>

#include "framework/error.h"

namespace lily {

// Sizes of a tensor's dimensions, outermost first; rank 0 is a scalar.
class Shape {
  public:
    Shape() = default;
    Shape(std::initializer_list<int64_t> dims) : dims_(dims) {}
    explicit Shape(std::vector<int64_t> dims) : dims_(std::move(dims)) {}
    template <class Iterator>
    Shape(Iterator first, Iterator last) : dims_(first, last) {}

    int64_t rank() const { return static_cast<int64_t>(dims_.size()); }
    int64_t operator[](int64_t i) const { return dims_[static_cast<size_t>(i)]; }
    int64_t& operator[](int64_t i) { return dims_[static_cast<size_t>(i)]; }
    auto begin() const { return dims_.begin(); }
    auto end() const { return dims_.end(); }
    const std::vector<int64_t>& dims() const { return dims_; }
    void push_back(int64_t size) { dims_.push_back(size); }

    int64_t numel() const {
        int64_t n = 1;
        for (int64_t d : dims_) n *= d;
        return n;
    }
    bool operator==(const Shape&) const = default;

  private:
    std::vector<int64_t> dims_;
};

// -1 is the last dimension, as in PyTorch.
inline int64_t wrap_dim(const char* op, int64_t dim, int64_t rank) {
    check(dim >= -rank && dim < rank, "[{}] dimension {} is out of range for a tensor of rank {}", op, dim,
          rank);
    return dim < 0 ? dim + rank : dim;
}

// The shape that a and b broadcast to: aligned at the last dimension, sizes equal or 1.
Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b);

}  // namespace lily

template <>
struct fmt::is_range<lily::Shape, char> : std::false_type {};
// Prints (2,3). Not inline: it would compile the engine of {fmt} anew in each file that names a shape.
template <>
struct fmt::formatter<lily::Shape> : fmt::formatter<fmt::string_view> {
    auto format(const lily::Shape& shape, fmt::format_context& context) const
        -> fmt::format_context::iterator;
};
