// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "framework/error.h"

namespace lily {

enum class DType : uint8_t { f32, f64, i64, u8 };

constexpr size_t size_of(DType dtype) {
    switch (dtype) {
        case DType::f32:
            return 4;
        case DType::f64:
            return 8;
        case DType::i64:
            return 8;
        case DType::u8:
            return 1;
    }
    return 0;
}

constexpr std::string_view name(DType dtype) {
    switch (dtype) {
        case DType::f32:
            return "f32";
        case DType::f64:
            return "f64";
        case DType::i64:
            return "i64";
        case DType::u8:
            return "u8";
    }
    return "unknown";
}

template <class T>
constexpr DType dtype_of() {
    if constexpr (std::is_same_v<T, float>)
        return DType::f32;
    else if constexpr (std::is_same_v<T, double>)
        return DType::f64;
    else if constexpr (std::is_same_v<T, int64_t>)
        return DType::i64;
    else {
        static_assert(std::is_same_v<T, uint8_t>, "tensors hold float, double, int64_t or uint8_t");
        return DType::u8;
    }
}

constexpr bool is_floating(DType dtype) { return dtype == DType::f32 || dtype == DType::f64; }

// body(T{}) with T = float or double; other dtypes are an error of the named op.
template <class Body>
auto visit_floating(const char* op, DType dtype, Body&& body) {
    if (dtype == DType::f32) return body(float{});
    if (dtype == DType::f64) return body(double{});
    fail("[{}] expected a tensor of f32 or f64, got {}", op, name(dtype));
}

// body(T{}) with T = float, double, int64_t or uint8_t.
template <class Body>
auto visit_any(DType dtype, Body&& body) {
    switch (dtype) {
        case DType::f32:
            return body(float{});
        case DType::f64:
            return body(double{});
        case DType::i64:
            return body(int64_t{});
        case DType::u8:
            break;
    }
    return body(uint8_t{});
}

}  // namespace lily
