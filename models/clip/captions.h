// SPDX-License-Identifier: MIT
// The texts that go with pictures: sentences that people wrote, or the names of classes in templates.
#pragma once

#include <string>
#include <vector>

#include "framework/data/dataset.h"
#include "framework/data/loader.h"
#include "models/clip/tokenizer.h"

namespace lily::models {

// "a photo of a {}" with {} replaced by `name`. Throws if there is no {}.
std::string fill_template(const std::string& text, const std::string& name);

// tokens of texts as one tensor (N,T) i64: T is the longest one's length, what is left over is 0.
Tensor stack_tokens(const std::vector<const std::vector<int64_t>*>& texts);

class Captions {
  public:
    // Of a set with captions, one per picture. Longer texts are cut to context_length.
    static Captions written(const data::Dataset& set, const ClipTokenizer& tokenizer, int64_t context_length);
    // Of a set with labels: a template drawn anew for each sample of the sequence, by its place.
    static Captions of_classes(const data::Dataset& set, const std::vector<std::string>& names,
                               const std::vector<std::string>& templates, uint64_t seed,
                               const ClipTokenizer& tokenizer, int64_t context_length);

    struct Texts {
        Tensor tokens;                 // (N,T)
        std::vector<int64_t> meaning;  // (N): equal for captions that are equal, or of one class
    };
    Texts of(const data::Batch& batch) const;
    // Every distinct meaning once, in its first wording, and the meaning of each picture.
    Texts distinct() const;
    const std::vector<int64_t>& meanings() const { return meaning_; }

  private:
    std::vector<std::vector<int64_t>> tokens_;    // of all wordings
    std::vector<int64_t> meaning_;                // (count) of pictures: row of wordings_
    std::vector<std::vector<int64_t>> wordings_;  // by meaning: rows of tokens_
    uint64_t seed_ = 0;
};

}  // namespace lily::models
