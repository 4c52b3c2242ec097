// SPDX-License-Identifier: MIT
#include "kernels/common/parallel.h"
#include "kernels/copy/convert.h"
#include "kernels/copy/number.h"

namespace lily::kernels {
namespace {

template <class From, class To>
void run(Queue&, int64_t n, const From* x, To* y) {
    parallel_for(n, kGrain, [=](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) y[i] = number<To>(x[i]);
    });
}

}  // namespace

template <class From, class To>
const ConvertKernels<From, To>& convert(Device device) {
    static const ConvertKernels<From, To> cpu{run<From, To>};
    return choose(
        "convert", device, cpu, [](auto gpu) -> const auto& { return convert_on<From, To>(gpu); });
}
template const ConvertKernels<float, double>& convert(Device);
template const ConvertKernels<float, int64_t>& convert(Device);
template const ConvertKernels<float, uint8_t>& convert(Device);
template const ConvertKernels<double, float>& convert(Device);
template const ConvertKernels<double, int64_t>& convert(Device);
template const ConvertKernels<double, uint8_t>& convert(Device);
template const ConvertKernels<int64_t, float>& convert(Device);
template const ConvertKernels<int64_t, double>& convert(Device);
template const ConvertKernels<int64_t, uint8_t>& convert(Device);
template const ConvertKernels<uint8_t, float>& convert(Device);
template const ConvertKernels<uint8_t, double>& convert(Device);
template const ConvertKernels<uint8_t, int64_t>& convert(Device);

}  // namespace lily::kernels
