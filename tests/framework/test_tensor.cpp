// SPDX-License-Identifier: MIT
#include "framework/tensor.h"

#include <cmath>

#include "framework/ops.h"
#include "tests/catch.h"

namespace lily {
namespace {

using Floats = std::vector<float>;

template <class T>
std::vector<T> counting(int64_t n) {
    std::vector<T> values(static_cast<size_t>(n));
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<T>(i);
    return values;
}

}  // namespace

TEST_CASE("factories", "[tensor]") {
    CHECK(zeros({2, 3}).to_vector() == Floats(6, 0));
    CHECK(ones({2}).to_vector() == Floats(2, 1));
    CHECK(full({2}, -2.5).to_vector() == Floats(2, -2.5f));
    CHECK(scalar(3).shape() == Shape{});
    CHECK(scalar(3).item() == 3);
    CHECK(arange(4).to_vector() == Floats{0, 1, 2, 3});
    CHECK(arange(3, {.dtype = DType::i64}).to_vector<int64_t>() == std::vector<int64_t>{0, 1, 2});
    CHECK(full({2}, 7, {.dtype = DType::u8}).to_vector<uint8_t>() == std::vector<uint8_t>{7, 7});
    CHECK(from_vector<double>({1, 2}, {2, 1}).dtype() == DType::f64);
    const Tensor blocked = empty({2, 16, 3, 3}, {.dtype = DType::f64, .format = MemoryFormat::blocked8});
    for (const Tensor& like : {empty_like(blocked), zeros_like(blocked), ones_like(blocked)}) {
        CHECK(like.shape() == blocked.shape());
        CHECK(like.dtype() == DType::f64);
        CHECK(like.format() == MemoryFormat::blocked8);
    }
    CHECK(empty({3, 0, 2}).numel() == 0);
    CHECK(empty({3, 0, 2}).to_vector().empty());
    CHECK(zeros({2, 3}).nbytes() == 24);
    CHECK(zeros({2, 3}).size(-1) == 3);

    CHECK_THROWS_WITH(empty({2, -1}), "[empty] shape (2,-1) is negative or too large");
    CHECK_THROWS_WITH(empty({int64_t{1} << 40, int64_t{1} << 40}),
                      "[empty] shape (1099511627776,1099511627776) is negative or too large");
    CHECK_THROWS_WITH(from_vector<float>({1, 2}, {3}), "[from_vector] 2 values for shape (3)");
    CHECK_THROWS_WITH(empty({2, 6, 3, 3}, {.format = MemoryFormat::blocked8}),
                      "[tensor] format blocked8 expects a multiple of 8 channels, got (2,6,3,3)");
    CHECK_THROWS_WITH(empty({6, 3}, {.format = MemoryFormat::channels_last}),
                      "[tensor] format channels_last expects (N,C,H,W), got (6,3)");
    CHECK_THROWS_WITH(Tensor({3}, {}, std::make_shared<Storage>(Device::cpu, 8)),
                      "[tensor] shape (3) needs 12 bytes, the storage has 8");
    CHECK_THROWS_WITH(zeros({2}).size(1), "[size] dimension 1 is out of range for a tensor of rank 1");
}

TEST_CASE("a tensor is a handle: copies and reshapes share memory, all else is new", "[tensor]") {
    Tensor x = arange(6);
    const Tensor same = x, view = x.reshape({2, -1}), outside = x.detach(), copy = x.clone();
    CHECK(same.is_same(x));
    CHECK(!view.is_same(x));
    CHECK(view.shape() == Shape{2, 3});
    CHECK(view.storage() == x.storage());
    CHECK(outside.storage() == x.storage());
    CHECK(copy.storage() != x.storage());
    const uint64_t before = x.storage()->version();
    x.fill_(4);
    CHECK(x.storage()->version() > before);
    CHECK(view.to_vector() == Floats(6, 4));
    CHECK(copy.to_vector() == counting<float>(6));
    CHECK(x.data<float>() == view.data<float>());
    CHECK(x.reshape({6}).is_same(x));
    CHECK(x.to(DType::f32).is_same(x));
    CHECK(x.to(MemoryFormat::contiguous).is_same(x));
    CHECK(x.to(Device::cpu).is_same(x));
}

TEST_CASE("members do what the functions of their names do", "[tensor]") {
    const Tensor x = arange(6).reshape({1, 2, 3});
    CHECK(x.flatten(1).shape() == Shape{1, 6});
    CHECK(x.flatten(0, 1).shape() == Shape{2, 3});
    CHECK(x.transpose(1, 2).shape() == Shape{1, 3, 2});
    CHECK(x.transpose(-1, 1).to_vector() == Floats{0, 3, 1, 4, 2, 5});
    CHECK(x.mean().item() == 2.5f);
}

TEST_CASE("items and data ask for the right dtype and size", "[tensor]") {
    CHECK(full({1, 1}, 2.75).item<int64_t>() == 2);
    CHECK(full({}, 3, {.dtype = DType::u8}).item() == 3.0f);
    CHECK_THROWS_WITH(zeros({2}).item(), "[item] expected a tensor of one element, got (2)");
    CHECK_THROWS_WITH(zeros({0}).item(), "[item] expected a tensor of one element, got (0)");
    CHECK_THROWS_WITH(zeros({2}).data<double>(), "[data] the tensor holds f32, f64 was asked for");
    CHECK_THROWS_WITH(Tensor{}.shape(), "[tensor] an undefined tensor was used");
    CHECK(!Tensor{}.defined());
}

TEST_CASE("every memory format holds the same values", "[tensor]") {
    const Shape shape{2, 16, 3, 5};
    const Tensor x = from_vector(counting<float>(shape.numel()), shape);
    using enum MemoryFormat;
    for (const MemoryFormat first : {contiguous, channels_last, blocked8, blocked16})
        for (const MemoryFormat second : {contiguous, channels_last, blocked8, blocked16}) {
            INFO(name(first) << " to " << name(second));
            const Tensor y = x.to(first).to(second);
            CHECK(y.format() == second);
            CHECK(y.to_vector() == counting<float>(shape.numel()));
            CHECK((second == contiguous) ==
                  (Floats(y.data<float>(), y.data<float>() + y.numel()) == x.to_vector()));
        }
    // (n, c, h, w) = (1, 9, 2, 3) by hand
    const float value = x.data<float>()[((1 * 16 + 9) * 3 + 2) * 5 + 3];
    CHECK(x.to(channels_last).data<float>()[((1 * 3 + 2) * 5 + 3) * 16 + 9] == value);
    CHECK(x.to(blocked8).data<float>()[(((1 * 2 + 1) * 3 + 2) * 5 + 3) * 8 + 1] == value);
    CHECK(x.to(blocked16).data<float>()[((1 * 3 + 2) * 5 + 3) * 16 + 9] == value);
    CHECK_THROWS_WITH(zeros({2, 12, 3, 3}).to(blocked8),
                      "[tensor] format blocked8 expects a multiple of 8 channels, got (2,12,3,3)");
    CHECK(zeros({0, 16, 3, 3}).to(blocked16).to_vector().empty());
    CHECK(x.to(blocked16).reshape({32, 15}).to_vector() == x.to_vector());
}

TEST_CASE("dtype conversions", "[tensor]") {
    const Tensor x = from_vector<double>({0, 1.9, 200.2, 3}, {4});
    CHECK(x.to(DType::i64).to_vector<int64_t>() == std::vector<int64_t>{0, 1, 200, 3});
    CHECK(x.to(DType::u8).to_vector<uint8_t>() == std::vector<uint8_t>{0, 1, 200, 3});
    CHECK(x.to(DType::f32).to_vector() == Floats{0, 1.9f, 200.2f, 3});
    CHECK(x.to(DType::u8).to(DType::f64).to_vector<double>() == std::vector<double>{0, 1, 200, 3});

    Tensor leaf = x.clone().set_requires_grad();
    CHECK(leaf.to(DType::f32).requires_grad());
    CHECK(!leaf.to(DType::i64).requires_grad());
    sum(square(leaf.to(DType::f32))).backward();
    CHECK(leaf.grad().dtype() == DType::f64);
    CHECK(leaf.grad().to_vector<double>()[3] == 6);
}

TEST_CASE("in-place changes are for leaves", "[tensor]") {
    Tensor x = zeros({2, 16, 2, 2}, {.format = MemoryFormat::channels_last});
    const Tensor source = from_vector(counting<double>(128), {2, 16, 2, 2});
    x.copy_(source);  // other format, other dtype
    CHECK(x.format() == MemoryFormat::channels_last);
    CHECK(x.to_vector() == counting<float>(128));
    x.copy_(x);
    CHECK(x.to_vector() == counting<float>(128));
    CHECK_THROWS_WITH(x.copy_(zeros({2})), "[copy_] expected shape (2,16,2,2), got (2)");

    Tensor leaf = ones({2}).set_requires_grad();
    leaf.fill_(3);
    leaf.copy_(zeros({2}));
    CHECK(leaf.requires_grad());
    Tensor y = leaf * 2.0;
    CHECK_THROWS_WITH(y.fill_(1), "[fill_] only leaves can be changed in place");
    CHECK_THROWS_WITH(y.copy_(leaf), "[copy_] only leaves can be changed in place");
    CHECK_THROWS_WITH(y.set_requires_grad(false),
                      "[set_requires_grad] only a leaf can require a gradient: detach() it first");
    CHECK_THROWS_WITH(zeros({2}, {.dtype = DType::i64}).set_requires_grad(),
                      "[set_requires_grad] a tensor of i64 has no gradient");
    CHECK_THROWS_WITH(leaf.set_grad(zeros({3})), "[set_grad] expected shape (2), got (3)");
}

TEST_CASE("clone and format conversion pass gradients through", "[tensor]") {
    Tensor x = full({1, 8, 2, 2}, 3).set_requires_grad();
    sum(square(x.clone().to(MemoryFormat::blocked8))).backward();
    CHECK(x.grad().to_vector() == Floats(32, 6));
    CHECK(x.grad().format() == MemoryFormat::contiguous);
}

}  // namespace lily
