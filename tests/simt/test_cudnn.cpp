// SPDX-License-Identifier: MIT
// cuDNN's convolutions against plain loops, and the mistakes of their callers.
#include <cudnn.h>

#include <cmath>

#include "tests/simt/gpu.h"

namespace lily::testing {
namespace {

// All descriptors of one convolution, from x (n, c, h, w) and filters (k, c / groups, r, s).
struct Case {
    int n, c, h, w, k, r, s, pad, step, dilation, groups;
    bool channels_last = false;
    int p = 0, q = 0;
    cudnnHandle_t handle{};
    cudnnTensorDescriptor_t x{}, y{}, bias{};
    cudnnFilterDescriptor_t filter{};
    cudnnConvolutionDescriptor_t conv{};
    cudnnActivationDescriptor_t relu{};

    void create() {
        const auto format = channels_last ? CUDNN_TENSOR_NHWC : CUDNN_TENSOR_NCHW;
        REQUIRE(cudnnCreate(&handle) == CUDNN_STATUS_SUCCESS);
        REQUIRE(cudnnCreateTensorDescriptor(&x) == CUDNN_STATUS_SUCCESS);
        REQUIRE(cudnnCreateTensorDescriptor(&y) == CUDNN_STATUS_SUCCESS);
        REQUIRE(cudnnCreateTensorDescriptor(&bias) == CUDNN_STATUS_SUCCESS);
        REQUIRE(cudnnCreateFilterDescriptor(&filter) == CUDNN_STATUS_SUCCESS);
        REQUIRE(cudnnCreateConvolutionDescriptor(&conv) == CUDNN_STATUS_SUCCESS);
        REQUIRE(cudnnCreateActivationDescriptor(&relu) == CUDNN_STATUS_SUCCESS);
        REQUIRE(cudnnSetTensor4dDescriptor(x, format, CUDNN_DATA_FLOAT, n, c, h, w) == CUDNN_STATUS_SUCCESS);
        REQUIRE(cudnnSetFilter4dDescriptor(filter, CUDNN_DATA_FLOAT, format, k, c / groups, r, s) ==
                CUDNN_STATUS_SUCCESS);
        REQUIRE(cudnnSetConvolution2dDescriptor(conv, pad, pad, step, step, dilation, dilation,
                                                CUDNN_CROSS_CORRELATION,
                                                CUDNN_DATA_FLOAT) == CUDNN_STATUS_SUCCESS);
        REQUIRE(cudnnSetConvolutionGroupCount(conv, groups) == CUDNN_STATUS_SUCCESS);
        REQUIRE(cudnnSetConvolutionMathType(conv, CUDNN_FMA_MATH) == CUDNN_STATUS_SUCCESS);
        REQUIRE(cudnnSetActivationDescriptor(relu, CUDNN_ACTIVATION_RELU, CUDNN_NOT_PROPAGATE_NAN, 0) ==
                CUDNN_STATUS_SUCCESS);
        int images = 0, channels = 0;
        REQUIRE(cudnnGetConvolution2dForwardOutputDim(conv, x, filter, &images, &channels, &p, &q) ==
                CUDNN_STATUS_SUCCESS);
        REQUIRE((images == n && channels == k));
        REQUIRE(cudnnSetTensor4dDescriptor(y, format, CUDNN_DATA_FLOAT, n, k, p, q) == CUDNN_STATUS_SUCCESS);
        REQUIRE(cudnnSetTensor4dDescriptor(bias, CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT, 1, k, 1, 1) ==
                CUDNN_STATUS_SUCCESS);
    }
    ~Case() {
        (void)cudnnDestroyTensorDescriptor(x), (void)cudnnDestroyTensorDescriptor(y),
            (void)cudnnDestroyTensorDescriptor(bias);
        (void)cudnnDestroyFilterDescriptor(filter), (void)cudnnDestroyConvolutionDescriptor(conv);
        (void)cudnnDestroyActivationDescriptor(relu);
        if (handle != nullptr) (void)cudnnDestroy(handle);
    }

    // Where element (a, b, i, j) of a tensor with those last three sizes is.
    size_t at(int a, int b, int i, int j, int channels, int height, int width) const {
        return static_cast<size_t>(channels_last ? ((a * height + i) * width + j) * channels + b
                                                 : ((a * channels + b) * height + i) * width + j);
    }
    // visit(x, w, y) for every product in the sum
    template <class F>
    void products(F visit) const {
        const int per = c / groups;
        for (int image = 0; image < n; ++image)
            for (int o = 0; o < k; ++o)
                for (int i = 0; i < p; ++i)
                    for (int j = 0; j < q; ++j)
                        for (int ch = 0; ch < per; ++ch)
                            for (int a = 0; a < r; ++a)
                                for (int b = 0; b < s; ++b) {
                                    const int row = i * step - pad + a * dilation,
                                              column = j * step - pad + b * dilation;
                                    if (row < 0 || row >= h || column < 0 || column >= w) continue;
                                    visit(at(image, o / (k / groups) * per + ch, row, column, c, h, w),
                                          at(o, ch, a, b, per, r, s), at(image, o, i, j, k, p, q));
                                }
    }
};

std::vector<float> waves(size_t n, int seed) {
    std::vector<float> result(n);
    for (size_t i = 0; i < n; ++i)
        result[i] = std::sin(static_cast<float>(i * 7 + static_cast<size_t>(seed)));
    return result;
}

void check_close(const std::vector<float>& result, const std::vector<double>& wanted) {
    REQUIRE(result.size() == wanted.size());
    for (size_t i = 0; i < result.size(); ++i) REQUIRE(std::abs(double(result[i]) - wanted[i]) <= 2e-5);
}

}  // namespace

TEST_CASE("simt cudnn: convolution in all directions, strides, dilations, groups and formats",
          "[simt][cudnn]") {
    for (const bool last : {false, true})
        for (Case t : {Case{2, 3, 7, 6, 4, 3, 3, 1, 1, 1, 1}, Case{1, 4, 9, 8, 6, 3, 2, 0, 2, 1, 2},
                       Case{1, 2, 9, 9, 3, 3, 3, 2, 1, 2, 1}, Case{2, 5, 4, 4, 3, 1, 1, 0, 1, 1, 1}}) {
            const FreshDevice device;
            t.channels_last = last;
            t.create();
            const auto x = waves(size_t(t.n * t.c * t.h * t.w), 1),
                       w = waves(size_t(t.k * t.c / t.groups * t.r * t.s), 2);
            const auto dy = waves(size_t(t.n * t.k * t.p * t.q), 3), bias = waves(size_t(t.k), 4);
            const Array<float> X(x), W(w), DY(dy), B(bias), Y(dy.size()), DX(x.size()), DW(w.size()),
                DB(bias.size());
            std::vector<double> y_wanted(dy.size()), dx_wanted(x.size()), dw_wanted(w.size()),
                db_wanted(bias.size());
            t.products([&](size_t ix, size_t iw, size_t iy) {
                y_wanted[iy] += double(x[ix]) * double(w[iw]);
                dx_wanted[ix] += double(w[iw]) * double(dy[iy]);
                dw_wanted[iw] += double(x[ix]) * double(dy[iy]);
            });
            const float one = 1, zero = 0, two = 2;
            int count = 0;
            cudnnConvolutionFwdAlgoPerf_t found[8];
            REQUIRE(cudnnFindConvolutionForwardAlgorithmEx(t.handle, t.x, X, t.filter, W, t.conv, t.y, Y, 8,
                                                           &count, found, nullptr,
                                                           SIZE_MAX) == CUDNN_STATUS_SUCCESS);
            REQUIRE((count == 8 && found[0].status == CUDNN_STATUS_SUCCESS));
            size_t bytes = 0;
            REQUIRE(cudnnGetConvolutionForwardWorkspaceSize(t.handle, t.x, t.filter, t.conv, t.y,
                                                            found[0].algo, &bytes) == CUDNN_STATUS_SUCCESS);
            CHECK((bytes == found[0].memory) == (found[0].mathType == CUDNN_FMA_MATH));
            const Array<uint8_t> workspace(bytes + 1);
            REQUIRE(cudnnConvolutionForward(t.handle, &one, t.x, X, t.filter, W, t.conv, found[0].algo,
                                            workspace, bytes, &zero, t.y, Y) == CUDNN_STATUS_SUCCESS);
            check_close(Y.values(), y_wanted);
            REQUIRE(cudnnConvolutionBackwardData(t.handle, &one, t.filter, W, t.y, DY, t.conv,
                                                 CUDNN_CONVOLUTION_BWD_DATA_ALGO_0, nullptr, 0, &zero, t.x,
                                                 DX) == CUDNN_STATUS_SUCCESS);
            check_close(DX.values(), dx_wanted);
            REQUIRE(cudnnConvolutionBackwardFilter(t.handle, &one, t.x, X, t.y, DY, t.conv,
                                                   CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0, nullptr, 0, &zero,
                                                   t.filter, DW) == CUDNN_STATUS_SUCCESS);
            REQUIRE(cudnnConvolutionBackwardFilter(t.handle, &one, t.x, X, t.y, DY, t.conv,
                                                   CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0, nullptr, 0, &two,
                                                   t.filter, DW) == CUDNN_STATUS_SUCCESS);
            for (double& value : dw_wanted) value *= 3;
            auto dw = DW.values();
            for (size_t i = 0; i < dw.size(); ++i) REQUIRE(std::abs(double(dw[i]) - dw_wanted[i]) <= 1e-4);
            REQUIRE(cudnnConvolutionBackwardBias(t.handle, &one, t.y, DY, &zero, t.bias, DB) ==
                    CUDNN_STATUS_SUCCESS);
            REQUIRE(cudnnConvolutionBiasActivationForward(
                        t.handle, &one, t.x, X, t.filter, W, t.conv, CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM,
                        nullptr, 0, &zero, t.y, Y, t.bias, B, t.relu, t.y, Y) == CUDNN_STATUS_SUCCESS);
            for (int image = 0; image < t.n; ++image)
                for (int o = 0; o < t.k; ++o)
                    for (int i = 0; i < t.p * t.q; ++i) {
                        const size_t at = t.at(image, o, i / t.q, i % t.q, t.k, t.p, t.q);
                        db_wanted[size_t(o)] += double(dy[at]);
                        y_wanted[at] = std::max(0.0, y_wanted[at] + double(bias[size_t(o)]));
                    }
            check_close(DB.values(), db_wanted);
            check_close(Y.values(), y_wanted);
            CHECK(simt::last_report() == "");
            REQUIRE(cudnnSetActivationDescriptor(t.relu, CUDNN_ACTIVATION_RELU, CUDNN_PROPAGATE_NAN, 0) ==
                    CUDNN_STATUS_SUCCESS);
            CHECK(cudnnConvolutionBiasActivationForward(
                      t.handle, &one, t.x, X, t.filter, W, t.conv, CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM,
                      nullptr, 0, &zero, t.y, Y, t.bias, B, t.relu, t.y, Y) == CUDNN_STATUS_NOT_SUPPORTED);
        }
}

TEST_CASE("simt faults: descriptors, workspaces and algorithms of cuDNN that do not fit",
          "[simt][cudnn][faults]") {
    const FreshDevice device;
    Case t{1, 3, 8, 8, 4, 3, 3, 1, 1, 1, 1};
    t.create();
    const Array<float> X(waves(192, 1)), W(waves(108, 2)), Y(256);
    const float one = 1, zero = 0;
    const auto forward = [&](cudnnConvolutionFwdAlgo_t algorithm, void* workspace, size_t bytes, float* y) {
        return cudnnConvolutionForward(t.handle, &one, t.x, X, t.filter, W, t.conv, algorithm, workspace,
                                       bytes, &zero, t.y, y);
    };
    const auto reported = [](const std::string& part) {
        return simt::last_report().find(part) != std::string::npos;
    };
    CHECK(forward(CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM, nullptr, 0, Y) == CUDNN_STATUS_SUCCESS);
    CHECK(simt::last_report() == "");
    CHECK(forward(CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM, nullptr, 0, Y) == CUDNN_STATUS_BAD_PARAM);
    CHECK(reported("a workspace of 0 bytes, but the algorithm wants 1024"));
    CHECK(reported("test_cudnn.cpp:"));
    CHECK(forward(CUDNN_CONVOLUTION_FWD_ALGO_DIRECT, nullptr, 0, Y) == CUDNN_STATUS_NOT_SUPPORTED);
    CHECK(forward(CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM, nullptr, 0, Y + 1) == CUDNN_STATUS_BAD_PARAM);
    CHECK(reported("y has 1024 bytes, out of range"));
    REQUIRE(cudnnSetTensor4dDescriptor(t.y, CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT, 1, 4, 8, 7) ==
            CUDNN_STATUS_SUCCESS);
    CHECK(forward(CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM, nullptr, 0, Y) == CUDNN_STATUS_BAD_PARAM);
    CHECK(reported("y is (1,4,8,7), but x (1,3,8,8) and w (4,3,3,3) make (1,4,8,8)"));
    REQUIRE(cudnnSetTensor4dDescriptor(t.x, CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT, 1, 4, 8, 8) ==
            CUDNN_STATUS_SUCCESS);
    CHECK(forward(CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM, nullptr, 0, Y) == CUDNN_STATUS_BAD_PARAM);
    CHECK(reported("channels differ"));
    CHECK(cudnnSetTensor4dDescriptor(t.x, CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT, 1, 0, 8, 8) ==
          CUDNN_STATUS_BAD_PARAM);
    CHECK(cudaDeviceSynchronize() == cudaSuccess);
}

}  // namespace lily::testing
