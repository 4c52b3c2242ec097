// SPDX-License-Identifier: MIT
#include "kernels/common/cudnn.h"

#include <cudnn.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <span>
#include <vector>

#include "kernels/common/error.h"

namespace lily::kernels::LILY_CUDA_DEVICE {
namespace {

const char* name_of(cudnnStatus_t status) {
    const char* name = cudnnGetErrorString(status);
    return name ? name : "an unknown cudnnStatus_t";
}

const char* hint(cudnnStatus_t status) {
    if (status == CUDNN_STATUS_NOT_INITIALIZED)
        return ": cuDNN does not fit the driver, or too little memory is left on the GPU";
    if (status == CUDNN_STATUS_EXECUTION_FAILED || status == CUDNN_STATUS_INTERNAL_ERROR)
        return ": an earlier kernel may have failed; LILY_GPU_ENGINE=own does without cuDNN";
    return ": LILY_GPU_ENGINE=own uses our own kernels instead";
}

void check(cudnnStatus_t status, const char* who) {
    if (status == CUDNN_STATUS_SUCCESS) return;
    cudaGetLastError();
    throw Error("[" + std::string(who) + "] " + name_of(status) + hint(status));
}

size_t most_workspace() {
    static const size_t most = [] {
        const char* text = std::getenv("LILY_CUDNN_WORKSPACE_MB");
        char* end = nullptr;
        const long long megabytes = text ? std::strtoll(text, &end, 10) : 256;
        if (megabytes < 0 || (text && (end == text || *end != 0)))
            throw Error("LILY_CUDNN_WORKSPACE_MB is a number of megabytes, not '" + std::string(text) + "'");
        return static_cast<size_t>(megabytes) << 20;
    }();
    return most;
}

// One for the life of the process, used by one thread at a time.
struct Library {
    std::mutex mutex;
    cudnnHandle_t handle = nullptr;
    explicit Library(const char* who) { check(cudnnCreate(&handle), who); }
};
Library& library(const char* who) {
    static auto& made = *new Library(who);
    return made;
}

// A descriptor that is destroyed with its owner.
template <class Handle, cudnnStatus_t (*kCreate)(Handle*), cudnnStatus_t (*kDestroy)(Handle)>
class Descriptor {
  public:
    explicit Descriptor(const char* who) { check(kCreate(&handle_), who); }
    ~Descriptor() { kDestroy(handle_); }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    Handle get() const { return handle_; }

  private:
    Handle handle_ = nullptr;
};
using MapDescriptor =
    Descriptor<cudnnTensorDescriptor_t, cudnnCreateTensorDescriptor, cudnnDestroyTensorDescriptor>;
using FilterDescriptor =
    Descriptor<cudnnFilterDescriptor_t, cudnnCreateFilterDescriptor, cudnnDestroyFilterDescriptor>;
using ConvolutionDescriptor = Descriptor<cudnnConvolutionDescriptor_t, cudnnCreateConvolutionDescriptor,
                                         cudnnDestroyConvolutionDescriptor>;
using ActivationDescriptor = Descriptor<cudnnActivationDescriptor_t, cudnnCreateActivationDescriptor,
                                        cudnnDestroyActivationDescriptor>;

const char* const kForwardNames[] = {
    "implicit GEMM", "implicit precomputed GEMM", "GEMM", "direct", "FFT", "tiled FFT", "winograd",
    "winograd"};
const char* const kDataNames[] = {"algorithm 0", "algorithm 1", "FFT", "tiled FFT", "winograd", "winograd"};
const char* const kWeightsNames[] = {"algorithm 0", "algorithm 1", "FFT",      "algorithm 3",
                                     "winograd",    "winograd",    "tiled FFT"};

struct Choice {
    int algorithm;
    size_t workspace;
};

class Convolution final : public CudnnConvolution {
  public:
    Convolution(const char* who, const CudnnShape& s, CudnnPass pass, Precision precision, bool measured)
        : who_(who),
          shape_(s),
          pass_(pass),
          measured_(measured),
          x_(who),
          y_(who),
          bias_(who),
          w_(who),
          convolution_(who),
          relu_(who),
          identity_(who) {
        const auto map = [&](const MapDescriptor& d, int n, int c, int h, int w) {
            check(cudnnSetTensor4dDescriptor(d.get(), CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT, n, c, h, w), who);
        };
        map(x_, s.n, s.c, s.h, s.w);
        map(y_, s.n, s.k, s.out_h, s.out_w);
        map(bias_, 1, s.k, 1, 1);
        check(cudnnSetFilter4dDescriptor(w_.get(), CUDNN_DATA_FLOAT, CUDNN_TENSOR_NCHW, s.k, s.c / s.groups,
                                         s.r, s.s),
              who);
        check(cudnnSetConvolution2dDescriptor(convolution_.get(), s.padding[0], s.padding[1], s.stride[0],
                                              s.stride[1], s.dilation[0], s.dilation[1],
                                              CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT),
              who);
        check(cudnnSetConvolutionGroupCount(convolution_.get(), s.groups), who);
        // the default lets Ampere and later GPUs round to TF32
        check(cudnnSetConvolutionMathType(convolution_.get(),
                                          precision == Precision::f32 ? CUDNN_FMA_MATH : CUDNN_DEFAULT_MATH),
              who);
        // the fused call takes no other setting for NaN, which its ReLU may turn into 0
        for (const auto& [descriptor, mode] : {std::pair{relu_.get(), CUDNN_ACTIVATION_RELU},
                                               std::pair{identity_.get(), CUDNN_ACTIVATION_IDENTITY}})
            check(cudnnSetActivationDescriptor(descriptor, mode, CUDNN_NOT_PROPAGATE_NAN, 0), who);
    }

    // False: nothing fits.
    bool choose() {
        const std::vector<Choice> fitting = ranked();
        if (fitting.empty()) return false;
        best_ = fitting.front();
        if (pass_ != CudnnPass::forward) return true;
        // a bias without ReLU can be fused with this one alone
        const auto with_bias = std::find_if(fitting.begin(), fitting.end(), [](const Choice& c) {
            return c.algorithm == CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM;
        });
        if (with_bias == fitting.end()) return false;
        with_bias_ = *with_bias;
        return true;
    }

    std::string algorithm() const override {
        const auto i = static_cast<size_t>(best_.algorithm);
        return std::string("cuDNN ") + (pass_ == CudnnPass::forward ? kForwardNames[i]
                                        : pass_ == CudnnPass::data  ? kDataNames[i]
                                                                    : kWeightsNames[i]);
    }

    void forward(Queue& queue, const float* x, const float* w, const float* bias, bool relu,
                 float* y) override {
        const std::lock_guard lock(use(queue).mutex);
        if (measured_) measure(queue, x, w, y);
        const float scale = shape_.weight_scale, zero = 0;
        const Choice& c = bias && !relu ? with_bias_ : best_;
        const auto workspace = queue.scratch<char>(static_cast<int64_t>(c.workspace));
        const auto algorithm = static_cast<cudnnConvolutionFwdAlgo_t>(c.algorithm);
        if (!bias && !relu)
            return check(
                cudnnConvolutionForward(handle(), &scale, x_.get(), x, w_.get(), w, convolution_.get(),
                                        algorithm, workspace.data(), c.workspace, &zero, y_.get(), y),
                who_);
        const auto no_bias = queue.scratch<float>(bias ? 0 : shape_.k);
        if (!bias)
            LILY_CUDA_DEVICE::check(
                cudaMemsetAsync(no_bias.data(), 0, static_cast<size_t>(shape_.k) * sizeof(float),
                                stream(queue)),
                who_);
        check(cudnnConvolutionBiasActivationForward(
                  handle(), &scale, x_.get(), x, w_.get(), w, convolution_.get(), algorithm, workspace.data(),
                  c.workspace, &zero, y_.get(), y, bias_.get(), bias ? bias : no_bias.data(),
                  relu ? relu_.get() : identity_.get(), y_.get(), y),
              who_);
    }

    void backward_data(Queue& queue, const float* w, const float* dy, bool add, float* dx) override {
        const std::lock_guard lock(use(queue).mutex);
        if (measured_ && !add) measure(queue, w, dy, dx);  // it destroys dx
        const float scale = shape_.weight_scale, keep = add ? 1.0f : 0.0f;
        const auto workspace = queue.scratch<char>(static_cast<int64_t>(best_.workspace));
        check(cudnnConvolutionBackwardData(handle(), &scale, w_.get(), w, y_.get(), dy, convolution_.get(),
                                           static_cast<cudnnConvolutionBwdDataAlgo_t>(best_.algorithm),
                                           workspace.data(), best_.workspace, &keep, x_.get(), dx),
              who_);
    }

    void backward_weights(Queue& queue, const float* x, const float* dy, float* dw) override {
        const std::lock_guard lock(use(queue).mutex);
        if (measured_) measure(queue, x, dy, dw);
        const float scale = shape_.weight_scale, zero = 0;
        const auto workspace = queue.scratch<char>(static_cast<int64_t>(best_.workspace));
        check(cudnnConvolutionBackwardFilter(handle(), &scale, x_.get(), x, y_.get(), dy, convolution_.get(),
                                             static_cast<cudnnConvolutionBwdFilterAlgo_t>(best_.algorithm),
                                             workspace.data(), best_.workspace, &zero, w_.get(), dw),
              who_);
    }

  private:
    cudnnHandle_t handle() const { return library(who_).handle; }
    Library& use(Queue& queue) const {
        Library& l = library(who_);
        check(cudnnSetStream(l.handle, stream(queue)), who_);
        return l;
    }

    // What `ask(most, &count, results)` lists, in its order, as far as we want it. A result's own `memory`
    // may be that of another math type than ours. Nothing, where cuDNN does not do this at all.
    template <class Result, class Ask>
    std::vector<Choice> usable(const Ask& ask) const {
        constexpr int kMost = 16;
        Result results[kMost];
        int count = 0;
        const cudnnStatus_t status = ask(kMost, &count, results);
        if (status == CUDNN_STATUS_NOT_SUPPORTED) return {};
        check(status, who_);
        std::vector<Choice> fitting;
        for (const Result& r : std::span(results, static_cast<size_t>(count))) {
            size_t bytes = 0;
            if (r.status == CUDNN_STATUS_SUCCESS && r.determinism == CUDNN_DETERMINISTIC &&
                workspace_of(r.algo, &bytes) == CUDNN_STATUS_SUCCESS && bytes <= most_workspace())
                fitting.push_back({static_cast<int>(r.algo), bytes});
        }
        return fitting;
    }
    cudnnStatus_t workspace_of(cudnnConvolutionFwdAlgo_t algorithm, size_t* bytes) const {
        return cudnnGetConvolutionForwardWorkspaceSize(handle(), x_.get(), w_.get(), convolution_.get(),
                                                       y_.get(), algorithm, bytes);
    }
    cudnnStatus_t workspace_of(cudnnConvolutionBwdDataAlgo_t algorithm, size_t* bytes) const {
        return cudnnGetConvolutionBackwardDataWorkspaceSize(handle(), w_.get(), y_.get(), convolution_.get(),
                                                            x_.get(), algorithm, bytes);
    }
    cudnnStatus_t workspace_of(cudnnConvolutionBwdFilterAlgo_t algorithm, size_t* bytes) const {
        return cudnnGetConvolutionBackwardFilterWorkspaceSize(handle(), x_.get(), y_.get(),
                                                              convolution_.get(), w_.get(), algorithm, bytes);
    }

    std::vector<Choice> ranked() const {
        switch (pass_) {
            case CudnnPass::forward:
                return usable<cudnnConvolutionFwdAlgoPerf_t>([&](int most, int* count, auto* results) {
                    return cudnnGetConvolutionForwardAlgorithm_v7(
                        handle(), x_.get(), w_.get(), convolution_.get(), y_.get(), most, count, results);
                });
            case CudnnPass::data:
                return usable<cudnnConvolutionBwdDataAlgoPerf_t>([&](int most, int* count, auto* results) {
                    return cudnnGetConvolutionBackwardDataAlgorithm_v7(
                        handle(), w_.get(), y_.get(), convolution_.get(), x_.get(), most, count, results);
                });
            default:
                return usable<cudnnConvolutionBwdFilterAlgoPerf_t>([&](int most, int* count, auto* results) {
                    return cudnnGetConvolutionBackwardFilterAlgorithm_v7(
                        handle(), x_.get(), y_.get(), convolution_.get(), w_.get(), most, count, results);
                });
        }
    }

    // Times the algorithms on these operands, once; what was in `out` is lost.
    void measure(Queue& queue, const float* a, const float* b, float* out) {
        measured_ = false;
        const size_t room = most_workspace();
        const auto workspace = queue.scratch<char>(static_cast<int64_t>(room));
        void* const memory = workspace.data();
        std::vector<Choice> fitting;
        if (pass_ == CudnnPass::forward)
            fitting = usable<cudnnConvolutionFwdAlgoPerf_t>([&](int most, int* count, auto* results) {
                return cudnnFindConvolutionForwardAlgorithmEx(handle(), x_.get(), a, w_.get(), b,
                                                              convolution_.get(), y_.get(), out, most, count,
                                                              results, memory, room);
            });
        else if (pass_ == CudnnPass::data)
            fitting = usable<cudnnConvolutionBwdDataAlgoPerf_t>([&](int most, int* count, auto* results) {
                return cudnnFindConvolutionBackwardDataAlgorithmEx(handle(), w_.get(), a, y_.get(), b,
                                                                   convolution_.get(), x_.get(), out, most,
                                                                   count, results, memory, room);
            });
        else
            fitting = usable<cudnnConvolutionBwdFilterAlgoPerf_t>([&](int most, int* count, auto* results) {
                return cudnnFindConvolutionBackwardFilterAlgorithmEx(handle(), x_.get(), a, y_.get(), b,
                                                                     convolution_.get(), w_.get(), out, most,
                                                                     count, results, memory, room);
            });
        if (!fitting.empty()) best_ = fitting.front();
    }

    const char* who_;
    const CudnnShape shape_;
    const CudnnPass pass_;
    bool measured_;  // still to be done
    MapDescriptor x_, y_, bias_;
    FilterDescriptor w_;
    ConvolutionDescriptor convolution_;
    ActivationDescriptor relu_, identity_;
    Choice best_{}, with_bias_{};
};

}  // namespace

std::unique_ptr<CudnnConvolution> CudnnConvolution::make(const char* who, const CudnnShape& shape,
                                                         CudnnPass pass, Precision precision, bool measured) {
    const std::lock_guard lock(library(who).mutex);
    auto made = std::make_unique<Convolution>(who, shape, pass, precision, measured);
    if (!made->choose()) return nullptr;
    return made;
}

}  // namespace lily::kernels::LILY_CUDA_DEVICE
