// SPDX-License-Identifier: MIT
#include "framework/io/checkpoint.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "framework/ops.h"
#include "framework/optim/adam.h"
#include "kernels/common/parallel.h"
#include "tests/framework/io/io_test.h"

namespace lily::io {
namespace {

Checkpoint small_checkpoint() {
    Checkpoint checkpoint;
    checkpoint.put("model", {{"w", full({2}, 3)}});
    checkpoint.metadata["note"] = "half way";
    checkpoint.put_integer("step", 12);
    return checkpoint;
}

TEST_CASE("Checkpoints keep parts, text and whole numbers", "[io][checkpoint]") {
    const ScratchFolder dir;
    Checkpoint checkpoint = small_checkpoint();
    checkpoint.put("model2", {{"w", full({1}, 4)}});
    checkpoint.put("empty", {});
    checkpoint.put_integer("seed", UINT64_MAX);
    save_checkpoint(dir / "c", checkpoint);

    const Checkpoint loaded = load_checkpoint(dir / "c");
    CHECK(loaded.metadata == checkpoint.metadata);
    CHECK(loaded.integer("step") == 12);
    CHECK(loaded.integer("seed") == UINT64_MAX);
    CHECK(loaded.text("note") == "half way");
    CHECK(loaded.part("model").size() == 1);
    CHECK(loaded.part("model").at("w").to_vector<float>() == std::vector<float>{3, 3});
    CHECK(loaded.part("model2").at("w").item() == 4);
    CHECK(dir.listing() == "c");
}

TEST_CASE("What a checkpoint does not hold is named", "[io][checkpoint]") {
    Checkpoint checkpoint = small_checkpoint();
    CHECK(error_of([&] { checkpoint.part("mod"); }) == "[checkpoint] it has no part 'mod'");
    CHECK(error_of([&] { checkpoint.text("loss"); }) == "[checkpoint] it has no 'loss'");
    CHECK(error_of([&] { checkpoint.integer("note"); }) ==
          "[checkpoint] 'note' is 'half way', expected a whole number");
    checkpoint.metadata["huge"] = "18446744073709551616";
    CHECK(error_of([&] { checkpoint.integer("huge"); }) ==
          "[checkpoint] 'huge' is '18446744073709551616', expected a whole number");
    CHECK(error_of([&] { checkpoint.put("a.b", {}); }) ==
          "[checkpoint] the name of a part must not be empty or contain a dot, got 'a.b'");
    checkpoint.metadata["version"] = "7";
    CHECK(error_of([&] { save_checkpoint("unused", checkpoint); }) ==
          "[save_checkpoint] the metadata key 'version' is reserved");
}

TEST_CASE("Foreign, newer, cut and flipped files are refused in one line", "[io][checkpoint]") {
    const ScratchFolder dir;
    const std::string path = dir / "c";
    const auto refusal = [&] { return error_of([&] { load_checkpoint(path); }); };
    save_tensors(path, {{"w", zeros({1})}}, {{"format", "pt"}});
    CHECK(refusal() == "'" + path +
                           "' is not a checkpoint of lilypad, though it is a safetensors file: was it saved "
                           "as weights?");
    save_tensors(path, {}, {{"format", "lilypad checkpoint"}, {"version", "2"}});
    CHECK(refusal() == "'" + path + "' is a checkpoint of version '2', this program reads version 1");
    write_file_atomically(path, "PK\x03\x04 some picture or zip file");
    CHECK(refusal() == "'" + path + "' is not a safetensors file");

    save_checkpoint(path, small_checkpoint());
    const std::string whole = text_of(path);
    for (size_t size = 0; size < whole.size(); ++size) {
        write_file_atomically(path, std::string_view(whole).substr(0, size));
        CHECK(refusal().starts_with("'" + path + "'"));
    }
    for (size_t i = 0; i < 8; ++i) {  // the length of the header
        std::string broken = whole;
        broken[i] = static_cast<char>(broken[i] ^ 0x10);
        write_file_atomically(path, broken);
        CHECK(refusal().starts_with("'" + path + "'"));
    }
    CHECK(dir.listing() == "c");
}

TEST_CASE("A writer that fails leaves the old checkpoint", "[io][checkpoint]") {
    const ScratchFolder dir;
    save_checkpoint(dir / "c", small_checkpoint());
    Checkpoint bad = small_checkpoint();
    bad.tensors["undefined"] = Tensor{};
    CHECK(error_of([&] { save_checkpoint(dir / "c", bad); }) ==
          "[save_tensors] the tensor 'undefined' is undefined");
    CHECK(load_checkpoint(dir / "c").integer("step") == 12);
    CHECK(dir.listing() == "c");
}

// The writer saves generation after generation, all tensors filled with its number. Killed at any moment,
// it leaves one whole generation.
TEST_CASE("Kill -9 while saving leaves the old checkpoint or the new one", "[io][checkpoint]") {
    const ScratchFolder dir;
    const std::string path = dir / "c";
    const auto save = [&](uint64_t generation) {
        Checkpoint checkpoint;
        const auto value = static_cast<double>(generation);
        checkpoint.put("model",
                       {{"a", full({40000}, value)}, {"b", full({3}, value, {.dtype = DType::f64})}});
        checkpoint.put_integer("generation", generation);
        save_checkpoint(path, checkpoint);
    };
    // A forked child has this thread alone: a loop over OpenMP's others would wait for them for ever.
    const int threads = kernels::max_threads();
    kernels::set_max_threads(1);
    save(1);
    uint64_t last = 1;
    bool advanced = false;
    for (int round = 0; round < 25; ++round) {
        const pid_t writer = ::fork();
        REQUIRE(writer >= 0);
        if (writer == 0)
            for (uint64_t generation = last;;) save(++generation);
        ::usleep(static_cast<useconds_t>(1000 + 733 * round));
        REQUIRE(::kill(writer, SIGKILL) == 0);
        int status = 0;
        REQUIRE(::waitpid(writer, &status, 0) == writer);
        REQUIRE(WIFSIGNALED(status));  // it was still saving

        const Checkpoint left = load_checkpoint(path);
        const uint64_t generation = left.integer("generation");
        CHECK(generation >= last);
        advanced |= generation > last;
        last = generation;
        const auto value = static_cast<float>(generation);
        CHECK(left.part("model").at("a").to_vector<float>() == std::vector<float>(40000, value));
        CHECK(left.part("model").at("b").to_vector<float>() == std::vector<float>(3, value));
    }
    CHECK(advanced);
    kernels::set_max_threads(threads);
}

TEST_CASE("A run resumed from a checkpoint gives the same bits as one that never stopped",
          "[io][checkpoint]") {
    const ScratchFolder dir;
    const auto start = [] { return from_vector<float>({3, -2, 0.5F}, {3}).set_requires_grad(); };
    const auto train = [](Tensor& x, optim::Adam& adam, int steps) {
        for (int i = 0; i < steps; ++i) {
            adam.zero_grad();
            (square(square(x)) + x).sum().backward();
            adam.step();
        }
    };
    Tensor whole = start(), first = start();
    optim::Adam uninterrupted({whole}, {.lr = 0.05}), before({first}, {.lr = 0.05});
    train(whole, uninterrupted, 10);
    train(first, before, 4);
    Checkpoint checkpoint;
    checkpoint.put("model", {{"x", first.detach()}});
    checkpoint.put("optimizer", before.state_dict());
    save_checkpoint(dir / "c", checkpoint);

    const Checkpoint loaded = load_checkpoint(dir / "c");
    Tensor second = loaded.part("model").at("x").set_requires_grad();
    optim::Adam after({second});
    after.load_state_dict(loaded.part("optimizer"));
    train(second, after, 6);
    CHECK(second.to_vector<float>() == whole.to_vector<float>());
    CHECK(load_checkpoint(dir / "c").part("model").at("x").to_vector<float>() == first.to_vector<float>());
}

}  // namespace
}  // namespace lily::io
