// SPDX-License-Identifier: MIT
#include "kernels/common/onednn.h"

namespace lily::kernels {

dnnl::engine& onednn_engine() {
    static dnnl::engine engine(dnnl::engine::kind::cpu, 0);
    return engine;
}

dnnl::stream& onednn_stream() {
    static dnnl::stream stream(onednn_engine());
    return stream;
}

}  // namespace lily::kernels
