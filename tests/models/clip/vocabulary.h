// SPDX-License-Identifier: MIT
// CLIP's vocabulary, where somebody has fetched it.
#pragma once

#include <filesystem>
#include <string>

#include "models/clip/tokenizer.h"

namespace lily::testing {

inline const std::string kVocabulary = LILY_SOURCE_DIR "/weights/bpe_simple_vocab_16e6.txt.gz";
inline bool have_vocabulary() { return std::filesystem::exists(kVocabulary); }
inline const char* const kNoVocabulary =
    "weights/bpe_simple_vocab_16e6.txt.gz is not there: run tools/convert_clip.py";

inline const models::ClipTokenizer& clip_tokenizer() {
    static const models::ClipTokenizer tokenizer = models::ClipTokenizer::load(kVocabulary);
    return tokenizer;
}

}  // namespace lily::testing
