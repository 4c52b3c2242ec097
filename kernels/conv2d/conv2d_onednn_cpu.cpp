// SPDX-License-Identifier: MIT
// oneDNN's convolutions behind the plan interface: bias and ReLU as part of the primitive, scratch memory
// from the queue, weights packed once.
//
// Two of its habits are mended here. A ReLU in the primitive turns NaN into 0: it is used only where a look
// at the operands shows that no NaN can arise. And what its Winograd form computes of large values or
// infinities is not finite in places where the convolution is (winograd_direct.h): then the direct form
// computes it again.
#include <cfloat>
#include <cmath>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "kernels/common/error.h"
#include "kernels/common/onednn.h"
#include "kernels/conv2d/conv2d_plans.h"
#include "kernels/elementwise/functions.h"
#include "kernels/vector/vector.h"

namespace lily::kernels {
namespace {

using dnnl::memory;
using Tag = memory::format_tag;

memory::desc activations(int64_t n, int64_t c, int64_t h, int64_t w, int64_t layout) {
    const Tag tag = layout == 16 ? Tag::nChw16c : layout == 8 ? Tag::nChw8c : Tag::nchw;
    return {{n, c, h, w}, memory::data_type::f32, tag};
}

// Names a layout of packed weights, so that plans for different picture sizes share one copy.
uint64_t packing_of(const memory::desc& desc) {
    static std::mutex mutex;
    static auto& known = *new std::vector<memory::desc>;
    const std::lock_guard lock(mutex);
    for (size_t i = 0; i < known.size(); ++i)
        if (known[i] == desc) return i + 1;
    known.push_back(desc);
    return known.size();
}

// to = scale · from
void copy_layout(const memory::desc& from_desc, const void* from, const memory::desc& to_desc, void* to,
                 float scale = 1) {
    memory source(from_desc, onednn_engine(), const_cast<void*>(from));
    memory target(to_desc, onednn_engine(), to);
    dnnl::primitive_attr attributes;
    std::unordered_map<int, memory> arguments{{DNNL_ARG_FROM, source}, {DNNL_ARG_TO, target}};
    if (scale != 1) scale_onednn_reorder(attributes, arguments, scale);
    dnnl::reorder(source, target, attributes).execute(onednn_stream(), arguments);
    onednn_stream().wait();
}

class OneDnnConv2d final : public CpuConv2dPlan {
  public:
    OneDnnConv2d(const Conv2dShape& s, Conv2dPass p, OneDnnAlgorithm choice)
        : CpuConv2dPlan(s, p), choice_(choice) {
        x_layout = conv2d_layout(s.c);
        y_layout = conv2d_layout(s.k);
        x_ = activations(s.n, s.c, s.h, s.w, x_layout);
        y_ = activations(s.n, s.k, s.out_h(), s.out_w(), y_layout);
        if (s.groups > 1)
            w_ = {{s.groups, s.k / s.groups, s.c / s.groups, s.r, s.s}, memory::data_type::f32, Tag::goihw};
        else
            w_ = {{s.k, s.c, s.r, s.s}, memory::data_type::f32, Tag::oihw};
    }

    // False if oneDNN has nothing for it, or (with `keep_layouts`) only its slow reference loops.
    bool build(bool keep_layouts) {
        const memory::desc x = keep_layouts ? x_ : onednn_any_layout(x_),
                           y = keep_layouts ? y_ : onednn_any_layout(y_);
        attributes_.set_scratchpad_mode(dnnl::scratchpad_mode::user);
        if (fuses_relu()) attributes_.set_post_ops(onednn_relu());
        const bool built = is_backward_data(pass)                 ? build_backward_data(x, y)
                           : pass == Conv2dPass::backward_weights ? build_backward_weights(x, y)
                                                                  : build_forward(x, y);
        if (!built || (keep_layouts && algorithm.find("(ref") != std::string::npos)) return false;
        // tiles of 2x2 gain little, and their weights are slow to make
        if (choice_ == OneDnnAlgorithm::winograd && algorithm.find("4x3") == std::string::npos) return false;
        if (pass != Conv2dPass::backward_weights) {
            packed_bytes = static_cast<int64_t>(prim_w_.get_size());
            packing = packing_of(prim_w_);
        }
        return true;
    }

    void pack(Queue&, const float* w, void* packed) const override {
        copy_layout(w_, w, prim_w_, packed, weight_scale());
    }

    void forward(Queue& queue, const float* x, const Conv2dWeights<float>& w, const float* bias,
                 const Conv2dOutput<float>& out) const override {
        bool again = fuses_relu() && !stays_finite(queue, x, w.w, bias);
        if (!again) {
            const auto zeros = queue.scratch<float>(bias ? 0 : shape.k);
            if (!bias) std::fill(zeros.data(), zeros.data() + shape.k, 0.0f);
            const Input from(queue, x_, x, prim_x_);
            const Output to(queue, y_, out.y, prim_y_);
            execute(queue, {{DNNL_ARG_SRC, from.memory()},
                            {DNNL_ARG_WEIGHTS, wrap(prim_w_, w.packed)},
                            {DNNL_ARG_BIAS, wrap(bias_, bias ? bias : zeros.data())},
                            {DNNL_ARG_DST, to.memory()}});
            to.finish();
            if (fuses_relu()) return;
            again = is_winograd() && !is_finite(queue, y_count(), out.y);
        }
        if (again)
            run_direct(queue, w.w, [&](const CpuConv2dPlan& plan, const Conv2dWeights<float>& packed) {
                plan.forward(queue, x, packed, bias, out);
            });
        if (pass == Conv2dPass::forward_relu)
            elementwise<float>(queue.device()).unary(queue, Unary::relu, {}, y_count(), out.y, out.y);
    }

    void backward_data(Queue& queue, const Conv2dGradient<float>& g, const Conv2dWeights<float>& w, bool,
                       float* dx) const override {
        const bool relu = pass == Conv2dPass::backward_data_relu;
        const auto masked = queue.scratch<float>(relu ? y_count() : 0);
        if (relu)
            elementwise<float>(queue.device())
                .unary_backward(queue, Unary::relu, {}, y_count(), nullptr, g.y, g.dy, masked.data());
        const float* dz = relu ? masked.data() : g.dy;
        const Input from(queue, y_, dz, prim_y_);
        const Output to(queue, x_, dx, prim_x_);
        execute(queue, {{DNNL_ARG_DIFF_DST, from.memory()},
                        {DNNL_ARG_WEIGHTS, wrap(prim_w_, w.packed)},
                        {DNNL_ARG_DIFF_SRC, to.memory()}});
        to.finish();
        if (is_winograd() && !is_finite(queue, x_count(), dx))
            run_direct(queue, w.w, [&](const CpuConv2dPlan& plan, const Conv2dWeights<float>& packed) {
                plan.backward_data(queue, {dz}, packed, false, dx);
            });
    }

    void backward_weights(Queue& queue, const float* x, const float* dy, float* dw) const override {
        const Input from_x(queue, x_, x, prim_x_), from_y(queue, y_, dy, prim_y_);
        const Output to(queue, w_, dw, prim_w_);
        execute(queue, {{DNNL_ARG_SRC, from_x.memory()},
                        {DNNL_ARG_DIFF_DST, from_y.memory()},
                        {DNNL_ARG_DIFF_WEIGHTS, to.memory()}});
        to.finish(weight_scale());
        if (is_winograd() && !is_finite(queue, w_count(), dw)) direct().backward_weights(queue, x, dy, dw);
    }

  private:
    static memory wrap(const memory::desc& desc, const void* data) {
        return {desc, onednn_engine(), const_cast<void*>(data)};
    }
    static int64_t floats(const memory::desc& desc) { return static_cast<int64_t>(desc.get_size() + 3) / 4; }

    // A tensor in the layout that the primitive reads: itself, or a copy in scratch memory.
    class Input {
      public:
        Input(Queue& queue, const memory::desc& user, const float* data, const memory::desc& wanted)
            : wanted_(wanted), data_(data), copy_(queue.scratch<float>(user == wanted ? 0 : floats(wanted))) {
            if (user == wanted) return;
            copy_layout(user, data, wanted, copy_.data());
            data_ = copy_.data();
        }
        dnnl::memory memory() const { return wrap(wanted_, data_); }

      private:
        const dnnl::memory::desc& wanted_;
        const float* data_;
        Scratch<float> copy_;  // empty where no copy is needed
    };

    // A tensor in the layout that the primitive writes; finish() brings it into the caller's, times a scale.
    class Output {
      public:
        Output(Queue& queue, const memory::desc& user, float* data, const memory::desc& wanted)
            : user_(user),
              wanted_(wanted),
              data_(data),
              copy_(queue.scratch<float>(user == wanted ? 0 : floats(wanted))) {}
        dnnl::memory memory() const { return wrap(wanted_, copy_.data() ? copy_.data() : data_); }
        void finish(float scale = 1) const {
            if (copy_.data()) return copy_layout(wanted_, copy_.data(), user_, data_, scale);
            if (scale == 1) return;
            for (int64_t i = 0; i < floats(user_); ++i) data_[i] *= scale;
        }

      private:
        const dnnl::memory::desc &user_, &wanted_;
        float* data_;
        Scratch<float> copy_;  // empty where no copy is needed
    };

    void execute(Queue& queue, std::unordered_map<int, memory> arguments) const {
        const auto scratch = queue.scratch<float>(floats(scratchpad_));
        arguments.emplace(DNNL_ARG_SCRATCHPAD, wrap(scratchpad_, scratch.data()));
        primitive_.execute(onednn_stream(), arguments);
        onednn_stream().wait();
    }

    float weight_scale() const { return static_cast<float>(shape.weight_scale); }
    int64_t x_count() const { return shape.n * shape.c * shape.h * shape.w; }
    int64_t y_count() const { return shape.n * shape.k * shape.out_h() * shape.out_w(); }
    int64_t w_count() const { return shape.k * (shape.c / shape.groups) * shape.r * shape.s; }

    // Where looking at the operands reads less than a pass over y would: of a picture's few channels.
    bool fuses_relu() const {
        return pass == Conv2dPass::forward_relu && choice_ == OneDnnAlgorithm::direct &&
               x_count() + w_count() < y_count();
    }
    bool is_winograd() const { return algorithm.find("wino") != std::string::npos; }  // its own guess too

    static bool is_finite(Queue& queue, int64_t n, const float* values) {
        return kernels::vector<float>(queue.device()).abs_max(queue, n, values) <= FLT_MAX;
    }
    // No sum of products can overflow, so no NaN can arise.
    bool stays_finite(Queue& queue, const float* x, const float* w, const float* bias) const {
        const auto largest = [&](int64_t n, const float* values) {
            return kernels::vector<float>(queue.device()).abs_max(queue, n, values);
        };
        const double terms = static_cast<double>(w_count() / shape.k);
        const double most =
            largest(x_count(), x) * largest(w_count(), w) * std::abs(shape.weight_scale) * terms;
        return most + (bias ? largest(shape.k, bias) : 0) <= 0x1p126;
    }

    // The direct form of the convolution alone, made when first needed.
    const CpuConv2dPlan& direct() const {
        std::call_once(direct_once_, [&] {
            const Conv2dPass alone = is_forward(pass)         ? Conv2dPass::forward
                                     : is_backward_data(pass) ? Conv2dPass::backward_data
                                                              : pass;
            direct_ = make_onednn_conv2d(shape, alone, OneDnnAlgorithm::direct);
            if (!direct_) throw Error("[conv2d] oneDNN cannot convolve this shape");
        });
        return *direct_;
    }
    // run(plan, weights)
    template <class Run>
    void run_direct(Queue& queue, const float* w, const Run& run) const {
        const auto packed = queue.scratch<std::byte>(direct().packed_bytes);
        direct().pack(queue, w, packed.data());
        run(direct(), {w, packed.data()});
    }

    dnnl::algorithm onednn_algorithm() const {
        return choice_ == OneDnnAlgorithm::winograd ? dnnl::algorithm::convolution_winograd
               : choice_ == OneDnnAlgorithm::onednn ? dnnl::algorithm::convolution_auto
                                                    : dnnl::algorithm::convolution_direct;
    }
    memory::dims strides() const { return {shape.stride[0], shape.stride[1]}; }
    memory::dims dilates() const { return {shape.dilation[0] - 1, shape.dilation[1] - 1}; }
    memory::dims padding() const { return {shape.padding[0], shape.padding[1]}; }

    // The primitive's name for people, its scratch memory, its layouts.
    template <class Description>
    void adopt(const Description& pd) {
        scratchpad_ = pd.scratchpad_desc();
        const char* name = choice_ == OneDnnAlgorithm::winograd ? "winograd"
                           : choice_ == OneDnnAlgorithm::onednn ? "onednn"
                                                                : "direct";
        algorithm = std::string(name) + " (" + pd.impl_info_str() + ")";
    }

    // For the gradients: oneDNN asks for the description of the forward convolution that they belong to.
    dnnl::convolution_forward::primitive_desc hint(const memory::desc& x, const memory::desc& y) const {
        return describe_onednn<dnnl::convolution_forward>(attributes_, dnnl::prop_kind::forward_training,
                                                          onednn_algorithm(), x, onednn_any_layout(w_), y,
                                                          strides(), dilates(), padding(), padding());
    }

    bool build_forward(const memory::desc& x, const memory::desc& y) {
        // "inference": the Winograd form then takes weights that are already transformed
        const auto pd = describe_onednn<dnnl::convolution_forward>(
            attributes_, dnnl::prop_kind::forward_inference, onednn_algorithm(), x, onednn_any_layout(w_),
            bias_, y, strides(), dilates(), padding(), padding());
        if (!pd) return false;
        prim_x_ = pd.src_desc(), prim_y_ = pd.dst_desc(), prim_w_ = pd.weights_desc();
        adopt(pd);
        primitive_ = dnnl::convolution_forward(pd);
        return true;
    }

    bool build_backward_data(const memory::desc& x, const memory::desc& y) {
        const auto forward = hint(x, y);
        if (!forward) return false;
        const auto pd = describe_onednn_gradient<dnnl::convolution_backward_data>(
            attributes_, forward, onednn_algorithm(), x, onednn_any_layout(w_), y, strides(), dilates(),
            padding(), padding());
        if (!pd) return false;
        prim_x_ = pd.diff_src_desc(), prim_y_ = pd.diff_dst_desc(), prim_w_ = pd.weights_desc();
        adopt(pd);
        primitive_ = dnnl::convolution_backward_data(pd);
        return true;
    }

    bool build_backward_weights(const memory::desc& x, const memory::desc& y) {
        const auto forward = hint(x, y);
        if (!forward) return false;
        const auto pd = describe_onednn_gradient<dnnl::convolution_backward_weights>(
            attributes_, forward, onednn_algorithm(), x, onednn_any_layout(w_), y, strides(), dilates(),
            padding(), padding());
        if (!pd) return false;
        prim_x_ = pd.src_desc(), prim_y_ = pd.diff_dst_desc(), prim_w_ = pd.diff_weights_desc();
        adopt(pd);
        primitive_ = dnnl::convolution_backward_weights(pd);
        return true;
    }

    OneDnnAlgorithm choice_;
    dnnl::primitive_attr attributes_;
    memory::desc x_, y_, w_;                 // the caller's layouts
    memory::desc prim_x_, prim_y_, prim_w_;  // the primitive's
    memory::desc bias_{{shape.k}, memory::data_type::f32, Tag::x};
    memory::desc scratchpad_;
    dnnl::primitive primitive_;
    mutable std::once_flag direct_once_;
    mutable std::unique_ptr<CpuConv2dPlan> direct_;
};

}  // namespace

int64_t onednn_channel_block() {
    static const int64_t block = [] {
        onednn_engine();
        switch (dnnl::get_effective_cpu_isa()) {
            case dnnl::cpu_isa::sse41:
            case dnnl::cpu_isa::avx:
            case dnnl::cpu_isa::avx2:
            case dnnl::cpu_isa::avx2_vnni:
#if DNNL_VERSION_MAJOR >= 3
            case dnnl::cpu_isa::avx2_vnni_2:
#endif
                return 8;
            default:
                return 16;
        }
    }();
    return block;
}

bool onednn_winograd_fits(const Conv2dShape& s) {
    const std::array<int64_t, 2> ones{1, 1};
    return conv2d_layout(s.c) == 16 && conv2d_layout(s.k) == 16 && s.r == 3 && s.s == 3 && s.stride == ones &&
           s.dilation == ones && s.groups == 1 && s.padding[0] <= 1 && s.padding[1] <= 1;
}

std::unique_ptr<CpuConv2dPlan> make_onednn_conv2d(const Conv2dShape& s, Conv2dPass pass,
                                                  OneDnnAlgorithm algorithm) {
    auto plan = std::make_unique<OneDnnConv2d>(s, pass, algorithm);
    // Channels that fill no block are padded to one by oneDNN, in its own layout; a picture's few need not
    // be.
    const bool keep = conv2d_layout(s.k) > 1 && (conv2d_layout(s.c) > 1 || s.c <= 4);
    if (keep && plan->build(true)) return plan;
    if (algorithm == OneDnnAlgorithm::winograd) return nullptr;
    if (plan->build(false)) return plan;
    return nullptr;
}

}  // namespace lily::kernels
