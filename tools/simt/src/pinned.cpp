// SPDX-License-Identifier: MIT
#include "pinned.h"

#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <cstdint>
#include <vector>

#include "api.h"
#include "report.h"
#include "stream.h"

namespace simt {
namespace {

struct Pending {
    uintptr_t address;
    size_t bytes;
    bool reported;
};
std::vector<Pending> g_pending;
int g_access = 0;  // how many PinnedAccess live
struct sigaction g_before;

constexpr uintptr_t kPage = 4096;

void protect(const Pending& pending, int protection) {
    const uintptr_t begin = pending.address / kPage * kPage,
                    end = (pending.address + pending.bytes + kPage - 1) / kPage * kPage;
    mprotect(reinterpret_cast<void*>(begin), end - begin, protection);
}

// Reports the access and lets it happen: the host reads the NaN that stands there.
void on_fault(int signal, siginfo_t* info, void* context) {
    const auto address = reinterpret_cast<uintptr_t>(info->si_addr);
    for (Pending& pending : g_pending) {
        const uintptr_t page = address / kPage * kPage;
        if (page + kPage <= pending.address || page >= pending.address + pending.bytes) continue;
        protect(pending, PROT_READ | PROT_WRITE);
        if (address - pending.address < pending.bytes && !pending.reported) {
            pending.reported = true;
            const auto* registers = static_cast<const ucontext_t*>(context)->uc_mcontext.gregs;
            report_in_host(FaultKind::stream, cudaSuccess,
                           "pinned memory is touched before the copy into it was waited for; still to run: " +
                               pending_work(),
                           "", reinterpret_cast<const void*>(registers[REG_RIP] + 1), info->si_addr);
        }
        return;
    }
    if ((g_before.sa_flags & SA_SIGINFO) != 0 && g_before.sa_sigaction != nullptr)
        return g_before.sa_sigaction(signal, info, context);
    if (g_before.sa_handler != SIG_DFL && g_before.sa_handler != SIG_IGN) return g_before.sa_handler(signal);
    ::signal(SIGSEGV, SIG_DFL);  // happens again, and ends the program
}

void install() {
    struct sigaction current;
    sigaction(SIGSEGV, nullptr, &current);
    if ((current.sa_flags & SA_SIGINFO) != 0 && current.sa_sigaction == on_fault) return;
    g_before = current;
    struct sigaction ours = {};
    ours.sa_sigaction = on_fault;
    ours.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
    sigaction(SIGSEGV, &ours, nullptr);
}

}  // namespace

void begin_pending_copy(void* to, size_t bytes) {
    g_pending.push_back({reinterpret_cast<uintptr_t>(to), bytes, false});
    install();
    if (g_access == 0) protect(g_pending.back(), PROT_NONE);
}

void end_pending_copy(void* to, size_t bytes) {
    for (auto pending = g_pending.begin(); pending != g_pending.end(); ++pending) {
        if (pending->address != reinterpret_cast<uintptr_t>(to) || pending->bytes != bytes) continue;
        protect(*pending, PROT_READ | PROT_WRITE);
        g_pending.erase(pending);
        return;
    }
}

void forget_pending_copies() {
    for (const Pending& pending : g_pending) protect(pending, PROT_READ | PROT_WRITE);
    g_pending.clear();
}

PinnedAccess::PinnedAccess() {
    if (g_access++ == 0)
        for (const Pending& pending : g_pending) protect(pending, PROT_READ | PROT_WRITE);
}

PinnedAccess::~PinnedAccess() {
    if (--g_access == 0)
        for (const Pending& pending : g_pending)
            if (!pending.reported) protect(pending, PROT_NONE);
}

}  // namespace simt
