// SPDX-License-Identifier: MIT
// Makes docs/gpu_resources.md: what each kernel takes of a GPU, and how many of its warps fit at once. Or
// compares the table there with a build.
//   gpu_resources TOOLKIT write|check docs/gpu_resources.md <object>...
#include <cxxabi.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "tools/gpu_resources/cubin.h"
#include "tools/gpu_resources/occupancy.h"

namespace lily::tools {
namespace {

// lily::kernels::cuda::map_kernel<lily::kernels::cuda::Cube, float>(long, …) -> map_kernel<Cube, float>
std::string readable(const std::string& mangled) {
    int status = 0;
    char* text = abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, &status);
    if (status != 0) return mangled;
    std::string name = std::regex_replace(text, std::regex(R"(\(anonymous namespace\)::)"), "");
    std::free(text);
    int depth = 0;
    size_t begin = 0, end = name.size();
    for (size_t i = 0; i < name.size() && end == name.size(); ++i) {
        if (name[i] == '<') ++depth;
        if (name[i] == '>') --depth;
        if (depth == 0 && name[i] == ' ') begin = i + 1;
        if (depth == 0 && name[i] == '(') end = i;
    }
    return std::regex_replace(name.substr(begin, end - begin), std::regex("([A-Za-z_][A-Za-z0-9_]*::)+"), "");
}

std::string cell(const CompiledKernel& k) {
    std::string text =
        fmt::format("{} · {}{} · {} %", k.registers, k.shared, k.dynamic ? "+" : "", occupancy_percent(k));
    if (k.stack > 0) text += fmt::format(" · stack {}", k.stack);
    return text;
}

// rows["gram/gram.cu"]["partial_kernel | 256"][90] = "64 · 8704 · 50 %"
using Cells = std::map<int, std::string>;
using Table = std::map<std::string, std::map<std::string, Cells>>;

struct Build {
    Table table;
    std::set<int> capabilities;
    std::vector<std::string> faults;
};

Build read_build(const std::vector<std::string>& objects) {
    Build build;
    for (const std::string& object : objects) {
        const size_t at = object.rfind("kernels/");
        std::string source = at == std::string::npos ? object : object.substr(at);
        source.resize(source.size() - std::filesystem::path(source).extension().string().size());
        std::map<std::string, int> seen;  // kernels of one name get numbers
        for (const CompiledKernel& kernel : kernels_in(object)) {
            std::string name = readable(kernel.name);
            if (kernel.threads == 0) {
                build.faults.push_back(fmt::format("{}: {} has no __launch_bounds__", source, name));
                continue;
            }
            const int number = ++seen[fmt::format("{} {}", kernel.capability, name)];
            if (number > 1) name += fmt::format(" ({})", number);
            build.capabilities.insert(kernel.capability);
            build.table[source][fmt::format("{} | {}", name, kernel.threads)][kernel.capability] =
                cell(kernel);
        }
    }
    if (build.table.empty()) build.faults.push_back("no object has code that can be read: is it compressed?");
    return build;
}

std::string capability_text(int capability) { return fmt::format("{}.{}", capability / 10, capability % 10); }

const char* const kTop = R"(# What the kernels take

Made from the object files of `cmake --preset cuda` by `cmake --build build/cuda --target update_gpu_resources`
(`tools/gpu_resources.cpp`), and compared with every such build by `ctest`. Per kernel and compute capability: registers of a thread,
bytes of static shared memory of a block ("+": what it has is dynamic and comes on top), and the occupancy: how many of a
multiprocessor's warps are there at once, by `cuda_occupancy.h`. A kernel that keeps something on its stack says how many bytes.
Spilled registers would be there too, but a build with any fails (`ptxas -warn-spills -Werror`).

)";

std::string text_of(const Build& build, const std::string& toolkit) {
    std::string text = kTop;
    size_t kernels = 0;
    for (const auto& [source, rows] : build.table) kernels += rows.size();
    text += fmt::format("nvcc {}; {} kernels.\n", toolkit, kernels);
    for (const auto& [source, rows] : build.table) {
        text += fmt::format("\n## {}\n\n| kernel | threads |", source);
        for (const int c : build.capabilities) text += " " + capability_text(c) + " |";
        text += "\n|---|---|";
        for (size_t i = 0; i < build.capabilities.size(); ++i) text += "---|";
        text += "\n";
        for (const auto& [name, cells] : rows) {
            text += fmt::format("| {} |", name);
            for (const int c : build.capabilities)
                text += fmt::format(" {} |", cells.count(c) ? cells.at(c) : "");
            text += "\n";
        }
    }
    return text;
}

std::vector<std::string> columns_of(const std::string& line) {
    std::vector<std::string> columns;
    std::istringstream stream(line);
    for (std::string column; std::getline(stream, column, '|');) {
        const size_t first = column.find_first_not_of(' '), last = column.find_last_not_of(' ');
        columns.push_back(first == std::string::npos ? "" : column.substr(first, last - first + 1));
    }
    return columns;  // the first is empty: lines begin with |
}

struct Written {
    std::string toolkit;
    Table table;
};

Written read_table(const std::string& path) {
    std::ifstream stream(path);
    if (!stream) throw std::runtime_error("cannot read " + path);
    Written written;
    std::string source;
    std::vector<int> capabilities;
    for (std::string line; std::getline(stream, line);) {
        if (line.starts_with("nvcc ")) written.toolkit = line.substr(5, line.find(';') - 5);
        if (line.starts_with("## ")) source = line.substr(3);
        if (!line.starts_with("| ")) continue;
        const auto columns = columns_of(line);
        if (columns.size() > 1 && columns[1] == "kernel") {
            capabilities.clear();
            for (size_t i = 3; i < columns.size(); ++i)
                capabilities.push_back(static_cast<int>(std::lround(10 * std::stod(columns[i]))));
            continue;
        }
        for (size_t i = 3; i < columns.size(); ++i)
            written.table[source][columns.at(1) + " | " + columns.at(2)][capabilities.at(i - 3)] = columns[i];
    }
    return written;
}

// What differs, for the architectures that the build has. Another compiler's registers are its own affair.
std::vector<std::string> differences(const Build& build, const Written& written, bool same_toolkit) {
    std::vector<std::string> wrong;
    for (const auto& [source, rows] : build.table)
        for (const auto& [name, cells] : rows)
            for (const auto& [capability, text] : cells) {
                const auto& known = written.table;
                const bool there = known.count(source) && known.at(source).count(name);
                const std::string before = there && known.at(source).at(name).count(capability)
                                               ? known.at(source).at(name).at(capability)
                                               : "";
                if (!there || (same_toolkit && !before.empty() && before != text))
                    wrong.push_back(fmt::format("{}: {}, {}: {}, and the table has {}", source, name,
                                                capability_text(capability), text,
                                                there ? before : "no such kernel"));
            }
    for (const auto& [source, rows] : written.table)
        for (const auto& [name, cells] : rows)
            if (!build.table.count(source) || !build.table.at(source).count(name))
                wrong.push_back(fmt::format("{}: {} is in the table and not in the build", source, name));
    return wrong;
}

int run(const std::string& toolkit, const std::string& action, const std::string& path,
        const std::vector<std::string>& objects) {
    const Build build = read_build(objects);
    std::vector<std::string> faults = build.faults;
    size_t kernels = 0;
    for (const auto& [source, rows] : build.table) kernels += rows.size();
    if (action == "write" && faults.empty()) {
        std::ofstream stream(path + ".tmp");
        stream << text_of(build, toolkit) << std::flush;
        if (!stream) throw std::runtime_error("cannot write " + path);
        std::filesystem::rename(path + ".tmp", path);
    } else if (action == "check") {
        const Written written = read_table(path);
        const bool same_toolkit = written.toolkit == toolkit;
        if (!same_toolkit)
            fmt::print("the table is of nvcc {}, this build of {}: only the names are compared\n",
                       written.toolkit, toolkit);
        const auto wrong = differences(build, written, same_toolkit);
        faults.insert(faults.end(), wrong.begin(), wrong.end());
        if (!wrong.empty())
            faults.push_back("renew it: cmake --build build/cuda --target update_gpu_resources");
    }
    for (const std::string& fault : faults) fmt::print("{}\n", fault);
    if (!faults.empty()) return 1;
    fmt::print("{} kernels for {} architectures, no spills: {}\n", kernels, build.capabilities.size(), path);
    return 0;
}

}  // namespace
}  // namespace lily::tools

int main(int argc, char** argv) {
    const std::vector<std::string> words(argv + 1, argv + argc);
    if (words.size() < 4 || (words[1] != "write" && words[1] != "check")) {
        fmt::print(stderr, "usage: gpu_resources TOOLKIT write|check TABLE.md OBJECT...\n");
        return 2;
    }
    try {
        return lily::tools::run(words[0], words[1], words[2], {words.begin() + 3, words.end()});
    } catch (const std::exception& error) {
        fmt::print(stderr, "gpu_resources: {}\n", error.what());
        return 1;
    }
}
