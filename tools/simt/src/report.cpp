// SPDX-License-Identifier: MIT
#include "report.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <mutex>

#include "api.h"
#include "symbols.h"

namespace simt {
namespace {

constexpr size_t kMost = 1000;

std::mutex g_mutex;
std::vector<Fault> g_faults;
std::vector<std::string> g_notices;
std::atomic<OnFault> g_behaviour = OnFault::report;

std::string text(unsigned x, unsigned y, unsigned z) {
    return "(" + std::to_string(x) + "," + std::to_string(y) + "," + std::to_string(z) + ")";
}

std::string place(const Fault& fault, const std::string& function) {
    if (fault.file.empty()) return "an unknown line (compile with -g1)";
    return fault.file + ":" + std::to_string(fault.line) + (function.empty() ? "" : " in " + function);
}

// Of a race: what memory it is, the other access, and what would have ordered the two.
void add_race(Fault& fault) {
    if (!fault.place.empty()) fault.text += "  which is " + fault.place + "\n";
    if (const Fault::Access& other = fault.other; !other.what.empty()) {
        fault.text += "  other    " + other.what + " at " + other.file + ":" + std::to_string(other.line) +
                      (other.function.empty() ? "" : " in " + other.function) + "\n";
        if (other.in_kernel)
            fault.text += "           block " + text(other.block.x, other.block.y, other.block.z) +
                          ", thread " + text(other.thread.x, other.thread.y, other.thread.z) + "\n";
    }
    if (!fault.remedy.empty()) fault.text += "  ordered  by " + fault.remedy + "\n";
}

void keep(Fault fault) {
    const OnFault behaviour = g_behaviour;
    if (behaviour != OnFault::quiet) std::fputs(fault.text.c_str(), stderr);
    if (behaviour == OnFault::stop) std::abort();
    const std::lock_guard lock(g_mutex);
    if (g_faults.size() < kMost) g_faults.push_back(std::move(fault));
}

}  // namespace

void report_in_kernel(Fault fault, dim3 grid, dim3 block, const std::string& function) {
    char address[40] = "";
    if (fault.address != nullptr) std::snprintf(address, sizeof(address), "  address  %p\n", fault.address);
    fault.text = "simt: " + fault.what + "\n  kernel   " + fault.kernel + "\n  at       " +
                 place(fault, function) + "\n  block    " +
                 text(fault.block.x, fault.block.y, fault.block.z) + " of " + text(grid.x, grid.y, grid.z) +
                 ", thread " + text(fault.thread.x, fault.thread.y, fault.thread.z) + " of " +
                 text(block.x, block.y, block.z) + "\n" + address;
    add_race(fault);
    keep(std::move(fault));
}

void report_in_host(Fault fault, const void* site) {
    const Frame at = locate(site);
    fault.file = at.file;
    fault.line = at.line;
    fault.text = "simt: " + fault.what + "\n" +
                 (fault.kernel.empty() ? "" : "  kernel   " + fault.kernel + "\n") + "  at       " +
                 place(fault, at.function) + "\n";
    add_race(fault);
    if (fault.error != cudaSuccess)
        fault.text += std::string("  error    ") + cudaGetErrorName(fault.error) + "\n";
    keep(std::move(fault));
}

void report_in_host(FaultKind kind, cudaError_t error, const std::string& what, const std::string& kernel,
                    const void* site, const void* address) {
    Fault fault{};
    fault.kind = kind;
    fault.what = what;
    fault.kernel = kernel;
    fault.address = address;
    fault.error = error;
    report_in_host(std::move(fault), site);
}

void notice(const std::string& what) {
    if (g_behaviour != OnFault::quiet) std::fputs(("simt: " + what + "\n").c_str(), stderr);
    const std::lock_guard lock(g_mutex);
    g_notices.push_back(what);
}

std::vector<std::string> notices() {
    const std::lock_guard lock(g_mutex);
    return g_notices;
}

std::vector<Fault> faults() {
    const std::lock_guard lock(g_mutex);
    return g_faults;
}

std::string last_report() {
    const std::lock_guard lock(g_mutex);
    return g_faults.empty() ? "" : g_faults.back().text;
}

void forget_reports() {
    const std::lock_guard lock(g_mutex);
    g_faults.clear();
    g_notices.clear();
}

void set_on_fault(OnFault behaviour) { g_behaviour = behaviour; }

}  // namespace simt
