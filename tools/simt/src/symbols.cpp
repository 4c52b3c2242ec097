// SPDX-License-Identifier: MIT
#include "symbols.h"

#include <backtrace.h>
#include <cxxabi.h>
#include <elf.h>
#include <link.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <mutex>
#include <set>
#include <unordered_map>

#include "simt/xray.h"

namespace simt {
namespace {

void ignore(void*, const char*, int) {}

backtrace_state* state() {
    static backtrace_state* const created = backtrace_create_state(nullptr, 1, ignore, nullptr);
    return created;
}

// Headers whose lines say nothing: the place of interest is the caller of what they define.
bool ours(const char* file) {
    return std::strstr(file, "tools/simt/include/") != nullptr ||
           std::strstr(file, "kernels/common/launch") != nullptr;
}

int take_frame(void* data, uintptr_t, const char* file, int line, const char* function) {
    if (file == nullptr || ours(file)) return 0;
    *static_cast<Frame*>(data) = {file, function == nullptr ? "" : without_types(readable(function)), line};
    return 1;
}

// visit(symbol, its name) for every entry of the program's symbol table; a stripped one has none.
template <class F>
void each_symbol(F visit) {
    std::ifstream in("/proc/self/exe", std::ios::binary);
    const std::vector<char> file{std::istreambuf_iterator<char>(in), {}};
    if (file.size() < sizeof(Elf64_Ehdr)) return;
    const auto* header = reinterpret_cast<const Elf64_Ehdr*>(file.data());
    if (std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) return;
    const auto* sections = reinterpret_cast<const Elf64_Shdr*>(file.data() + header->e_shoff);
    for (int s = 0; s < header->e_shnum; ++s) {
        if (sections[s].sh_type != SHT_SYMTAB) continue;
        const auto* symbols = reinterpret_cast<const Elf64_Sym*>(file.data() + sections[s].sh_offset);
        const char* names = file.data() + sections[sections[s].sh_link].sh_offset;
        for (size_t i = 0; i < sections[s].sh_size / sizeof(Elf64_Sym); ++i)
            if (symbols[i].st_shndx != SHN_UNDEF) visit(symbols[i], std::string(names + symbols[i].st_name));
    }
}

std::vector<ThreadLocal> read_thread_locals() {
    std::vector<ThreadLocal> result;
    each_symbol([&](const Elf64_Sym& symbol, const std::string& name) {
        if (ELF64_ST_TYPE(symbol.st_info) == STT_TLS)
            result.push_back(
                {symbol.st_value, symbol.st_size, name, name.find("lily_simt_gap_") != std::string::npos});
    });
    std::sort(result.begin(), result.end(), [](const auto& a, const auto& b) { return a.offset < b.offset; });
    return result;
}

}  // namespace

std::string readable(const std::string& mangled) {
    int status = 0;
    char* text = abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, &status);
    if (text == nullptr) return mangled;
    std::string result = text;
    std::free(text);
    return result;
}

Frame locate(const void* return_address) {
    static std::mutex mutex;
    static std::unordered_map<const void*, Frame> known;
    const std::lock_guard lock(mutex);
    if (const auto found = known.find(return_address); found != known.end()) return found->second;
    Frame frame;
    // some instructions have no line of their own: take the one before
    for (uintptr_t back = 1; back <= 64 && frame.line == 0; ++back)
        backtrace_pcinfo(state(), reinterpret_cast<uintptr_t>(return_address) - back, take_frame, ignore,
                         &frame);
    if (const size_t part = frame.file.find("/./"); part != std::string::npos) frame.file.erase(part, 2);
    known[return_address] = frame;
    return frame;
}

std::string mangled_name(const void* function) {
    std::string name;
    backtrace_syminfo(
        state(), reinterpret_cast<uintptr_t>(function),
        [](void* data, uintptr_t, const char* symbol, uintptr_t, uintptr_t) {
            if (symbol != nullptr) *static_cast<std::string*>(data) = symbol;
        },
        ignore, &name);
    return name;
}

// "void lily::(anonymous namespace)::f<float>(float*, int)" is f's type too: cut the result and the
// parameters
std::string without_types(std::string name) {
    int depth = 0;
    size_t begin = 0, end = name.size();
    for (size_t i = 0; i < name.size(); ++i) {
        if (name.compare(i, 11, "(anonymous ") == 0) {
            i = name.find(')', i);
            continue;
        }
        if (name[i] == '<') ++depth;
        if (name[i] == '>') --depth;
        if (depth == 0 && name[i] == ' ') begin = i + 1;
        if (depth == 0 && name[i] == '(') {
            end = i;
            break;
        }
    }
    return begin < end ? name.substr(begin, end - begin) : name;
}

std::string kernel_name(const void* function) {
    const std::string name = without_types(readable(mangled_name(function)));
    return name.empty() ? "an unknown kernel" : name;
}

const std::vector<ThreadLocal>& thread_locals() {
    static const std::vector<ThreadLocal> symbols = read_thread_locals();
    return symbols;
}

std::vector<Range> thread_local_blocks() {
    std::vector<Range> blocks;
    dl_iterate_phdr(
        [](dl_phdr_info* module, size_t, void* data) {
            if (module->dlpi_tls_data == nullptr) return 0;
            for (int i = 0; i < module->dlpi_phnum; ++i)
                if (module->dlpi_phdr[i].p_type == PT_TLS)
                    static_cast<std::vector<Range>*>(data)->push_back(
                        {reinterpret_cast<uintptr_t>(module->dlpi_tls_data), module->dlpi_phdr[i].p_memsz});
            return 0;
        },
        &blocks);
    return blocks;
}

bool in_a_module(uintptr_t address) {
    struct Query {
        uintptr_t address;
        bool found;
    } query{address, false};
    dl_iterate_phdr(
        [](dl_phdr_info* module, size_t, void* data) {
            auto& asked = *static_cast<Query*>(data);
            for (int i = 0; i < module->dlpi_phnum; ++i) {
                const auto& segment = module->dlpi_phdr[i];
                if (segment.p_type == PT_LOAD &&
                    asked.address - (module->dlpi_addr + segment.p_vaddr) < segment.p_memsz)
                    asked.found = true;
            }
            return asked.found ? 1 : 0;
        },
        &query);
    return query.found;
}

Range program_range() {
    Range range{0, 0};
    dl_iterate_phdr(
        [](dl_phdr_info* module, size_t, void* data) {
            uintptr_t begin = UINTPTR_MAX, end = 0;
            for (int i = 0; i < module->dlpi_phnum; ++i) {
                const auto& segment = module->dlpi_phdr[i];
                if (segment.p_type != PT_LOAD) continue;
                begin = std::min<uintptr_t>(begin, module->dlpi_addr + segment.p_vaddr);
                end = std::max<uintptr_t>(end, module->dlpi_addr + segment.p_vaddr + segment.p_memsz);
            }
            *static_cast<Range*>(data) = {begin, end - begin};
            return 1;  // the first one is the program
        },
        &range);
    return range;
}

size_t static_shared_bytes(const void* kernel) {
    static std::mutex mutex;
    static std::unordered_map<const void*, size_t> known;
    const std::lock_guard lock(mutex);
    if (const auto found = known.find(kernel); found != known.end()) return found->second;
    const std::string name = mangled_name(kernel);
    size_t bytes = 0;
    if (name.starts_with("_Z")) {  // a local variable of _Z<f> is called _ZZ<f>E<variable>
        const std::string prefix = "_ZZ" + name.substr(2) + "E";
        for (const auto& variable : thread_locals())
            if (!variable.gap && variable.name.starts_with(prefix)) bytes += (variable.size + 15) / 16 * 16;
    }
    return known[kernel] = bytes;
}

std::vector<std::string> compiled_kernels() {
    std::set<std::string> names;
    each_symbol([&](const Elf64_Sym& symbol, const std::string& mangled) {
        if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || mangled.find("_kernel") == std::string::npos) return;
        const std::string name = without_types(readable(mangled)), plain = name.substr(0, name.find('<'));
        if (mangled.find('.') == std::string::npos && plain.ends_with("_kernel") &&
            !plain.starts_with("simt::"))
            names.insert(name);
    });
    return {names.begin(), names.end()};
}

}  // namespace simt
