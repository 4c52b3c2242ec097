// SPDX-License-Identifier: MIT
#include "framework/io/checkpoint.h"

#include <charconv>
#include <vector>

#include "framework/error.h"
#include "framework/io/file.h"

namespace lily::io {
namespace {

constexpr const char* kFormatKey = "format";
constexpr const char* kFormat = "lilypad checkpoint";
constexpr const char* kVersionKey = "version";
constexpr const char* kVersion = "1";
constexpr const char* kProgram = "program";
const std::string kSetting = "setting.";

}  // namespace

void Checkpoint::put(const std::string& part, const StateDict& state) {
    check(!part.empty() && part.find('.') == std::string::npos,
          "[checkpoint] the name of a part must not be empty or contain a dot, got '{}'", part);
    for (const auto& [name, tensor] : state) tensors.insert_or_assign(part + "." + name, tensor);
}

StateDict Checkpoint::part(const std::string& name) const {
    StateDict state = part_or_empty(name);
    check(!state.empty(), "[checkpoint] it has no part '{}'", name);
    return state;
}

StateDict Checkpoint::part_or_empty(const std::string& name) const {
    const std::string prefix = name + ".";
    StateDict state;
    for (auto entry = tensors.lower_bound(prefix); entry != tensors.end() && entry->first.starts_with(prefix);
         ++entry)
        state.emplace(entry->first.substr(prefix.size()), entry->second);
    return state;
}

void Checkpoint::require_shape(const std::string& name, const Shape& shape) const {
    const auto found = tensors.find(name);
    check(found != tensors.end(), "[checkpoint] it has no tensor {}", in_quotes(name));
    check(found->second.shape() == shape, "[checkpoint] {} is {}, but it is described as {}", in_quotes(name),
          found->second.shape(), shape);
}

void Checkpoint::put_integer(const std::string& key, uint64_t value) {
    metadata.insert_or_assign(key, std::to_string(value));
}

const std::string& Checkpoint::text(const std::string& key) const {
    const auto found = metadata.find(key);
    check(found != metadata.end(), "[checkpoint] it has no '{}'", key);
    return found->second;
}

uint64_t Checkpoint::integer(const std::string& key) const {
    const std::string& digits = text(key);
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    check(error == std::errc() && end == digits.data() + digits.size(),
          "[checkpoint] '{}' is {}, expected a whole number", key, in_quotes(digits));
    return value;
}

int64_t Checkpoint::size(const std::string& key, int64_t most) const {
    const uint64_t value = integer(key);
    check(value <= static_cast<uint64_t>(most), "[checkpoint] '{}' is {}, expected at most {}", key, value,
          most);
    return static_cast<int64_t>(value);
}

double Checkpoint::number(const std::string& key) const {
    const std::string& digits = text(key);
    double value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    check(error == std::errc() && end == digits.data() + digits.size(),
          "[checkpoint] '{}' is {}, expected a number", key, in_quotes(digits));
    return value;
}

void Checkpoint::put_settings(const std::string& program, const Settings& settings) {
    metadata[kProgram] = program;
    for (const auto& [name, value] : settings) metadata[kSetting + name] = value;
}

std::string Checkpoint::difference(const std::string& name, const std::string& now, const std::string& then) {
    return now == then ? "" : fmt::format("{} {} (was {})", name, now, then);
}

void Checkpoint::require_program(const std::string& program, const std::string& path) const {
    const auto by = metadata.find(kProgram);
    check(by != metadata.end() && by->second == program, "{} is a checkpoint of another program",
          in_quotes(path));
}

void Checkpoint::require_settings(const Settings& settings, const std::string& path,
                                  const Difference& difference) const {
    std::vector<std::string> others;
    const auto compare = [&](const std::string& name, const std::string& now, const std::string& then) {
        if (const std::string text = difference(name, now, then); !text.empty()) others.push_back(text);
    };
    for (const auto& [name, now] : settings) {
        const auto saved = metadata.find(kSetting + name);
        compare(name, now, saved == metadata.end() ? kNotSet : saved->second);
    }
    for (auto saved = metadata.lower_bound(kSetting);
         saved != metadata.end() && saved->first.starts_with(kSetting); ++saved)
        if (const std::string name = saved->first.substr(kSetting.size()); !settings.contains(name))
            compare(name, kNotSet, saved->second);
    check(others.empty(), "{} was made with other settings: {}", in_quotes(path), fmt::join(others, ", "));
}

void save_checkpoint(const std::string& path, const Checkpoint& checkpoint) {
    std::map<std::string, std::string> metadata = checkpoint.metadata;
    for (const char* key : {kFormatKey, kVersionKey})
        check(!metadata.contains(key), "[save_checkpoint] the metadata key '{}' is reserved", key);
    metadata.emplace(kFormatKey, kFormat);
    metadata.emplace(kVersionKey, kVersion);
    save_tensors(path, checkpoint.tensors, metadata);
}

Checkpoint load_checkpoint(const std::string& path) {
    LoadedTensors file = load_tensors(path);
    const auto take = [&](const char* key) {
        const auto entry = file.metadata.extract(key);
        return entry ? entry.mapped() : std::string();
    };
    check(take(kFormatKey) == kFormat,
          "{} is not a checkpoint of lilypad, though it is a safetensors file: was it saved as weights?",
          in_quotes(path));
    const std::string version = take(kVersionKey);
    check(version == kVersion, "{} is a checkpoint of version {}, this program reads version {}",
          in_quotes(path), in_quotes(version), kVersion);
    return {.tensors = std::move(file.tensors), .metadata = std::move(file.metadata)};
}

}  // namespace lily::io
