// SPDX-License-Identifier: MIT
#include "models/clip/tokenizer.h"

#include <unicode/utf8.h>

#include <array>
#include <queue>

#include "framework/error.h"
#include "framework/io/gzip.h"
#include "models/clip/clean_text.h"

namespace lily::models {
namespace {

constexpr size_t kMostMerges = 49'152 - 256 - 2;  // of the list's 262,144
constexpr size_t kMostUnpacked = size_t{1} << 24;
constexpr std::string_view kStart = "<|startoftext|>", kEnd = "<|endoftext|>", kEndOfWord = "</w>";
constexpr int32_t kBytes = 256;
constexpr int32_t kNone = -1;

// Bytes that the list writes as the character of that number: they come first among the ids. The others are
// written as characters from 256 on.
constexpr bool is_written_plainly(int byte) {
    return (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xff && byte != 0xad);
}

// The byte of each id below 256.
constexpr std::array<uint8_t, kBytes> bytes_of_ids() {
    std::array<uint8_t, kBytes> bytes{};
    size_t id = 0;
    for (const bool plainly : {true, false})
        for (int byte = 0; byte < kBytes; ++byte)
            if (is_written_plainly(byte) == plainly) bytes[id++] = static_cast<uint8_t>(byte);
    return bytes;
}

constexpr std::array<uint8_t, kBytes> kByteOfId = bytes_of_ids();

constexpr std::array<int32_t, kBytes> ids_of_bytes() {
    std::array<int32_t, kBytes> ids{};
    for (int32_t id = 0; id < kBytes; ++id) ids[kByteOfId[static_cast<size_t>(id)]] = id;
    return ids;
}

constexpr std::array<int32_t, kBytes> kIdOfByte = ids_of_bytes();

// As the list writes the byte of an id: UTF-8.
std::string written(size_t id) {
    constexpr size_t kPlain = 188;
    const uint32_t code = id < kPlain ? kByteOfId[id] : static_cast<uint32_t>(kBytes + id - kPlain);
    uint8_t bytes[U8_MAX_LENGTH];
    int32_t size = 0;
    U8_APPEND_UNSAFE(bytes, size, code);
    return {reinterpret_cast<const char*>(bytes), static_cast<size_t>(size)};
}

constexpr uint64_t key_of(int32_t left, int32_t right) {
    return static_cast<uint64_t>(left) << 32 | static_cast<uint32_t>(right);
}

}  // namespace

ClipTokenizer ClipTokenizer::load(const std::string& path) { return parse(io::read_file(path), path); }

ClipTokenizer ClipTokenizer::parse(io::Bytes bytes, const std::string& name) {
    std::vector<std::byte> unpacked;
    if (io::is_gzip(bytes)) {
        unpacked = io::unpack_gzip(bytes, name, kMostUnpacked);
        bytes = unpacked;
    }
    ClipTokenizer tokenizer;
    tokenizer.read_merges({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, name);
    return tokenizer;
}

void ClipTokenizer::read_merges(std::string_view text, const std::string& name) {
    std::unordered_map<std::string_view, int32_t> ids;  // of symbols as they are written
    ids.reserve(kMostMerges + 2 * kBytes);
    std::string symbols;  // what the keys are views of: all symbols, never moved
    symbols.reserve(text.size() + size_t{16} * kBytes);
    const auto keep = [&](std::initializer_list<std::string_view> parts) {
        const size_t begin = symbols.size();
        for (const std::string_view part : parts) symbols += part;
        return std::string_view(symbols).substr(begin);
    };
    for (const std::string_view ending : {std::string_view(), kEndOfWord})
        for (size_t id = 0; id < kBytes; ++id) {
            ids.emplace(keep({written(id), ending}), static_cast<int32_t>(pieces_.size()));
            pieces_.push_back(static_cast<char>(kByteOfId[id]) + std::string(ending.empty() ? "" : " "));
        }
    ranks_.reserve(kMostMerges);
    const auto take_line = [&] {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        return line;
    };
    take_line();
    while (!text.empty() && pairs_.size() < kMostMerges) {
        const std::string_view line = take_line();
        const size_t space = std::min(line.find(' '), line.size());
        const std::string_view left = line.substr(0, space);
        const std::string_view right = line.substr(std::min(space + 1, line.size()));
        const auto refuse = [&](const char* why) {
            fail("{}, line {}: {}, got {}", io::in_quotes(name), pairs_.size() + 2, why,
                 io::in_quotes(line.substr(0, 80)));
        };
        const auto id_of = [&](std::string_view symbol) {
            const auto found = ids.find(symbol);
            if (found == ids.end()) refuse("expected two symbols, each a byte or made by a line before");
            return found->second;
        };
        const Pair pair{id_of(left), id_of(right)};
        const auto rank = static_cast<int32_t>(pairs_.size());
        const bool is_new = ids.emplace(keep({left, right}), rank + 2 * kBytes).second;
        if (!is_new) refuse("expected a pair whose symbol no line before has made");
        pieces_.push_back(pieces_[static_cast<size_t>(pair.left)] + pieces_[static_cast<size_t>(pair.right)]);
        ranks_.emplace(key_of(pair.left, pair.right), rank);
        pairs_.push_back(pair);
    }
    check(!pairs_.empty(), "{} is no list of byte pairs: expected a line to skip and pairs behind it",
          io::in_quotes(name));
}

// The symbols of one word, each linked to its neighbours, and the pairs that can be joined, the first of the
// list and the leftmost first. Every symbol comes from an earlier line than the pairs that use it, so joining
// one pair never makes another that comes before it: this is the order of joining all equal pairs at once.
struct ClipTokenizer::Merger {
    struct Symbol {
        int32_t id, before, after;
    };
    struct Candidate {
        int32_t rank, left;
        bool operator>(const Candidate& other) const {
            return rank != other.rank ? rank > other.rank : left > other.left;
        }
    };

    explicit Merger(const ClipTokenizer& tokenizer, std::string_view word) : tokenizer_(tokenizer) {
        for (const char c : word) {
            const auto at = static_cast<int32_t>(symbols_.size());
            symbols_.push_back({kIdOfByte[static_cast<uint8_t>(c)], at - 1, at + 1});
        }
        symbols_.back().id += kBytes;
        symbols_.back().after = kNone;
        for (int32_t left = 0; left + 1 < static_cast<int32_t>(symbols_.size()); ++left) consider(left);
    }

    void run() {
        while (!candidates_.empty()) {
            const Candidate best = candidates_.top();
            candidates_.pop();
            const Pair& pair = tokenizer_.pairs_[static_cast<size_t>(best.rank)];
            Symbol& left = at(best.left);
            if (left.id != pair.left || left.after == kNone || at(left.after).id != pair.right) continue;
            at(left.after).id = kNone;
            left.id = best.rank + 2 * kBytes;
            left.after = at(left.after).after;
            if (left.after != kNone) at(left.after).before = best.left;
            consider(best.left);
            if (left.before != kNone) consider(left.before);
        }
    }

    void append_to(std::vector<int64_t>& ids) const {
        for (const Symbol& symbol : symbols_)
            if (symbol.id != kNone) ids.push_back(symbol.id);
    }

  private:
    Symbol& at(int32_t place) { return symbols_[static_cast<size_t>(place)]; }
    void consider(int32_t left) {
        if (at(left).after == kNone) return;
        const auto found = tokenizer_.ranks_.find(key_of(at(left).id, at(at(left).after).id));
        if (found != tokenizer_.ranks_.end()) candidates_.push({found->second, left});
    }

    const ClipTokenizer& tokenizer_;
    std::vector<Symbol> symbols_;
    std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> candidates_;
};

void ClipTokenizer::append_word(std::string_view word, std::vector<int64_t>& ids) const {
    Merger merger(*this, word);
    merger.run();
    merger.append_to(ids);
}

std::vector<int64_t> ClipTokenizer::encode(std::string_view text) const {
    const std::string clean = clean_text(text);
    std::vector<int64_t> ids;
    for (const std::string_view word : split_words(clean)) {
        if (word == kStart)
            ids.push_back(start());
        else if (word == kEnd)
            ids.push_back(end());
        else
            append_word(word, ids);
    }
    return ids;
}

std::vector<int64_t> ClipTokenizer::tokenize(std::string_view text, LongText too_long,
                                             int64_t context_length) const {
    check(context_length >= 2, "[clip] expected a context of at least 2 tokens, got {}", context_length);
    std::vector<int64_t> ids = encode(text);
    const auto most = static_cast<size_t>(context_length - 2);
    check(ids.size() <= most || too_long == LongText::truncate,
          "[clip] the text has {} tokens, at most {} fit beside its start and end: {}", ids.size(), most,
          io::in_quotes(std::string(text.substr(0, 60)) + (text.size() > 60 ? "…" : "")));
    if (ids.size() > most) ids.resize(most);
    ids.insert(ids.begin(), start());
    ids.push_back(end());
    return ids;
}

std::string ClipTokenizer::decode(std::span<const int64_t> ids) const {
    std::string text;
    for (const int64_t id : ids) {
        check(id >= 0 && id < size(), "[clip] expected ids below {}, got {}", size(), id);
        text += id == start() ? kStart
                : id == end() ? kEnd
                              : std::string_view(pieces_[static_cast<size_t>(id)]);
    }
    return text;
}

}  // namespace lily::models
