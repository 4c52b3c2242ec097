// SPDX-License-Identifier: MIT
#include "library.h"

#include <oneapi/dnnl/dnnl.h>

#include <cstring>
#include <vector>

#include "arena.h"
#include "report.h"
#include "simt/small_float.h"
#include "stream_order.h"

namespace simt {

std::string complaint_about(const void* p, size_t bytes) {
    if (p == nullptr) return "is null";
    if (reinterpret_cast<uintptr_t>(p) - g_shadow.base >= g_shadow.size) return "is host memory";
    if (Arena::instance().covers(p, bytes)) return "";
    return "has " + std::to_string(bytes) + " bytes, out of range: " + Arena::instance().describe(p);
}

cudaError_t check_read(const char* name, const void* site, const char* what, const void* p, size_t bytes) {
    std::string complaint = complaint_about(p, bytes);
    FaultKind kind = FaultKind::use_after_free;
    if (complaint.empty() && instrumented() && xray() != Xray::off) {
        const size_t offset = reinterpret_cast<uintptr_t>(p) - g_shadow.base;
        for (size_t i = offset; i < offset + bytes && complaint.empty(); ++i) {
            if (i % 8 == 0 && i + 8 <= offset + bytes && g_shadow.initialised[i / 8] == 0xff)
                i += 7;
            else if ((g_shadow.initialised[i / 8] >> i % 8 & 1) == 0) {
                const auto* at = reinterpret_cast<const void*>(g_shadow.base + i);
                complaint = "was never written: " + Arena::instance().describe(at);
                kind = FaultKind::uninitialised;
            }
        }
    }
    if (complaint.empty()) {
        access_in_stream(p, bytes, false);
        return cudaSuccess;
    }
    report_in_host(kind, cudaErrorLaunchFailure, std::string(name) + ": " + what + " " + complaint, name,
                   site, p);
    return cudaErrorLaunchFailure;
}

void written(void* p, size_t bytes) {
    Arena::instance().mark_initialised(p, bytes);
    access_in_stream(p, bytes, true);
}

size_t size_of(cudaDataType type) {
    switch (type) {
        case CUDA_R_32F:
            return 4;
        case CUDA_R_16F:
        case CUDA_R_16BF:
            return 2;
        default:
            return 0;
    }
}

namespace {

float rounded(float x, Rounding rounding) {
    switch (rounding) {
        case Rounding::tf32:  // 10 bits of fraction, ties away from zero
            if (!std::isfinite(x)) return x;
            return __builtin_bit_cast(float, (__builtin_bit_cast(uint32_t, x) + 0x1000) & ~0x1fffu);
        case Rounding::bf16:
            return BrainFormat::decode(BrainFormat::encode(x));
        case Rounding::half:
            return HalfFormat::decode(HalfFormat::encode(x));
        default:
            return x;
    }
}

}  // namespace

void load(const void* from, cudaDataType type, int64_t count, float* to, Rounding rounding) {
    for (int64_t i = 0; i < count; ++i) {
        if (type == CUDA_R_32F)
            to[i] = rounded(static_cast<const float*>(from)[i], rounding);
        else if (type == CUDA_R_16F)
            to[i] = HalfFormat::decode(static_cast<const uint16_t*>(from)[i]);
        else
            to[i] = BrainFormat::decode(static_cast<const uint16_t*>(from)[i]);
    }
}

void store(const float* from, cudaDataType type, int64_t count, void* to) {
    for (int64_t i = 0; i < count; ++i) {
        if (type == CUDA_R_32F)
            static_cast<float*>(to)[i] = from[i];
        else if (type == CUDA_R_16F)
            static_cast<uint16_t*>(to)[i] = HalfFormat::encode(from[i]);
        else
            static_cast<uint16_t*>(to)[i] = BrainFormat::encode(from[i]);
    }
}

// oneDNN's is row-major: a column-major product is the row-major one of the transposed, with A and B
// exchanged.
void multiply(int64_t m, int64_t n, int64_t k, float alpha, const Matrix& a, const Matrix& b, float beta,
              void* c, cudaDataType c_type, int64_t ldc, Rounding rounding) {
    if (m == 0 || n == 0) return;
    std::vector<float> copies[3];
    const auto floats = [&](const Matrix& x, int64_t rows, int64_t columns, std::vector<float>& copy) {
        if (x.type == CUDA_R_32F && rounding == Rounding::none) return static_cast<const float*>(x.data);
        const int64_t height = x.transposed ? columns : rows, width = x.transposed ? rows : columns;
        copy.resize(static_cast<size_t>(x.ld * width));
        for (int64_t j = 0; j < width; ++j)
            load(static_cast<const char*>(x.data) + static_cast<size_t>(j * x.ld) * size_of(x.type), x.type,
                 height, copy.data() + j * x.ld, rounding);
        return static_cast<const float*>(copy.data());
    };
    const float* left = floats(a, m, k, copies[0]);
    const float* right = floats(b, k, n, copies[1]);
    float* result = static_cast<float*>(c);
    if (c_type != CUDA_R_32F) {
        copies[2].resize(static_cast<size_t>(ldc * n));
        result = copies[2].data();
        for (int64_t j = 0; j < n && beta != 0; ++j)
            load(static_cast<char*>(c) + static_cast<size_t>(j * ldc) * size_of(c_type), c_type, m,
                 result + j * ldc, Rounding::none);
    }
    for (int64_t j = 0; j < n && beta == 0; ++j)
        std::memset(result + j * ldc, 0, static_cast<size_t>(m) * sizeof(float));
    if (k == 0) {
        for (int64_t j = 0; j < n; ++j)
            for (int64_t i = 0; i < m; ++i) result[j * ldc + i] *= beta;
    } else {
        dnnl_sgemm(b.transposed ? 'T' : 'N', a.transposed ? 'T' : 'N', n, m, k, alpha, right, b.ld, left,
                   a.ld, beta, result, ldc);
    }
    for (int64_t j = 0; j < n && c_type != CUDA_R_32F; ++j)
        store(result + j * ldc, c_type, m,
              static_cast<char*>(c) + static_cast<size_t>(j * ldc) * size_of(c_type));
}

}  // namespace simt
