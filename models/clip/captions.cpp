// SPDX-License-Identifier: MIT
#include "models/clip/captions.h"

#include <algorithm>
#include <map>

#include "framework/random.h"

namespace lily::models {

std::string fill_template(const std::string& text, const std::string& name) {
    const size_t at = text.find("{}");
    check(at != std::string::npos, "the template {} has no {{}}, the place of the name", io::in_quotes(text));
    return text.substr(0, at) + name + text.substr(at + 2);
}

Tensor stack_tokens(const std::vector<const std::vector<int64_t>*>& texts) {
    size_t longest = 1;
    for (const auto* text : texts) longest = std::max(longest, text->size());
    std::vector<int64_t> tokens(texts.size() * longest);
    for (size_t i = 0; i < texts.size(); ++i)
        std::copy(texts[i]->begin(), texts[i]->end(),
                  tokens.begin() + static_cast<std::ptrdiff_t>(i * longest));
    return from_vector(tokens, {static_cast<int64_t>(texts.size()), static_cast<int64_t>(longest)});
}

Captions Captions::written(const data::Dataset& set, const ClipTokenizer& tokenizer, int64_t context_length) {
    check(set.captions.size() == static_cast<size_t>(set.count) && set.count > 0,
          "[captions] the pictures have none");
    Captions captions;
    std::map<std::vector<int64_t>, int64_t> known;  // by ids: the tokenizer makes no difference of case
    for (const std::string& text : set.captions) {
        std::vector<int64_t> ids = tokenizer.tokenize(text, LongText::truncate, context_length);
        const auto [entry, is_new] = known.try_emplace(ids, static_cast<int64_t>(captions.tokens_.size()));
        captions.meaning_.push_back(entry->second);
        if (!is_new) continue;
        captions.wordings_.push_back({static_cast<int64_t>(captions.tokens_.size())});
        captions.tokens_.push_back(std::move(ids));
    }
    return captions;
}

Captions Captions::of_classes(const data::Dataset& set, const std::vector<std::string>& names,
                              const std::vector<std::string>& templates, uint64_t seed,
                              const ClipTokenizer& tokenizer, int64_t context_length) {
    check(!set.labels.empty(), "[captions] the pictures have no classes");
    check(static_cast<int64_t>(names.size()) >= set.classes, "expected names of {} classes, got {}",
          set.classes, names.size());
    check(!templates.empty(), "expected at least one template like 'a photo of a {{}}'");
    Captions captions;
    for (const std::string& name : names) {
        captions.wordings_.emplace_back();
        for (const std::string& text : templates) {
            captions.wordings_.back().push_back(static_cast<int64_t>(captions.tokens_.size()));
            captions.tokens_.push_back(
                tokenizer.tokenize(fill_template(text, name), LongText::truncate, context_length));
        }
    }
    for (const uint8_t label : set.labels) captions.meaning_.push_back(label);
    captions.seed_ = seed;
    return captions;
}

Captions::Texts Captions::of(const data::Batch& batch) const {
    Texts texts;
    std::vector<const std::vector<int64_t>*> chosen;
    for (size_t i = 0; i < batch.indices.size(); ++i) {
        const int64_t meaning = meaning_[static_cast<size_t>(batch.indices[i])];
        const std::vector<int64_t>& wordings = wordings_[static_cast<size_t>(meaning)];
        size_t wording = 0;
        if (wordings.size() > 1) {  // what place p of the sequence is told does not depend on the batches
            const auto place = static_cast<uint64_t>(batch.position) + i;
            Generator random(seed_, Stream::augmentation, static_cast<uint32_t>(place));
            wording = random.next() % wordings.size();
        }
        chosen.push_back(&tokens_[static_cast<size_t>(wordings[wording])]);
        texts.meaning.push_back(meaning);
    }
    texts.tokens = stack_tokens(chosen);
    return texts;
}

Captions::Texts Captions::distinct() const {
    Texts texts;
    std::vector<const std::vector<int64_t>*> chosen;
    for (const std::vector<int64_t>& wordings : wordings_)
        chosen.push_back(&tokens_[static_cast<size_t>(wordings[0])]);
    texts.tokens = stack_tokens(chosen);
    texts.meaning = meaning_;
    return texts;
}

}  // namespace lily::models
