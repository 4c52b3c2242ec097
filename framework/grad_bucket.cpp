// SPDX-License-Identifier: MIT
#include "framework/grad_bucket.h"

#include "framework/autograd.h"
#include "kernels/vector/vector.h"

namespace lily {
namespace {

constexpr int64_t kAlignment = 64;  // bytes: a cache line, and whole packs of a GPU's loads

int64_t padded(const Tensor& leaf) {
    const int64_t step = kAlignment / static_cast<int64_t>(size_of(leaf.dtype()));
    return (leaf.numel() + step - 1) / step * step;
}

void check_leaf(const Tensor& leaf, const Tensor& first, size_t i) {
    check(leaf.defined(), "[GradBucket] leaf {} is undefined", i);
    check(leaf.is_leaf() && leaf.requires_grad(),
          "[GradBucket] tensor {} of shape {} is no leaf that requires a gradient", i, leaf.shape());
    check(leaf.dtype() == first.dtype(), "[GradBucket] expected leaves of one dtype, got {} and {}",
          name(first.dtype()), name(leaf.dtype()));
    check_same_device("GradBucket", first, leaf);
    check(!leaf.grad_slot()->place.defined(), "[GradBucket] leaf {} of shape {} is in a bucket already", i,
          leaf.shape());
}

}  // namespace

int64_t GradBucket::size(const std::vector<Tensor>& leaves) {
    int64_t total = 0;
    for (const Tensor& leaf : leaves) total += padded(leaf);
    return total;
}

GradBucket::GradBucket(std::vector<Tensor> leaves, Tensor flat)
    : leaves_(std::move(leaves)), flat_(std::move(flat)) {
    check(!leaves_.empty(), "[GradBucket] expected at least one leaf");
    for (size_t i = 0; i < leaves_.size(); ++i) {
        check_leaf(leaves_[i], leaves_[0], i);
        for (size_t j = 0; j < i; ++j)
            check(leaves_[i].grad_slot() != leaves_[j].grad_slot(),
                  "[GradBucket] leaves {} and {} are the same", j, i);
    }
    const Tensor& first = leaves_[0];
    if (!flat_.defined()) flat_ = empty({size(leaves_)}, {.dtype = first.dtype(), .device = first.device()});
    check(flat_.rank() == 1 && flat_.numel() >= size(leaves_),
          "[GradBucket] expected a vector of at least {} elements, got {}", size(leaves_), flat_.shape());
    check(flat_.dtype() == first.dtype(), "[GradBucket] the leaves are {}, the flat vector {}",
          name(first.dtype()), name(flat_.dtype()));
    check_same_device("GradBucket", first, flat_);
    check(!flat_.requires_grad(), "[GradBucket] the flat vector requires a gradient; use detach()");
    flat_.fill_(0);
    int64_t at = 0;
    for (Tensor& leaf : leaves_) {
        leaf.grad_slot()->place = flat_piece(flat_, at, leaf.shape(), leaf.format());
        if (leaf.grad().defined()) put_in_place(*leaf.grad_slot(), leaf.grad());
        at += padded(leaf);
    }
}

GradBucket::~GradBucket() {
    for (const Tensor& leaf : leaves_) leaf.grad_slot()->place = {};
}

Tensor GradBucket::flat() {
    for (const Tensor& leaf : leaves_)
        if (GradSlot& slot = *leaf.grad_slot(); !slot.grad.defined()) slot.place.fill_(0);
    return flat_;
}

void GradBucket::set_grads() {
    for (const Tensor& leaf : leaves_) leaf.grad_slot()->grad = leaf.grad_slot()->place;
}

void put_in_place(GradSlot& leaf, const Tensor& gradient) {
    if (gradient.storage()->data() != leaf.place.storage()->data()) leaf.place.copy_(gradient);
    leaf.grad = leaf.place;
}

void add_in_place(GradSlot& leaf, const Tensor& gradient) {
    if (!leaf.grad.defined()) return put_in_place(leaf, gradient);
    const NoGrad no_grad;
    const Tensor same = gradient.to(leaf.place.format());
    visit_floating("backward", same.dtype(), [&](auto zero) {
        using T = decltype(zero);
        kernels::vector<T>(same.device())
            .axpy(same.queue(), same.numel(), 1, same.data<T>(), leaf.place.mutable_data<T>());
    });
}

}  // namespace lily
