// SPDX-License-Identifier: MIT
#include "kernels/copy/convert.h"

#include "kernels/common/packs.h"
#include "kernels/copy/number.h"

namespace lily::kernels {
namespace LILY_CUDA_DEVICE {
namespace {

template <class To>
struct Cast {
    template <class From>
    __device__ To operator()(From x) const {
        return number<To>(x);
    }
};

template <class From, class To>
void run(Queue& queue, int64_t n, const From* x, To* y) {
    map("convert", queue, n, Cast<To>{}, y, x);
}

}  // namespace
}  // namespace LILY_CUDA_DEVICE

template <class From, class To>
const ConvertKernels<From, To>& convert_on(LILY_CUDA_DEVICE::Gpu) {
    using namespace LILY_CUDA_DEVICE;
    static const ConvertKernels<From, To> table{run<From, To>};
    return table;
}
template const ConvertKernels<float, double>& convert_on(LILY_CUDA_DEVICE::Gpu);
template const ConvertKernels<float, int64_t>& convert_on(LILY_CUDA_DEVICE::Gpu);
template const ConvertKernels<float, uint8_t>& convert_on(LILY_CUDA_DEVICE::Gpu);
template const ConvertKernels<double, float>& convert_on(LILY_CUDA_DEVICE::Gpu);
template const ConvertKernels<double, int64_t>& convert_on(LILY_CUDA_DEVICE::Gpu);
template const ConvertKernels<double, uint8_t>& convert_on(LILY_CUDA_DEVICE::Gpu);
template const ConvertKernels<int64_t, float>& convert_on(LILY_CUDA_DEVICE::Gpu);
template const ConvertKernels<int64_t, double>& convert_on(LILY_CUDA_DEVICE::Gpu);
template const ConvertKernels<int64_t, uint8_t>& convert_on(LILY_CUDA_DEVICE::Gpu);
template const ConvertKernels<uint8_t, float>& convert_on(LILY_CUDA_DEVICE::Gpu);
template const ConvertKernels<uint8_t, double>& convert_on(LILY_CUDA_DEVICE::Gpu);
template const ConvertKernels<uint8_t, int64_t>& convert_on(LILY_CUDA_DEVICE::Gpu);

}  // namespace lily::kernels
