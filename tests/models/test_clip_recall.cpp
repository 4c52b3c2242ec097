// SPDX-License-Identifier: MIT
#include "framework/ops.h"
#include "models/clip/evaluation.h"
#include "models/clip/trainer.h"
#include "tests/catch.h"

namespace lily::models {

TEST_CASE("recall counts what is found among the first, and what chance would find", "[clip]") {
    // Twelve texts along the axes; a picture points to its text and, less, to `ahead` others, which come
    // first if they are given more.
    constexpr int64_t kTexts = 12;
    std::vector<double> texts(kTexts * kTexts), pictures;
    for (int64_t i = 0; i < kTexts; ++i) texts[static_cast<size_t>(i * kTexts + i)] = 1;
    std::vector<int64_t> meaning;
    const auto add = [&](int64_t text, int64_t ahead) {
        std::vector<double> row(kTexts, 0);
        for (int64_t k = 1; k <= ahead; ++k) row[static_cast<size_t>((text + k) % kTexts)] = 2;
        row[static_cast<size_t>(text)] = 1;
        pictures.insert(pictures.end(), row.begin(), row.end());
        meaning.push_back(text);
    };
    for (const int64_t ahead : {0, 0, 3, 4, 5, 9, 10, 11})
        add(static_cast<int64_t>(meaning.size()) / 2, ahead);
    const Recall r = recall(from_vector(pictures, {8, kTexts}).to(DType::f32),
                            from_vector(texts, {kTexts, kTexts}).to(DType::f32), meaning);
    CHECK(r.text_of_picture == std::array<double, 3>{2.0 / 8, 4.0 / 8, 6.0 / 8});
    CHECK(r.chance_text[0] == Approx(1.0 / 12));
    CHECK(r.chance_text[2] == Approx(10.0 / 12));
    // Texts 0 to 3 have two pictures of eight, the others none: a guess finds one of two in five draws by
    // 1 - (6·5·4·3·2)/(8·7·6·5·4).
    CHECK(r.chance_picture[0] == Approx(4.0 / 12 * 2 / 8));
    CHECK(r.chance_picture[1] == Approx(4.0 / 12 * (1 - 6.0 * 5 * 4 * 3 * 2 / (8 * 7 * 6 * 5 * 4))));
    // Ties are not in anybody's favour.
    CHECK(recall(ones({1, 2}), ones({3, 2}), {0}).text_of_picture == std::array<double, 3>{0, 1, 1});
    CHECK_THROWS_WITH(recall(ones({2, 2}), ones({3, 2}), {0}),
                      "[recall] expected the text of each of 2 pictures, got 1");
}

TEST_CASE("pixels of a loader become what the image tower wants", "[clip]") {
    const Tensor x = from_vector<float>({-1, 0, 0.5, 1}, {1, 4});
    const std::vector<double> y = normalised_pixels(x, 2).to_vector<double>();
    REQUIRE(y.size() == 12);
    const double mean[] = {0.48145466, 0.4578275, 0.40821073},
                 deviation[] = {0.26862954, 0.26130258, 0.27577711};
    for (size_t c = 0; c < 3; ++c)
        for (size_t i = 0; i < 4; ++i)
            CHECK(y[4 * c + i] ==
                  Approx(((x.to_vector<double>()[i] + 1) / 2 - mean[c]) / deviation[c]).margin(1e-6));
    CHECK(normalised_pixels(ones({2, 12}), 2).shape() == Shape{2, 3, 2, 2});
    CHECK_THROWS_WITH(normalised_pixels(ones({2, 8}), 2),
                      "[clip] expected pictures of 2x2 in grey or RGB, got (2,8)");
}

TEST_CASE("templates have a place for the name", "[clip]") {
    CHECK(fill_template("a photo of a {}, small", "dog") == "a photo of a dog, small");
    CHECK_THROWS_WITH(fill_template("a photo", "dog"),
                      "the template 'a photo' has no {}, the place of the name");
}

}  // namespace lily::models
