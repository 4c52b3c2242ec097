// SPDX-License-Identifier: MIT
#include <filesystem>

#include "framework/autograd.h"
#include "framework/random.h"
#include "tests/catch.h"
#include "tests/models/golden_clip.h"

namespace lily::testing {
namespace {

using models::Clip;
using models::ClipActivation;
using models::ClipConfig;

constexpr double kFeatures = 1e-5, kGradients = 1e-4;

#ifdef __SANITIZE_ADDRESS__
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif
const char* const kTooSlow =
    "ViT-B/32 takes minutes under the sanitizers; the small models run the same code";

// All gradients against PyTorch's: the norm of each, and its product with numbers of the tensor's name.
void check_gradients(const Clip& model, const std::string& name) {
    std::map<std::string, Tensor> sorted;
    for (const auto& [key, parameter] : model.named_parameters()) sorted.emplace(key, parameter.grad());
    const auto norms = golden_clip(name + "/gradient_norm").to_vector<double>();
    const auto projections = golden_clip(name + "/gradient_projection").to_vector<double>();
    REQUIRE(sorted.size() == norms.size());
    std::vector<std::pair<std::string, Tensor>> all(sorted.begin(), sorted.end());
    std::vector<std::string> wrong(all.size());
    kernels::parallel_for(std::ssize(all), 1, [&](int64_t begin, int64_t end) {
        for (int64_t at = begin; at < end; ++at) {
            const auto i = static_cast<size_t>(at);
            const Tensor& gradient = all[i].second;
            const float* values = gradient.data<float>();
            double squares = 0, projection = 0;
            each_uniform(all[i].first + " projection", gradient.numel(), [&](int64_t k, double u) {
                const auto v = static_cast<double>(values[k]);
                squares += v * v;
                projection += v * u;
            });
            const double norm_error = std::fabs(std::sqrt(squares) - norms[i]);
            const double projection_error = std::fabs(projection - projections[i]);
            if (!(norm_error <= kGradients * norms[i] && projection_error <= kGradients * norms[i]))
                wrong[i] =
                    fmt::format("{}: norm {:.8g} instead of {:.8g}, projection {:.8g} instead of {:.8g}",
                                all[i].first, std::sqrt(squares), norms[i], projection, projections[i]);
        }
    });
    for (const std::string& line : wrong) {
        INFO(line);
        CHECK(line.empty());
    }
}

// Features, logits, loss and gradients of a model with name-seeded weights on a device.
void check_golden_clip(const ClipCase& c, Device device = Device::cpu) {
    Clip model(c.config, nn::skip_init);
    name_seeded(model);
    model.to(device);
    const Tensor images = model.encode_image(clip_pixels(c).to(device));
    const Tensor texts = model.encode_text(clip_tokens(c));
    const Tensor logits = model.logits(images, texts);
    CHECK(golden_error(images, c.name + "/image") <= kFeatures);
    CHECK(golden_error(texts, c.name + "/text") <= kFeatures);
    CHECK(golden_error(logits, c.name + "/logits") <= kFeatures);
    const Tensor loss = clip_loss_of(logits);
    CHECK(golden_error(loss, c.name + "/loss") <= kFeatures);
    loss.backward();
    model.to(Device::cpu);
    check_gradients(model, c.name);
}

std::string temporary(const std::string& name) {
    return (std::filesystem::temp_directory_path() / fmt::format("lily_{}_{}", ::getpid(), name)).string();
}

}  // namespace

TEST_CASE("clip: ViT-B/32 has OpenAI's parameters", "[clip]") {
    const Clip model(ClipConfig{}, nn::skip_init);
    CHECK(model.parameter_count() == 151'277'313);
    const auto named = model.named_parameters();
    CHECK(named.size() == 302);
    std::map<std::string, Shape> shapes;
    for (const auto& [name, parameter] : named) shapes.emplace(name, parameter.shape());
    CHECK(shapes.at("visual.transformer.resblocks.11.attn.in_proj_weight") == Shape{2304, 768});
    CHECK(shapes.at("visual.conv1.weight") == Shape{768, 3, 32, 32});
    CHECK(shapes.at("transformer.resblocks.0.mlp.c_proj.bias") == Shape{512});
    CHECK(shapes.at("logit_scale") == Shape{});
    CHECK(models::clip_config(shapes, {{"activation", "quick_gelu"}}) == ClipConfig{});
}

TEST_CASE("clip: a small model equals OpenAI's code", "[clip]") {
    check_golden_clip(tiny_clip());
    check_golden_clip(tiny_gelu_clip());
}

TEST_CASE("clip: a small model on the GPUs equals OpenAI's code", "[clip][simt]") {
    for (const Device device : {Device::simt, Device::cuda})
        if (is_available(device)) check_golden_clip(tiny_clip(), device);
}

TEST_CASE("clip: ViT-B/32 equals OpenAI's code, every gradient too", "[clip][b32]") {
    if (kSanitized) SKIP(kTooSlow);
    check_golden_clip(b32_clip());
}

TEST_CASE("clip: the wrong activation or epsilon is seen in ViT-B/32's features", "[clip][b32]") {
    if (kSanitized) SKIP(kTooSlow);
    const NoGrad no_grad;
    for (const bool wrong_activation : {true, false}) {
        ClipCase c = b32_clip();
        if (wrong_activation)
            c.config.activation = ClipActivation::gelu;
        else
            c.config.eps = 1e-7;
        c.lengths = {9};
        Clip model(c.config, nn::skip_init);
        name_seeded(model);
        Tensor texts = model.encode_text(slice(clip_tokens(b32_clip()), 0, 1, 2));
        texts = cat({slice(golden_clip("b32/text").to(DType::f32), 0, 0, 1), texts,
                     slice(golden_clip("b32/text").to(DType::f32), 0, 2, 3)},
                    0);
        CHECK(golden_error(texts, "b32/text") > 10 * kFeatures);
    }
}

TEST_CASE("clip: embeddings have the same bits in any batch, for any number of threads", "[clip]") {
    const NoGrad no_grad;
    ClipCase c = tiny_clip();
    c.lengths = {5, 9, 3, 2, 7, 9, 4};
    Clip model(c.config, nn::skip_init);
    name_seeded(model);
    const Tensor pixels = clip_pixels(c), tokens = clip_tokens(c);
    const auto rows = std::ssize(c.lengths);
    const auto row = [](const Tensor& x, int64_t i) { return slice(x, 0, i, i + 1); };
    std::vector<std::vector<float>> pictures, texts;
    for (int64_t i = 0; i < rows; ++i) {
        pictures.push_back(model.encode_image(row(pixels, i)).to_vector());
        texts.push_back(model.encode_text(row(tokens, i)).to_vector());
        const Tensor cut = slice(row(tokens, i), 1, 0, c.lengths[static_cast<size_t>(i)]);  // no padding
        CHECK(model.encode_text(cut).to_vector() == texts.back());
    }
    std::mt19937 engine(3);
    for (const int threads : {1, 2, 3})
        for (const int64_t batch : {2, 5, 16, 33}) {
            kernels::set_max_threads(threads);
            std::vector<int64_t> chosen(static_cast<size_t>(batch));
            for (int64_t& i : chosen) i = static_cast<int64_t>(engine() % static_cast<uint32_t>(rows));
            std::vector<Tensor> some_pixels, some_tokens;
            for (const int64_t i : chosen) {
                some_pixels.push_back(row(pixels, i));
                some_tokens.push_back(row(tokens, i));
            }
            const Tensor of_pixels = model.encode_image(cat(some_pixels, 0));
            const Tensor of_tokens = model.encode_text(cat(some_tokens, 0));
            for (int64_t i = 0; i < batch; ++i) {
                const auto which = static_cast<size_t>(chosen[static_cast<size_t>(i)]);
                CAPTURE(threads, batch, i);
                CHECK(row(of_pixels, i).to_vector() == pictures[which]);
                CHECK(row(of_tokens, i).to_vector() == texts[which]);
            }
        }
    kernels::set_max_threads(0);
}

TEST_CASE("clip: a text is read at its end, or at its largest id", "[clip]") {
    const NoGrad no_grad;
    ClipCase c = tiny_clip();
    Clip model(c.config, nn::skip_init);
    c.config.eot_id.reset();
    Clip largest(c.config, nn::skip_init);
    name_seeded(model);
    name_seeded(largest);
    const auto texts = [](const std::vector<int64_t>& ids) { return from_vector(ids, {1, std::ssize(ids)}); };
    const auto want = model.encode_text(texts({58, 5, 59})).to_vector();
    CHECK(model.encode_text(texts({58, 5, 59, 59, 7})).to_vector() == want);  // the first end counts
    CHECK(largest.encode_text(texts({58, 5, 59, 59, 7})).to_vector() == want);
    CHECK(largest.encode_text(texts({1, 5, 7, 7, 3})).to_vector() ==
          largest.encode_text(texts({1, 5, 7})).to_vector());
    CHECK_THROWS_WITH(model.encode_text(cat({texts({58, 59, 0}), texts({58, 5, 6})}, 0)),
                      "[clip] text 1 has no end-of-text token 59: tokenize it again, truncated");
    CHECK_THROWS_WITH(model.encode_text(zeros({2, 3})),
                      "[clip] expected tokens (N,T) of i64 on the CPU, T from 1 to 9, got f32 (2,3) on CPU");
    CHECK_THROWS_WITH(model.encode_image(zeros({2, 3, 8, 16})),
                      "[clip] expected pictures (N,3,16,16), got (2,3,8,16)");
}

TEST_CASE("clip: the logit scale stays in [0, ln 100]", "[clip]") {
    Generator generator(1);
    Clip model(tiny_clip().config, generator);
    Tensor scale = model.state_dict().at("logit_scale");
    CHECK(scale.item<double>() == Approx(std::log(1 / 0.07)));
    const Tensor x = ones({1, 24});
    for (const auto& [before, after] :
         std::vector<std::pair<double, double>>{{5, std::log(100)}, {-1, 0}, {2, 2}}) {
        scale.fill_(before);
        model.clamp_logit_scale();
        CHECK(scale.item<double>() == Approx(after));
        CHECK(model.logits(x, 3.0 * x).item<double>() == Approx(std::exp(after)));
    }
    CHECK(model.state_dict().at("visual.proj").requires_grad() == false);
    CHECK(model.parameters()[0].requires_grad());
}

TEST_CASE("clip: weights by OpenAI's names are loaded, their sizes and metadata read", "[clip]") {
    const ClipCase c = tiny_gelu_clip();
    Clip model(c.config, nn::skip_init);
    name_seeded(model);
    const std::string path = temporary("clip.safetensors");
    const std::map<std::string, std::string> metadata{
        {"activation", "gelu"}, {"layer_norm_eps", "1e-06"}, {"text_heads", "2"}, {"eot_id", "59"}};
    const auto save = [&](const StateDict& state, std::map<std::string, std::string> with) {
        io::save_tensors(path, state, with);
    };
    save(model.state_dict(), metadata);
    const auto loaded = models::load_clip(path);
    CHECK(loaded->config == c.config);
    const NoGrad no_grad;
    CHECK(loaded->encode_text(clip_tokens(c)).to_vector() == model.encode_text(clip_tokens(c)).to_vector());
    CHECK(models::load_clip(path, {.activation = ClipActivation::quick_gelu})->config.activation ==
          ClipActivation::quick_gelu);

    auto without = metadata;
    without.erase("activation");
    save(model.state_dict(), without);
    CHECK_THROWS_WITH(models::load_clip(path), Catch::Contains("the file does not say its activation: use "
                                                               "--activation quick_gelu (OpenAI's weights)"));
    without["activation"] = "relu";
    save(model.state_dict(), without);
    CHECK_THROWS_WITH(models::load_clip(path),
                      Catch::Contains("expected the activation quick_gelu, gelu or gelu_tanh, got 'relu'"));
    without = metadata;
    without["text_heads"] = "3";
    save(model.state_dict(), without);
    CHECK_THROWS_WITH(models::load_clip(path), Catch::Contains("3 heads do not divide a width of 64"));
    without["text_heads"] = "two";
    save(model.state_dict(), without);
    CHECK_THROWS_WITH(models::load_clip(path),
                      Catch::Contains("expected a number for text_heads in the metadata, got 'two'"));
    without["text_heads"] = "2";
    without["eot_id"] = "largest";
    save(model.state_dict(), without);
    CHECK_FALSE(models::load_clip(path)->config.eot_id.has_value());

    save(model.state_dict(), metadata);
    StateDict mapped = models::load_clip(path)->state_dict();
    CHECK_FALSE(mapped.at("text_projection").storage()->owns_memory());  // the file's
    mapped.at("text_projection").fill_(0);
    CHECK(models::load_clip(path)->state_dict().at("text_projection").to_vector() ==
          model.state_dict().at("text_projection").to_vector());

    StateDict state = model.state_dict();
    state.erase("ln_final.weight");
    state.erase("visual.transformer.resblocks.1.mlp.c_proj.bias");
    state["text_projection"] = zeros({64, 25});
    state["input_resolution"] = scalar(16);
    save(state, metadata);
    CHECK_THROWS_WITH(
        models::load_clip(path),
        Catch::Contains("[clip] not the tensors of one model: text_projection is (64,25), "
                        "expected (64,24); visual.transformer.resblocks.1.mlp.c_proj.bias is "
                        "missing; ln_final.weight is missing; 'input_resolution' is not CLIP's"));
    state.erase("visual.proj");
    state.erase("token_embedding.weight");
    save(state, metadata);
    CHECK_THROWS_WITH(models::load_clip(path),
                      Catch::Contains("there is no visual.proj, token_embedding.weight; where these are "
                                      "CLIP's in another form: build/venv/bin/python tools/convert_clip.py"));
    std::filesystem::remove(path);
}

}  // namespace lily::testing
