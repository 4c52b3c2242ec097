// SPDX-License-Identifier: MIT
#include "framework/io/safetensors_header.h"

#include <nlohmann/json.hpp>
#include <unordered_set>

#include "framework/error.h"
#include "framework/io/file.h"

namespace lily::io {
namespace {

using Json = nlohmann::json;

// Where in {"NAME": {"dtype": "..", "shape": [..], "data_offsets": [..]}} the parser stands.
enum class Place { kStart, kRoot, kTensor, kArray, kMetadata, kEnd };

class HeaderParser final : public nlohmann::json_sax<Json> {
  public:
    explicit HeaderParser(const std::string& file) : file_(file) {}

    SafetensorsHeader header;

    bool start_object(size_t) override {
        if (place_ == Place::kStart) {
            place_ = Place::kRoot;
        } else if (place_ == Place::kRoot) {
            if (key_ == "__metadata__") {
                place_ = Place::kMetadata;
            } else {
                place_ = Place::kTensor;
                header.records.push_back({.name = key_, .dtype = {}, .shape = {}, .offsets = {}});
                has_dtype_ = has_shape_ = has_offsets_ = false;
            }
        } else {
            unexpected("an object");
        }
        return true;
    }

    bool end_object() override {
        if (place_ == Place::kTensor) {
            if (!has_dtype_ || !has_shape_ || !has_offsets_)
                broken("tensor {} lacks its dtype, shape or data_offsets", in_quotes(record().name));
            if (record().offsets.size() != 2)
                broken("tensor {} has {} data_offsets, not 2", in_quotes(record().name),
                       record().offsets.size());
        }
        place_ = place_ == Place::kRoot ? Place::kEnd : Place::kRoot;
        return true;
    }

    bool key(std::string& name) override {
        key_ = std::move(name);
        if (place_ == Place::kTensor) {
            bool* seen = key_ == "dtype"          ? &has_dtype_
                         : key_ == "shape"        ? &has_shape_
                         : key_ == "data_offsets" ? &has_offsets_
                                                  : nullptr;
            if (seen == nullptr)
                broken("tensor {} has the unknown key {}", in_quotes(record().name), in_quotes(key_));
            if (std::exchange(*seen, true))
                broken("tensor {} has {} twice", in_quotes(record().name), in_quotes(key_));
        } else if (!(place_ == Place::kRoot ? names_ : metadata_names_).insert(key_).second) {
            broken("{} is there twice", in_quotes(key_));
        }
        return true;
    }

    bool start_array(size_t) override {
        if (place_ != Place::kTensor || key_ == "dtype") unexpected("an array");
        place_ = Place::kArray;
        return true;
    }
    bool end_array() override {
        place_ = Place::kTensor;
        return true;
    }

    bool number_unsigned(uint64_t value) override {
        if (place_ != Place::kArray) unexpected("a number");
        std::vector<uint64_t>& list = key_ == "shape" ? record().shape : record().offsets;
        constexpr size_t kMaxRank = 64;
        if (list.size() == kMaxRank) broken("tensor {} has too many dimensions", in_quotes(record().name));
        list.push_back(value);
        return true;
    }

    bool string(std::string& value) override {
        if (place_ == Place::kMetadata)
            header.metadata.emplace(key_, std::move(value));
        else if (place_ == Place::kTensor && key_ == "dtype")
            record().dtype = std::move(value);
        else
            unexpected("a string");
        return true;
    }

    bool null() override {
        if (place_ != Place::kRoot || key_ != "__metadata__") unexpected("null");
        return true;  // the same as none
    }
    bool boolean(bool) override { unexpected("a boolean"); }
    bool number_integer(int64_t) override { unexpected("a negative number"); }
    bool number_float(double, const std::string&) override { unexpected("a number that is not a whole one"); }
    bool binary(Json::binary_t&) override { unexpected("binary data"); }
    bool parse_error(size_t position, const std::string&, const Json::exception&) override {
        broken("not valid JSON at byte {}", position);
    }

  private:
    template <class... Args>
    [[noreturn]] void broken(fmt::format_string<Args...> what, Args&&... args) const {
        fail("{} has a bad safetensors header: {}", in_quotes(file_),
             fmt::format(what, std::forward<Args>(args)...));
    }
    [[noreturn]] void unexpected(const char* what) const {
        if (place_ == Place::kStart) broken("it is not a JSON object");
        const bool in_tensor = place_ == Place::kTensor || place_ == Place::kArray;
        broken("{}: {} does not belong there", in_quotes(in_tensor ? header.records.back().name : key_),
               what);
    }
    SafetensorsRecord& record() { return header.records.back(); }

    const std::string& file_;
    Place place_ = Place::kStart;
    std::string key_;  // the last one read
    std::unordered_set<std::string> names_, metadata_names_;
    bool has_dtype_ = false, has_shape_ = false, has_offsets_ = false;  // of the tensor being read
};

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view json, const std::string& file) {
    const size_t nul = json.find('\0');  // to the parser the end, wherever it stands
    check(nul == std::string_view::npos, "{} has a bad safetensors header: not valid JSON at byte {}",
          in_quotes(file), nul + 1);
    HeaderParser parser(file);
    Json::sax_parse(json.begin(), json.end(), &parser);
    return std::move(parser.header);
}

}  // namespace lily::io
