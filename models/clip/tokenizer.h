// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "framework/io/file.h"

namespace lily::models {

enum class LongText { refuse, truncate };

// CLIP's byte pair encoding (Sennrich et al. 2016; Radford et al. 2021): a word is its bytes of UTF-8, the
// last of them marked as the end of a word, and then the pair of neighbours that stands first in the
// vocabulary's list becomes one symbol, until none is in the list. Ids are those of OpenAI's tokenizer
// without ftfy. All members are const: threads may share one.
class ClipTokenizer {
  public:
    static constexpr int64_t kContextLength = 77;

    // bpe_simple_vocab_16e6.txt.gz (tools/convert_clip.py fetches it), packed or not: a line to skip, then a
    // pair of symbols per line, of which the first 48,894 count. Throws if a line is no pair, a symbol is
    // unknown so far, or made twice.
    static ClipTokenizer load(const std::string& path);
    static ClipTokenizer parse(io::Bytes bytes, const std::string& name);  // `name` is for messages

    int64_t size() const { return end() + 1; }  // of the vocabulary: 49,408
    int64_t start() const { return static_cast<int64_t>(pieces_.size()); }
    int64_t end() const { return start() + 1; }  // the largest id, of the end of a text

    // The text's ids alone.
    std::vector<int64_t> encode(std::string_view text) const;
    // The same between start() and end(); at most `context_length` of them. A longer text is an error, or
    // keeps its first ids and end().
    std::vector<int64_t> tokenize(std::string_view text, LongText too_long = LongText::refuse,
                                  int64_t context_length = kContextLength) const;
    // The text of ids, cleaned and with a space behind each word; what is cut inside of a character is no
    // UTF-8.
    std::string decode(std::span<const int64_t> ids) const;

  private:
    struct Pair {
        int32_t left = 0, right = 0;
    };
    struct Merger;
    void read_merges(std::string_view text, const std::string& name);
    void append_word(std::string_view word, std::vector<int64_t>& ids) const;

    std::vector<std::string> pieces_;              // of ids below start(); "dog " ends a word
    std::vector<Pair> pairs_;                      // in the list's order: pair i makes the symbol 512 + i
    std::unordered_map<uint64_t, int32_t> ranks_;  // of pairs, their places in the list
};

}  // namespace lily::models
