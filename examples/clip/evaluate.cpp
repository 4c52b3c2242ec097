// SPDX-License-Identifier: MIT
// clip evaluate
#include <nlohmann/json.hpp>

#include "examples/clip/commands.h"
#include "examples/clip/data.h"
#include "examples/common/saved_files.h"
#include "framework/io/file.h"
#include "models/clip/evaluation.h"

namespace lily::clip {
namespace {

using namespace lily::models;

struct Texts {
    Tensor tokens;
    std::vector<int64_t> meaning;  // of each picture
};

// The lines of the file; every caption has to be one of them.
Texts texts_of_file(const std::string& path, const data::Dataset& set, const ClipTokenizer& tokenizer,
                    int64_t length) {
    std::vector<std::vector<int64_t>> lines;
    for (const std::string& line : read_lines(path))
        lines.push_back(tokenizer.tokenize(line, LongText::truncate, length));
    Texts texts;
    for (const std::string& caption : set.captions) {
        const auto found =
            std::find(lines.begin(), lines.end(), tokenizer.tokenize(caption, LongText::truncate, length));
        check(found != lines.end(), "{} lacks the caption {}", io::in_quotes(path), io::in_quotes(caption));
        texts.meaning.push_back(found - lines.begin());
    }
    std::vector<const std::vector<int64_t>*> all;
    for (const auto& line : lines) all.push_back(&line);
    texts.tokens = stack_tokens(all);
    return texts;
}

}  // namespace

int run(const EvaluateSettings& s) {
    const std::unique_ptr<Clip> model = load_clip(s.model);
    const ClipTokenizer tokenizer = ClipTokenizer::load(s.vocabulary);
    const data::Dataset set = load_set(s, s.data, model->config.image_size, data::Split::test);
    model->to(s.choose());
    const Tensor pictures = embed_pictures(*model, set);
    nlohmann::ordered_json json;
    json["pictures"] = set.count;
    if (!set.labels.empty()) {
        check(!s.class_names.empty(), "{} has classes: name them by --class-names A,B,…",
              io::in_quotes(s.data));
        const std::vector<std::string> templates = templates_or(s.templates, data::Split::test);
        const double share = zero_shot_accuracy(
            pictures, class_features(*model, tokenizer, s.class_names, templates), set.labels);
        fmt::print("zero-shot accuracy  {:.2f} % of {} pictures, {} classes, {} templates\n", 100 * share,
                   set.count, s.class_names.size(), templates.size());
        json["zero_shot"] = share;
    } else {
        Texts texts;
        if (s.texts.empty()) {
            Captions::Texts own = Captions::written(set, tokenizer, model->config.context_length).distinct();
            texts = {own.tokens, own.meaning};
        } else {
            texts = texts_of_file(s.texts, set, tokenizer, model->config.context_length);
        }
        const Recall r = recall(pictures, embed_texts(*model, texts.tokens), texts.meaning);
        fmt::print("{} pictures, {} texts     at 1    at 5   at 10\n", r.pictures, r.texts);
        const auto line = [&](const char* what, const char* key, const std::array<double, 3>& v) {
            fmt::print("{:26}{:6.1f} {:7.1f} {:7.1f} %\n", what, 100 * v[0], 100 * v[1], 100 * v[2]);
            json[key] = v;
        };
        line("a picture's text found", "text_of_picture", r.text_of_picture);
        line("  by chance", "chance_text", r.chance_text);
        if (s.texts.empty()) {
            line("a text's picture found", "picture_of_text", r.picture_of_text);
            line("  by chance", "chance_picture", r.chance_picture);
        }
    }
    io::finish_stdout();
    if (!s.json.empty()) io::write_file_atomically(s.json, json.dump(2) + "\n");
    return 0;
}

}  // namespace lily::clip
