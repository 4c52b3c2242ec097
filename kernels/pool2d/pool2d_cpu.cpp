// SPDX-License-Identifier: MIT
#include "kernels/pool2d/pool2d.h"

#include <algorithm>

#include "kernels/common/parallel.h"

namespace lily::kernels {
namespace {

// The part of output position i's window that lies inside of an axis of `size`: taps [first, last).
struct Window {
    int64_t start, first, last;  // tap t reads start + t
};
inline Window window(const Pool2dShape& s, size_t axis, int64_t size, int64_t i) {
    const int64_t start = i * s.stride[axis] - s.padding[axis];
    return {start, std::max<int64_t>(0, -start), std::min(s.kernel[axis], size - start)};
}

// Every x belongs to exactly one window, so dx can be written instead of summed.
bool tiles_exactly(const Pool2dShape& s) {
    return s.kernel == s.stride && s.padding == std::array<int64_t, 2>{0, 0} && s.h % s.kernel[0] == 0 &&
           s.w % s.kernel[1] == 0;
}

// body(first row, last row) over the rows (plane, i) of y.
template <class Body>
void for_rows_of_y(const Pool2dShape& s, const Body& body) {
    const int64_t work = s.out_w() * s.lanes * s.kernel[0] * s.kernel[1];
    parallel_for(s.planes * s.out_h(), std::max<int64_t>(1, kGrain / std::max<int64_t>(1, work)), body);
}

// body(first plane, last plane): windows of one plane may overlap, so it belongs to one thread.
template <class Body>
void for_planes(const Pool2dShape& s, const Body& body) {
    const int64_t work = s.out_h() * s.out_w() * s.lanes * s.kernel[0] * s.kernel[1];
    parallel_for(s.planes, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, work)), body);
}

// One window, `Lanes` channels side by side. x: the window's tap (0,0), which may lie outside of the tensor.
template <int Lanes, class T, bool kWithIndex>
inline void max_of_window(const Pool2dShape& s, Window rows, Window columns, const T* x, T* y,
                          uint8_t* index) {
    T best[Lanes];
    int32_t where[Lanes];
    const auto tap = [&](int64_t r, int64_t q) { return x + (r * s.w + q) * s.lanes; };
    for (int l = 0; l < Lanes; ++l) best[l] = tap(rows.first, columns.first)[l];
    for (int l = 0; l < Lanes; ++l) where[l] = static_cast<int32_t>(rows.first * s.kernel[1] + columns.first);
    for (int64_t r = rows.first; r < rows.last; ++r)
        for (int64_t q = columns.first; q < columns.last; ++q) {
            const T* v = tap(r, q);
            const int32_t at = static_cast<int32_t>(r * s.kernel[1] + q);
            for (int l = 0; l < Lanes; ++l) {
                const bool wins = (v[l] > best[l]) | (v[l] != v[l]);
                best[l] = wins ? v[l] : best[l];
                if (kWithIndex) where[l] = wins ? at : where[l];
            }
        }
    for (int l = 0; l < Lanes; ++l) y[l] = best[l];
    if (kWithIndex)
        for (int l = 0; l < Lanes; ++l) index[l] = static_cast<uint8_t>(where[l]);
}

// The usual window, 2x2 with stride 2, on blocked maps: a quarter of the general loop's time.
bool blocked_quarters(const Pool2dShape& s) {
    return (s.lanes == 8 || s.lanes == 16) && s.kernel == std::array<int64_t, 2>{2, 2} &&
           s.stride == s.kernel && s.padding == std::array<int64_t, 2>{0, 0};
}

// Rows [begin, end) of y.
template <int Lanes, class T, bool kWithIndex>
inline void max_of_quarters(const Pool2dShape& s, int64_t begin, int64_t end, const T* x, T* y,
                            uint8_t* index) {
    for (int64_t row = begin; row < end; ++row)
        for (int64_t j = 0; j < s.out_w(); ++j) {
            const T* top = x + ((row / s.out_h() * s.h + row % s.out_h() * 2) * s.w + 2 * j) * Lanes;
            const T* tap[4] = {top, top + Lanes, top + s.w * Lanes, top + (s.w + 1) * Lanes};
            const int64_t to = (row * s.out_w() + j) * Lanes;
            for (int l = 0; l < Lanes; ++l) {
                T best = tap[0][l];
                int32_t where = 0;
                for (int32_t t = 1; t < 4; ++t) {
                    const T v = tap[t][l];
                    const bool wins = (v > best) | (v != v);
                    best = wins ? v : best;
                    where = wins ? t : where;
                }
                y[to + l] = best;
                if (kWithIndex) index[to + l] = static_cast<uint8_t>(where);
            }
        }
}

// Planes [begin, end) of dx, which no window leaves out.
template <int Lanes, class T>
inline void scatter_to_quarters(const Pool2dShape& s, int64_t begin, int64_t end, const T* dy,
                                const uint8_t* index, T* dx) {
    for (int64_t row = begin * s.out_h(); row < end * s.out_h(); ++row)
        for (int64_t j = 0; j < s.out_w(); ++j) {
            T* top = dx + (row * 2 * s.w + 2 * j) * Lanes;
            T* tap[4] = {top, top + Lanes, top + s.w * Lanes, top + (s.w + 1) * Lanes};
            const int64_t from = (row * s.out_w() + j) * Lanes;
            for (int32_t t = 0; t < 4; ++t)
                for (int l = 0; l < Lanes; ++l) tap[t][l] = index[from + l] == t ? dy[from + l] : T(0);
        }
}

template <class T, bool kWithIndex>
void max_pool(const Pool2dShape& s, const T* x, T* y, uint8_t* index) {
    const bool quarters = blocked_quarters(s);
    for_rows_of_y(s, [=, &s](int64_t begin, int64_t end) {
        if (quarters && s.lanes == 8) return max_of_quarters<8, T, kWithIndex>(s, begin, end, x, y, index);
        if (quarters) return max_of_quarters<16, T, kWithIndex>(s, begin, end, x, y, index);
        for (int64_t row = begin; row < end; ++row) {
            const Window rows = window(s, 0, s.h, row % s.out_h());
            const T* plane = x + (row / s.out_h() * s.h + rows.start) * s.w * s.lanes;
            for (int64_t j = 0; j < s.out_w(); ++j) {
                const Window columns = window(s, 1, s.w, j);
                const T* from = plane + columns.start * s.lanes;
                const int64_t to = (row * s.out_w() + j) * s.lanes;
                int64_t l = 0;
                for (; l + 16 <= s.lanes; l += 16)
                    max_of_window<16, T, kWithIndex>(s, rows, columns, from + l, y + to + l, index + to + l);
                for (; l + 8 <= s.lanes; l += 8)
                    max_of_window<8, T, kWithIndex>(s, rows, columns, from + l, y + to + l, index + to + l);
                for (; l < s.lanes; ++l)
                    max_of_window<1, T, kWithIndex>(s, rows, columns, from + l, y + to + l, index + to + l);
            }
        }
    });
}

template <class T>
void max(Queue&, const Pool2dShape& s, const T* x, T* y, uint8_t* index) {
    if (index)
        max_pool<T, true>(s, x, y, index);
    else
        max_pool<T, false>(s, x, y, nullptr);
}

template <class T>
void max_scatter(Queue&, const Pool2dShape& s, const T* dy, const uint8_t* index, T* dx) {
    const bool write = tiles_exactly(s), quarters = write && blocked_quarters(s);
    for_planes(s, [=, &s](int64_t begin, int64_t end) {
        if (quarters && s.lanes == 8) return scatter_to_quarters<8>(s, begin, end, dy, index, dx);
        if (quarters) return scatter_to_quarters<16>(s, begin, end, dy, index, dx);
        const int64_t plane = s.h * s.w * s.lanes;
        if (!write) std::fill(dx + begin * plane, dx + end * plane, T(0));
        for (int64_t row = begin * s.out_h(); row < end * s.out_h(); ++row) {
            const Window rows = window(s, 0, s.h, row % s.out_h());
            for (int64_t j = 0; j < s.out_w(); ++j) {
                const Window columns = window(s, 1, s.w, j);
                const T* from = dy + (row * s.out_w() + j) * s.lanes;
                const uint8_t* where = index + (row * s.out_w() + j) * s.lanes;
                const int64_t corner = ((row / s.out_h() * s.h + rows.start) * s.w + columns.start) * s.lanes;
                for (int64_t r = rows.first; r < rows.last; ++r)
                    for (int64_t q = columns.first; q < columns.last; ++q) {
                        T* to = dx + corner + (r * s.w + q) * s.lanes;
                        const int32_t at = static_cast<int32_t>(r * s.kernel[1] + q);
                        if (write)
                            for (int64_t l = 0; l < s.lanes; ++l) to[l] = where[l] == at ? from[l] : T(0);
                        else
                            for (int64_t l = 0; l < s.lanes; ++l) to[l] += where[l] == at ? from[l] : T(0);
                    }
            }
        }
    });
}

template <class T>
void max_gather(Queue&, const Pool2dShape& s, const T* x, const uint8_t* index, T* y) {
    for_rows_of_y(s, [=, &s](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
            const int64_t top = row / s.out_h() * s.h + row % s.out_h() * s.stride[0] - s.padding[0];
            for (int64_t j = 0; j < s.out_w(); ++j) {
                const int64_t left = j * s.stride[1] - s.padding[1], to = (row * s.out_w() + j) * s.lanes;
                for (int64_t l = 0; l < s.lanes; ++l) {
                    const int64_t r = index[to + l] / s.kernel[1], q = index[to + l] % s.kernel[1];
                    y[to + l] = x[((top + r) * s.w + left + q) * s.lanes + l];
                }
            }
        }
    });
}

// What a window's sum is divided by.
int64_t count_of(const Pool2dShape& s, bool count_padding, Window rows, Window columns) {
    const int64_t inside = (rows.last - rows.first) * (columns.last - columns.first);
    return count_padding ? s.kernel[0] * s.kernel[1] : inside;
}

template <class T>
void mean(Queue&, const Pool2dShape& s, bool count_padding, const T* x, T* y) {
    for_rows_of_y(s, [=, &s](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
            const Window rows = window(s, 0, s.h, row % s.out_h());
            for (int64_t j = 0; j < s.out_w(); ++j) {
                const Window columns = window(s, 1, s.w, j);
                const int64_t corner = ((row / s.out_h() * s.h + rows.start) * s.w + columns.start) * s.lanes;
                T* to = y + (row * s.out_w() + j) * s.lanes;
                for (int64_t l = 0; l < s.lanes; ++l) to[l] = 0;
                for (int64_t r = rows.first; r < rows.last; ++r)
                    for (int64_t q = columns.first; q < columns.last; ++q)
                        for (int64_t l = 0; l < s.lanes; ++l)
                            to[l] += x[corner + (r * s.w + q) * s.lanes + l];
                const T count = static_cast<T>(count_of(s, count_padding, rows, columns));
                for (int64_t l = 0; l < s.lanes; ++l) to[l] /= count;
            }
        }
    });
}

// An even share of dy for all taps of one window, `Lanes` channels side by side. dx: the window's tap (0,0).
template <int Lanes, class T>
inline void add_share(const Pool2dShape& s, Window rows, Window columns, T count, const T* dy, T* dx) {
    T share[Lanes];
    for (int l = 0; l < Lanes; ++l) share[l] = dy[l] / count;
    for (int64_t r = rows.first; r < rows.last; ++r)
        for (int64_t q = columns.first; q < columns.last; ++q) {
            T* to = dx + (r * s.w + q) * s.lanes;
            for (int l = 0; l < Lanes; ++l) to[l] += share[l];
        }
}

template <class T>
void mean_backward(Queue&, const Pool2dShape& s, bool count_padding, const T* dy, T* dx) {
    for_planes(s, [=, &s](int64_t begin, int64_t end) {
        const int64_t plane = s.h * s.w * s.lanes;
        std::fill(dx + begin * plane, dx + end * plane, T(0));
        for (int64_t row = begin * s.out_h(); row < end * s.out_h(); ++row) {
            const Window rows = window(s, 0, s.h, row % s.out_h());
            for (int64_t j = 0; j < s.out_w(); ++j) {
                const Window columns = window(s, 1, s.w, j);
                const T* from = dy + (row * s.out_w() + j) * s.lanes;
                T* corner = dx + ((row / s.out_h() * s.h + rows.start) * s.w + columns.start) * s.lanes;
                const T count = static_cast<T>(count_of(s, count_padding, rows, columns));
                int64_t l = 0;
                for (; l + 16 <= s.lanes; l += 16)
                    add_share<16>(s, rows, columns, count, from + l, corner + l);
                for (; l + 8 <= s.lanes; l += 8) add_share<8>(s, rows, columns, count, from + l, corner + l);
                for (; l < s.lanes; ++l) add_share<1>(s, rows, columns, count, from + l, corner + l);
            }
        }
    });
}

}  // namespace

template <class T>
const Pool2dKernels<T>& pool2d(Device device) {
    static const Pool2dKernels<T> cpu{max<T>, max_scatter<T>, max_gather<T>, mean<T>, mean_backward<T>};
    return choose(
        "pool2d", device, cpu, [](auto gpu) -> const auto& { return pool2d_on(gpu); });
}
template const Pool2dKernels<float>& pool2d(Device);
template const Pool2dKernels<double>& pool2d(Device);

}  // namespace lily::kernels
