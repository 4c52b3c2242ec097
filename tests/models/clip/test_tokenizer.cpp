// SPDX-License-Identifier: MIT
// The reference's ids are in tests/golden/clip_tokens.json (make_clip_tokens.py).
#include "models/clip/tokenizer.h"

#include <fstream>
#include <nlohmann/json.hpp>

#include "framework/error.h"
#include "framework/io/gzip.h"
#include "models/clip/clean_text.h"
#include "tests/catch.h"
#include "tests/models/clip/vocabulary.h"

namespace lily::testing {
namespace {

using Catch::Matchers::ContainsSubstring;
using models::ClipTokenizer;
using models::LongText;
using Ids = std::vector<int64_t>;

const nlohmann::json& golden() {
    static const auto json =
        nlohmann::json::parse(std::ifstream(LILY_SOURCE_DIR "/tests/golden/clip_tokens.json"));
    return json;
}

ClipTokenizer small(const std::string& lines) {
    return ClipTokenizer::parse(std::as_bytes(std::span(lines)), "small");
}

// Every entry of the vocabulary that ends a word, as the list writes it, and its id.
std::vector<std::pair<std::string, int64_t>> words() {
    const auto bytes = io::unpack_gzip(io::read_file(kVocabulary), kVocabulary, size_t{1} << 24);
    std::string_view rest(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    std::vector<std::pair<std::string, int64_t>> found;
    for (int64_t id = 256; id < 512; ++id) {  // the 188 that are written plainly, then characters from 256 on
        const int64_t i = id - 256;
        const auto code = static_cast<unsigned>(i < 94    ? i + '!'
                                                : i < 106 ? i - 94 + 0xa1
                                                : i < 188 ? i - 106 + 0xae
                                                          : i - 188 + 256);
        std::string text;
        if (code >= 0x80) text += static_cast<char>(0xc0 | code >> 6);
        text += static_cast<char>(code < 0x80 ? code : 0x80 | (code & 0x3f));
        found.emplace_back(text, id);
    }
    rest.remove_prefix(rest.find('\n') + 1);
    for (int64_t id = 512; id < 49406; ++id) {
        std::string line(rest.substr(0, rest.find('\n')));
        rest.remove_prefix(line.size() + 1);
        if (!line.ends_with("</w>")) continue;
        line.resize(line.size() - 4);
        found.emplace_back(line.erase(line.find(' '), 1), id);
    }
    return found;
}

}  // namespace

TEST_CASE("CLIP's tokenizer: the published examples", "[clip]") {
    if (!have_vocabulary()) SKIP(kNoVocabulary);
    const ClipTokenizer& t = clip_tokenizer();
    CHECK(t.size() == 49408);
    CHECK(t.start() == 49406);
    CHECK(t.end() == 49407);
    CHECK(t.tokenize("a diagram") == Ids{49406, 320, 22697, 49407});
    CHECK(t.tokenize("a dog") == Ids{49406, 320, 1929, 49407});
    CHECK(t.tokenize("a cat") == Ids{49406, 320, 2368, 49407});
    CHECK(t.tokenize("a photo of a fox") == Ids{49406, 320, 1125, 539, 320, 3240, 49407});
    CHECK(t.encode("a photo of a sweet pepper.") == Ids{320, 1125, 539, 320, 2418, 8253, 269});
    CHECK(t.encode("Hello, World! It's 2024") == Ids{3306, 267, 1002, 256, 585, 568, 273, 271, 273, 275});
    CHECK(t.encode("dadasdfsaf") == Ids{4346, 36857, 25760});
}

TEST_CASE("CLIP's tokenizer: the reference's ids of every golden text", "[clip]") {
    if (!have_vocabulary()) SKIP(kNoVocabulary);
    REQUIRE(golden().at("texts").size() >= 200);
    for (const auto& item : golden().at("texts")) {
        INFO(item.at("text").dump());
        CHECK(clip_tokenizer().encode(item.at("text").get<std::string>()) == item.at("ids").get<Ids>());
    }
}

TEST_CASE("CLIP's tokenizer: the reference's ids of every word of the vocabulary", "[clip]") {
    if (!have_vocabulary()) SKIP(kNoVocabulary);
    const auto& others = golden().at("words_of_other_ids");
    const auto all = words();
    CHECK(all.size() == golden().at("words").get<size_t>());
    CHECK(all.size() == 34483);
    int64_t wrong = 0;
    for (const auto& [word, id] : all) {
        const auto other = others.find(std::to_string(id));
        wrong += clip_tokenizer().encode(word) != (other == others.end() ? Ids{id} : other->get<Ids>());
    }
    CHECK(wrong == 0);
}

TEST_CASE("CLIP's tokenizer: ids spell the text again", "[clip]") {
    if (!have_vocabulary()) SKIP(kNoVocabulary);
    CHECK(clip_tokenizer().decode(clip_tokenizer().tokenize("A  Caf\u00e9's &amp; 12")) ==
          "<|startoftext|>a caf\u00e9 's & 1 2 <|endoftext|>");
    CHECK_THROWS_WITH(clip_tokenizer().decode(Ids{49408}), "[clip] expected ids below 49408, got 49408");
    CHECK_THROWS_WITH(clip_tokenizer().decode(Ids{-1}), "[clip] expected ids below 49408, got -1");
}

TEST_CASE("CLIP's tokenizer: a text that is too long is an error or keeps its end", "[clip]") {
    const ClipTokenizer t = small("version\nd o\ndo g</w>\n");
    CHECK(t.size() == 512 + 2 + 2);
    const Ids dog = {513};
    CHECK(t.encode("DOG") == dog);
    std::string text;
    for (int i = 0; i < 75; ++i) text += "dog ";
    CHECK(t.tokenize(text).size() == 77);
    text += "dog";
    CHECK_THROWS_WITH(
        t.tokenize(text),
        ContainsSubstring("[clip] the text has 76 tokens, at most 75 fit beside its start and end: 'dog"));
    const Ids cut = t.tokenize(text, LongText::truncate);
    CHECK(cut.size() == 77);
    CHECK(cut.front() == t.start());
    CHECK(cut[75] == 513);
    CHECK(cut.back() == t.end());
    CHECK(t.tokenize("dog dog dog", LongText::truncate, 4) == Ids{514, 513, 513, 515});
    CHECK(t.tokenize("", LongText::refuse, 2) == Ids{514, 515});
    CHECK_THROWS_WITH(t.tokenize("dog", LongText::truncate, 1),
                      ContainsSubstring("at least 2 tokens, got 1"));
}

TEST_CASE("CLIP's tokenizer: equal pairs are joined from the left, the first of the list before others",
          "[clip]") {
    const ClipTokenizer t = small("version\na a\naa aa\nb c\na b\naa a</w>\n");
    const auto spelt = [&](const std::string& text) {
        std::string pieces;
        for (const int64_t id : t.encode(text)) pieces += "|" + t.decode(Ids{id});
        return pieces;
    };
    CHECK(spelt("aaaaaaaax") == "|aaaa|aaaa|x ");
    CHECK(spelt("aaaaaaax") == "|aaaa|aa|a|x ");
    CHECK(spelt("aaa") == "|aaa ");
    CHECK(spelt("abcx") == "|a|bc|x ");
}

TEST_CASE("CLIP's tokenizer refuses texts that are not UTF-8, and lists that are none", "[clip]") {
    const ClipTokenizer t = small("version\na b\n");
    CHECK_THROWS_WITH(t.encode("caf\xe9"), "[clip] the text is not UTF-8 at byte 3");
    CHECK_THROWS_WITH(t.encode("\xed\xa0\x80"), "[clip] the text is not UTF-8 at byte 0");
    CHECK_THROWS_WITH(small(""), ContainsSubstring("'small' is no list of byte pairs"));
    CHECK_THROWS_WITH(small("version\n"), ContainsSubstring("'small' is no list of byte pairs"));
    CHECK_THROWS_WITH(small("version\na b\nthe cat\n"),
                      ContainsSubstring("'small', line 3: expected two symbols"));
    CHECK_THROWS_WITH(small("version\na\n"), ContainsSubstring("line 2: expected two symbols"));
    CHECK_THROWS_WITH(small("version\na b c\n"), ContainsSubstring("line 2: expected two symbols"));
    CHECK_THROWS_WITH(small("version\na b\nb c\nab c\na bc\n"),
                      "'small', line 5: expected a pair whose symbol no line before has made, got 'a bc'");
    CHECK_THROWS_WITH(ClipTokenizer::load("/no/such/file"), ContainsSubstring("/no/such/file"));
}

}  // namespace lily::testing
