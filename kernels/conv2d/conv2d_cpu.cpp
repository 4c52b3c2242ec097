// SPDX-License-Identifier: MIT
// Which algorithm convolves what on the CPU, and the store of plans.
#include "kernels/conv2d/conv2d.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <mutex>
#include <tuple>
#include <vector>

#include "kernels/common/error.h"
#include "kernels/common/parallel.h"
#include "kernels/common/plan_store.h"
#include "kernels/conv2d/conv2d_loops.h"
#include "kernels/conv2d/conv2d_plans.h"

namespace lily::kernels {
namespace {

// oneDNN 2.x has it for AVX-512, 3.x for no x64 CPU.
bool onednn_has_winograd() {
    const Conv2dShape typical{.n = 1, .c = 64, .h = 32, .w = 32, .k = 64, .r = 3, .s = 3, .padding = {1, 1}};
    return onednn_winograd_fits(typical) &&
           make_onednn_conv2d(typical, Conv2dPass::forward, OneDnnAlgorithm::winograd);
}

Conv2dAlgorithm algorithm_of_environment() {
    const char* text = std::getenv("LILY_CONV");
    const std::string_view name = text ? text : "rule";
    if (name == "rule") return Conv2dAlgorithm::rule;
    if (name == "direct") return Conv2dAlgorithm::direct;
    if (name == "winograd") return Conv2dAlgorithm::winograd;
    if (name == "winograd_by_filters") return Conv2dAlgorithm::winograd_by_filters;
    if (name == "onednn") return Conv2dAlgorithm::onednn;
    if (name == "onednn_winograd") {
        if (onednn_has_winograd()) return Conv2dAlgorithm::onednn_winograd;
        throw Error(
            "LILY_CONV=onednn_winograd: this version of oneDNN has no Winograd form for this CPU; "
            "LILY_CONV=winograd is our own");
    }
    throw Error("LILY_CONV is rule, direct, winograd, winograd_by_filters, onednn or onednn_winograd, not '" +
                std::string(name) + "'");
}

std::atomic<Conv2dAlgorithm>& current_algorithm() {
    static std::atomic<Conv2dAlgorithm> algorithm{algorithm_of_environment()};
    return algorithm;
}

// Where Winograd pays. Milliseconds of one thread, N = 1, padding 1, on AVX-512 (Zen 4) direct / oneDNN's
// Winograd / ours, and on AVX2 (Zen 3) direct / ours, where (w) is the time to transform the weights:
//   C=K  H=W   AVX-512: forward      backward data      backward weights   AVX2: forward  backward data  (w)
//    64  256   42.0 / 18.8 / 15.2  43.9 / 17.2 / 17.2     51.5 / 24.6      56.0 / 23.6   55.5 / 24.0     0.1
//   128  128   47.3 / 16.9 / 13.0  43.0 / 15.6 / 13.4     50.4 / 15.5      57.0 / 18.9   56.5 / 18.6     0.3
//   256   64   41.6 / 13.7 / 11.7  41.6 / 15.9 / 11.9     50.4 / 15.0      56.5 / 17.7   57.6 / 17.6     1.6
//   512   32   40.7 / 13.1 / 11.7  40.8 / 17.4 / 12.1     51.3 / 212       56.4 / 17.4   54.5 / 17.5    13
//   512   16   10.2 /  4.3 /  3.0  10.1 /  8.5 /  3.0     13.0 / 10.6      15.0 /  4.4   13.9 /  4.6    13
// So ours for the first two passes, oneDNN's for weights where it has one. (Its 212 ms are of a batch of one
// picture. Ours are cut by tiles; those of AVX-512 are older than the slices of winograd_problem.h.) Weights
// that change at every step are transformed at every step, hence the least number of positions; and at least
// half of the outputs of the 4x4 tiles must be wanted. 16 channels gain little.
//
// Where the map alone has to decide (Conv2dShape::by_map), a lone picture pays for the batches, forward a
// little, backward data less the larger it is. Microseconds of one thread, C = K = 128, AVX-512 (Zen 5),
// direct / ours with weights that are kept (39 / 320 more to make them), for N = 1, 4, 16:
//   H=W   forward                                   backward data
//     3    16 /  30     51 /  38    200 /  96          9 /  98     32 / 103    122 / 112
//     4    25 /  32     86 /  39    343 /  98         14 /  99     53 / 105    211 / 114
//     5    36 /  37    131 /  95    521 / 347         22 / 100     85 / 111    343 / 362
//     8    82 /  38    319 /  97   1275 / 367         79 / 105    313 / 119   1263 / 378
bool winograd_pays(const Conv2dShape& s, Conv2dPass pass) {
    const int64_t positions = s.out_h() * s.out_w(), tiles = (s.out_h() + 3) / 4 * ((s.out_w() + 3) / 4);
    if (s.c < 32 || s.k < 32 || 16 * tiles > 2 * positions) return false;
    return s.by_map ? is_forward(pass) || positions >= 64 : s.n * positions >= 256;
}

// Does our form do the passes that it has?
bool takes_winograd(const Conv2dShape& s, Conv2dPass pass, Conv2dAlgorithm algorithm) {
    using enum Conv2dAlgorithm;
    const bool asked = algorithm == winograd || algorithm == winograd_by_filters;
    return winograd_conv2d_fits(s) && (asked || (algorithm == rule && winograd_pays(s, pass)));
}

// From here on the transformed weights, 19 MB, leave the caches between two uses, and VGG-19 does without 170
// MB of them. Milliseconds of two threads on AVX2 (Zen 3), by tiles / by filters:
//     C    K  H=W     forward       backward data
//   256  512   32    6.2 /  5.8       6.7 /  6.9
//   512  512   32   13.8 / 11.7      12.4 / 12.9
//   512  512   16    3.4 /  3.9       3.3 /  4.5
//   512  512   64   45.9 / 39.4      45.3 / 44.3
WinogradCut winograd_cut(const Conv2dShape& s, Conv2dAlgorithm algorithm) {
    const bool wide = std::min(s.c, s.k) >= 256 && s.c * s.k >= 256 * 512;
    return (wide && algorithm == Conv2dAlgorithm::rule) || algorithm == Conv2dAlgorithm::winograd_by_filters
               ? WinogradCut::by_filters
               : WinogradCut::by_tiles;
}

// Names the packing that makes `packing` of weights with a scale; plans with the same scale share one copy.
uint64_t scaled_packing(uint64_t packing, double scale) {
    if (packing == 0 || scale == 1) return packing;
    static std::mutex mutex;
    static auto& known = *new std::vector<std::pair<uint64_t, double>>;
    const std::lock_guard lock(mutex);
    const auto found = std::find(known.begin(), known.end(), std::pair{packing, scale});
    const auto number = static_cast<uint64_t>(found - known.begin());
    if (found == known.end()) known.emplace_back(packing, scale);
    return uint64_t{1} << 61 | number;  // the unscaled ones leave this bit clear
}

std::unique_ptr<CpuConv2dPlan> make_plan(const Conv2dShape& s, Conv2dPass pass, Conv2dAlgorithm algorithm) {
    using enum Conv2dAlgorithm;
    const bool weights = pass == Conv2dPass::backward_weights;
    const bool ours = takes_winograd(s, pass, algorithm);
    std::unique_ptr<CpuConv2dPlan> plan;
    if (has_pool(pass)) plan = make_winograd_conv2d(s, pass, winograd_cut(s, algorithm));
    if (!plan && algorithm == onednn) plan = make_onednn_conv2d(s, pass, OneDnnAlgorithm::onednn);
    if (!plan && algorithm != onednn && algorithm != direct && is_backward_data(pass) &&
        few_channels_conv2d_fits(s))
        plan = make_few_channels_conv2d(s, pass);
    if (!plan && ((ours && weights && algorithm == rule) || algorithm == onednn_winograd) &&
        onednn_winograd_fits(s))
        plan = make_onednn_conv2d(s, pass, OneDnnAlgorithm::winograd);
    if (!plan && ours && !weights) plan = make_winograd_conv2d(s, pass, winograd_cut(s, algorithm));
    if (!plan) plan = make_onednn_conv2d(s, pass, OneDnnAlgorithm::direct);
    if (!plan) throw Error("[conv2d] oneDNN cannot convolve this shape");
    plan->packing = scaled_packing(plan->packing, s.weight_scale);
    return plan;
}

// Pooling is part of our own Winograd form, so where that is used.
bool fuses_pool_f32(const Conv2dShape& s) {
    return s.out_h() >= 2 && s.out_w() >= 2 &&
           takes_winograd(s, Conv2dPass::forward_relu_pool, conv2d_algorithm());
}

std::shared_ptr<const Conv2dPlan> plan_f32(const Conv2dShape& s, Conv2dPass pass) {
    // A primitive is made for a number of threads.
    using Key = std::tuple<Conv2dShape, Conv2dPass, Conv2dAlgorithm, int>;
    static auto& plans = *new PlanStore<Key, CpuConv2dPlan, kMostConv2dPlans>;
    const Conv2dAlgorithm algorithm = conv2d_algorithm();
    return plans.get({s, pass, algorithm, max_threads()}, [&] { return make_plan(s, pass, algorithm); });
}

const CpuConv2dPlan& cpu(const Conv2dPlan& plan) { return static_cast<const CpuConv2dPlan&>(plan); }

std::shared_ptr<const Conv2dPlan> plan_f64(const Conv2dShape& s, Conv2dPass pass) {
    return std::make_shared<Conv2dPlan>(s, pass);
}

template <class T>
void backward_bias(Queue&, int64_t n, int64_t k, int64_t m, int64_t layout, const T* dy, T* db) {
    constexpr int64_t kLanes = 16, kRun = 256;  // 256 values per lane in T, then in double
    parallel_for(k / layout, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, n * m * layout)),
                 [=](int64_t begin, int64_t end) {
                     for (int64_t block = begin; block < end; ++block) {
                         double total[kLanes] = {};  // of channels if blocked, else of neighbouring positions
                         for (int64_t i = 0; i < n; ++i) {
                             const T* plane = dy + (i * (k / layout) + block) * m * layout;
                             const int64_t step = layout == 8 ? 8 : kLanes, whole = m * layout / step * step;
                             for (int64_t first = 0; first < whole; first += kRun * step) {
                                 T lane[kLanes] = {};
                                 const int64_t last = std::min(whole, first + kRun * step);
                                 for (int64_t at = first; at < last; at += step)
                                     for (int64_t l = 0; l < step; ++l) lane[l] += plane[at + l];
                                 for (int64_t l = 0; l < step; ++l) total[l] += lane[l];
                             }
                             for (int64_t at = whole; at < m * layout; ++at) total[0] += plane[at];
                         }
                         if (layout == 1)
                             for (int64_t l = 1; l < kLanes; ++l) total[0] += total[l];
                         for (int64_t l = 0; l < layout; ++l)
                             db[block * layout + l] = static_cast<T>(total[l]);
                     }
                 });
}

const Conv2dKernels<float> cpu_f32{
    fuses_pool_f32,
    plan_f32,
    [](Queue& queue, const Conv2dPlan& plan, const float* w, void* packed) {
        cpu(plan).pack(queue, w, packed);
    },
    [](Queue& queue, const Conv2dPlan& plan, const float* x, const Conv2dWeights<float>& w, const float* bias,
       const Conv2dOutput<float>& out) { cpu(plan).forward(queue, x, w, bias, out); },
    [](Queue& queue, const Conv2dPlan& plan, const Conv2dGradient<float>& g, const Conv2dWeights<float>& w,
       bool add, float* dx) { cpu(plan).backward_data(queue, g, w, add, dx); },
    [](Queue& queue, const Conv2dPlan& plan, const float* x, const float* dy, float* dw) {
        cpu(plan).backward_weights(queue, x, dy, dw);
    },
    backward_bias<float>,
};

const Conv2dKernels<double> cpu_f64{
    [](const Conv2dShape&) { return false; },
    plan_f64,
    [](Queue&, const Conv2dPlan&, const double*, void*) {},
    [](Queue&, const Conv2dPlan& plan, const double* x, const Conv2dWeights<double>& w, const double* bias,
       const Conv2dOutput<double>& out) {
        conv2d_loops::forward(plan.shape, plan.pass == Conv2dPass::forward_relu, x, w.w, bias, out.y);
    },
    [](Queue&, const Conv2dPlan& plan, const Conv2dGradient<double>& g, const Conv2dWeights<double>& w, bool,
       double* dx) {
        conv2d_loops::backward_data(plan.shape, g.dy,
                                    plan.pass == Conv2dPass::backward_data_relu ? g.y : nullptr, w.w, dx);
    },
    [](Queue&, const Conv2dPlan& plan, const double* x, const double* dy, double* dw) {
        conv2d_loops::backward_weights(plan.shape, x, dy, dw);
    },
    backward_bias<double>,
};

}  // namespace

Conv2dAlgorithm conv2d_algorithm() { return current_algorithm(); }
void set_conv2d_algorithm(Conv2dAlgorithm algorithm) { current_algorithm() = algorithm; }

template <>
const Conv2dKernels<float>& conv2d(Device device) {
    return choose(
        "conv2d", device, cpu_f32, [](auto gpu) -> const auto& { return conv2d_on(gpu); });
}
template <>
const Conv2dKernels<double>& conv2d(Device device) {
    return choose(
        "conv2d", device, cpu_f64, [](auto gpu) -> const auto& { return conv2d_on(gpu); });
}

}  // namespace lily::kernels
