// SPDX-License-Identifier: MIT
// The layout is not documented by NVIDIA; the numbers here agree with what ptxas -v prints.
#include "tools/gpu_resources/cubin.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string_view>

namespace lily::tools {
namespace {

constexpr int kMachineCuda = 190;
// Attributes in .nv.info: a format, a number, and a value of 2 bytes, or as many bytes as those 2 say.
constexpr uint8_t kValueFollows = 4, kFrameSize = 0x11, kRegisters = 0x2f, kMaxThreads = 0x05,
                  kBarriers = 0x4c;
constexpr size_t kReserved = 1024;  // of shared memory, by the driver, at the front of each block's since 9.0

// Bounds-checked reading at an offset.
class Bytes {
  public:
    explicit Bytes(std::string_view all) : all_(all) {}
    template <class T>
    T at(size_t offset) const {
        T value;
        std::memcpy(&value, part(offset, sizeof(T)).data(), sizeof(T));
        return value;
    }
    std::string_view part(size_t offset, size_t size) const {
        if (offset > all_.size() || size > all_.size() - offset)
            throw std::runtime_error("a cubin ends too early");
        return all_.substr(offset, size);
    }
    std::string text(size_t offset) const {
        const size_t end = all_.find('\0', offset);
        return std::string(part(offset, end - offset));
    }

  private:
    std::string_view all_;
};

struct Section {
    std::string name;
    Elf64_Shdr header;
    std::string_view content;  // empty for those that only take place
};

std::vector<Section> sections_of(const Bytes& bytes, const Elf64_Ehdr& elf) {
    const auto header = [&](size_t i) { return bytes.at<Elf64_Shdr>(elf.e_shoff + i * elf.e_shentsize); };
    const size_t names = header(elf.e_shstrndx).sh_offset;
    std::vector<Section> sections;
    for (size_t i = 0; i < elf.e_shnum; ++i) {
        const Elf64_Shdr h = header(i);
        const bool empty = h.sh_type == SHT_NOBITS || h.sh_type == SHT_NULL;
        sections.push_back({bytes.text(names + h.sh_name), h,
                            empty ? std::string_view() : bytes.part(h.sh_offset, h.sh_size)});
    }
    return sections;
}

// f(attribute, value as bytes) for each entry of a .nv.info section.
template <class F>
void each_attribute(std::string_view content, const F& f) {
    const Bytes bytes(content);
    for (size_t at = 0; at < content.size();) {
        const auto format = bytes.at<uint8_t>(at), attribute = bytes.at<uint8_t>(at + 1);
        const auto value = bytes.at<uint16_t>(at + 2);
        if (format == kValueFollows)
            f(attribute, bytes.part(at + 4, value));
        else
            f(attribute, bytes.part(at + 2, 2));
        at += format == kValueFollows ? 4u + value : 4u;
    }
}

void read_cubin(const Bytes& bytes, const Elf64_Ehdr& elf, std::vector<CompiledKernel>& kernels) {
    const bool newer = elf.e_ident[EI_ABIVERSION] >= 8;
    const int capability = static_cast<int>(newer ? elf.e_flags >> 8 & 0xff : elf.e_flags & 0xff);
    std::map<std::string, CompiledKernel> found;
    std::map<uint32_t, std::string> by_symbol;
    const auto sections = sections_of(bytes, elf);
    const auto is_kernel =
        [&](const std::string& function) {  // only kernels have parameters in constant memory
            return std::any_of(sections.begin(), sections.end(),
                               [&](const Section& s) { return s.name == ".nv.constant0." + function; });
        };
    for (const Section& section : sections) {
        if (!section.name.starts_with(".text.") || !is_kernel(section.name.substr(6))) continue;
        CompiledKernel& kernel = found[section.name.substr(6)];
        kernel.name = section.name.substr(6);
        kernel.capability = capability;
        by_symbol[section.header.sh_info & 0xffffff] = kernel.name;
    }
    for (const Section& section : sections) {
        if (section.name.starts_with(".nv.shared.")) {
            const auto kernel = found.find(section.name.substr(11));
            if (kernel != found.end()) {
                kernel->second.shared = section.header.sh_size - (capability >= 90 ? kReserved : 0);
                kernel->second.dynamic = kernel->second.shared == 0;
            }
        }
        if (section.name == ".nv.info")
            each_attribute(section.content, [&](uint8_t attribute, std::string_view value) {
                if (attribute != kFrameSize && attribute != kRegisters) return;
                const auto symbol = by_symbol.find(Bytes(value).at<uint32_t>(0));
                if (symbol == by_symbol.end()) return;
                const auto number = Bytes(value).at<uint32_t>(4);
                CompiledKernel& kernel = found[symbol->second];
                if (attribute == kRegisters) kernel.registers = static_cast<int>(number);
                if (attribute == kFrameSize) kernel.stack = number;
            });
        if (section.name.starts_with(".nv.info.")) {
            const auto place = found.find(section.name.substr(9));
            if (place == found.end()) continue;
            CompiledKernel& kernel = place->second;
            each_attribute(section.content, [&](uint8_t attribute, std::string_view value) {
                const Bytes number(value);
                if (attribute == kMaxThreads)
                    kernel.threads = static_cast<int>(number.at<uint32_t>(0) * number.at<uint32_t>(4) *
                                                      number.at<uint32_t>(8));
                if (attribute == kBarriers) kernel.barriers = number.at<uint8_t>(0);
            });
        }
    }
    for (auto& [name, kernel] : found) kernels.push_back(kernel);
}

}  // namespace

std::vector<CompiledKernel> kernels_in(const std::string& object) {
    std::ifstream stream(object, std::ios::binary);
    const std::string all{std::istreambuf_iterator<char>(stream), {}};
    if (!stream) throw std::runtime_error("cannot read " + object);
    std::vector<CompiledKernel> kernels;
    // The first ELF header is the object's own.
    for (size_t at = all.find(ELFMAG, 1); at != std::string::npos; at = all.find(ELFMAG, at + 1)) {
        if (all.size() - at < sizeof(Elf64_Ehdr)) break;
        const Bytes bytes(std::string_view(all).substr(at));
        const auto elf = bytes.at<Elf64_Ehdr>(0);
        if (elf.e_ident[EI_CLASS] == ELFCLASS64 && elf.e_machine == kMachineCuda)
            read_cubin(bytes, elf, kernels);
    }
    return kernels;
}

}  // namespace lily::tools
