// SPDX-License-Identifier: MIT
#include "api.h"

#include <cstdlib>
#include <map>

#include "arena.h"
#include "report.h"
#include "simt/xray.h"
#include "stream.h"

namespace simt {
namespace {

cudaError_t g_sticky = cudaSuccess;
thread_local cudaError_t t_last = cudaSuccess;

struct Unchecked {
    std::string kernel;
    const void* site = nullptr;
    cudaError_t error = cudaSuccess;

    void complain() {
        if (error == cudaSuccess) return;
        const cudaError_t which = error;
        error = cudaSuccess;
        report_in_host(FaultKind::unchecked, which,
                       "the error of a failed launch was never read (cudaGetLastError)", kernel, site);
    }
    ~Unchecked() { complain(); }  // the end of the thread, or of the program
};
thread_local Unchecked t_unchecked;

std::map<std::string, uint64_t>& calls() {
    static std::map<std::string, uint64_t> counted;
    [[maybe_unused]] static const bool written =
        (write_counts_at_exit(), true);  // ends before `counted` does
    return counted;
}

Xray& level() {
    static Xray chosen = [] {
        const char* asked = std::getenv("LILY_SIMT_XRAY");
        const std::string name = asked == nullptr ? "faults" : asked;
        return name == "off" ? Xray::off : (name == "full" ? Xray::full : Xray::faults);
    }();
    return chosen;
}

}  // namespace

std::recursive_mutex& api_mutex() {
    static std::recursive_mutex mutex;
    return mutex;
}

cudaError_t sticky_error() { return g_sticky; }
void set_sticky_error(cudaError_t error) { g_sticky = error; }

void count_call(const char* name) {
    const std::lock_guard lock(api_mutex());
    ++calls()[name];
}

Call::Call(const char* name, const void* site, bool reads_error)
    : lock_(api_mutex()), name_(name), site_(site) {
    count_call(name);
    if (reads_error)
        t_unchecked.error = cudaSuccess;
    else
        t_unchecked.complain();
}

cudaError_t Call::keep(cudaError_t error) const {
    if (error != cudaSuccess && error != cudaErrorNotReady) t_last = error;
    return error;
}

cudaError_t Call::mistake(FaultKind kind, cudaError_t error, const std::string& what,
                          const std::string& kernel) const {
    report_in_host(kind, error, std::string(name_) + ": " + what, kernel, site_);
    return error;
}

void launch_failed(const std::string& kernel, const void* site, cudaError_t error) {
    t_unchecked.kernel = kernel;
    t_unchecked.site = site;
    t_unchecked.error = error;
}

Xray xray() { return level(); }
void set_xray(Xray wanted) { level() = wanted; }

std::vector<std::pair<std::string, uint64_t>> api_calls() {
    const std::lock_guard lock(api_mutex());
    return {calls().begin(), calls().end()};
}

std::vector<Allocation> allocations() {
    const std::lock_guard lock(api_mutex());
    return Arena::instance().living();
}

void reset() {
    const std::lock_guard lock(api_mutex());
    drop_all_work();
    Arena::instance().clear();
    g_sticky = t_last = cudaSuccess;
    t_unchecked.error = cudaSuccess;
    forget_reports();
}

}  // namespace simt

inline namespace simt_cuda {

cudaError_t cudaGetLastError() {
    const simt::Call call(__func__, __builtin_return_address(0), true);
    const cudaError_t error = simt::sticky_error() != cudaSuccess ? simt::sticky_error() : simt::t_last;
    simt::t_last = cudaSuccess;
    return error;
}

cudaError_t cudaPeekAtLastError() {
    const simt::Call call(__func__, __builtin_return_address(0), true);
    return simt::sticky_error() != cudaSuccess ? simt::sticky_error() : simt::t_last;
}

cudaError_t cudaDeviceReset() {
    const simt::Call call(__func__, __builtin_return_address(0));
    simt::drop_all_work();
    simt::Arena::instance().clear();
    simt::set_sticky_error(cudaSuccess);
    simt::t_last = cudaSuccess;
    return cudaSuccess;
}

}  // namespace simt_cuda
