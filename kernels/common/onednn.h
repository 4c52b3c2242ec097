// SPDX-License-Identifier: MIT
// oneDNN's engine and stream for the CPU, and what differs between its versions 2 and 3; included by
// *_cpu.cpp files only.
#pragma once

#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>

namespace lily::kernels {

dnnl::engine& onednn_engine();
dnnl::stream& onednn_stream();

// The description of a primitive, false if oneDNN has no implementation. `arguments`: what the operation's
// description takes, from the propagation kind or the algorithm to the padding.
template <class Primitive, class... Arguments>
auto describe_onednn(const dnnl::primitive_attr& attributes, const Arguments&... arguments) {
#if DNNL_VERSION_MAJOR >= 3
    return typename Primitive::primitive_desc(onednn_engine(), arguments..., attributes, true);
#else
    return typename Primitive::primitive_desc(typename Primitive::desc(arguments...), attributes,
                                              onednn_engine(), true);
#endif
}

// The same for a gradient; `forward` describes the forward operation that it belongs to.
template <class Primitive, class Forward, class... Arguments>
auto describe_onednn_gradient(const dnnl::primitive_attr& attributes, const Forward& forward,
                              const Arguments&... arguments) {
#if DNNL_VERSION_MAJOR >= 3
    return typename Primitive::primitive_desc(onednn_engine(), arguments..., forward, attributes, true);
#else
    return typename Primitive::primitive_desc(typename Primitive::desc(arguments...), attributes,
                                              onednn_engine(), forward, true);
#endif
}

// The same tensor, f32, in whatever layout the primitive likes best.
inline dnnl::memory::desc onednn_any_layout(const dnnl::memory::desc& desc) {
#if DNNL_VERSION_MAJOR >= 3
    const dnnl::memory::dims dims = desc.get_dims();
#else
    const dnnl::memory::dims dims = desc.dims();
#endif
    return {dims, dnnl::memory::data_type::f32, dnnl::memory::format_tag::any};
}

// Makes a reorder multiply by `scale`, which has to live until the reorder is done.
inline void scale_onednn_reorder(dnnl::primitive_attr& attributes,
                                 std::unordered_map<int, dnnl::memory>& arguments, float& scale) {
#if DNNL_VERSION_MAJOR >= 3
    attributes.set_scales_mask(DNNL_ARG_FROM, 0);
    const dnnl::memory::desc one{{1}, dnnl::memory::data_type::f32, dnnl::memory::format_tag::x};
    arguments.emplace(DNNL_ARG_ATTR_SCALES | DNNL_ARG_FROM, dnnl::memory(one, onednn_engine(), &scale));
#else
    static_cast<void>(arguments);
    attributes.set_output_scales(0, {scale});
#endif
}

// What follows a primitive: y = max(0, y).
inline dnnl::post_ops onednn_relu() {
    dnnl::post_ops ops;
#if DNNL_VERSION_MAJOR >= 3
    ops.append_eltwise(dnnl::algorithm::eltwise_relu, 0, 0);
#else
    ops.append_eltwise(1, dnnl::algorithm::eltwise_relu, 0, 0);
#endif
    return ops;
}

}  // namespace lily::kernels
