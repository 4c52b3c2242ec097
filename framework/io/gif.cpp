// SPDX-License-Identifier: MIT
#include "framework/io/gif.h"

#include <gif_lib.h>

#include <limits>

#include "framework/error.h"
#include "framework/io/palette.h"

namespace lily::io {
namespace {

constexpr int kMost = std::numeric_limits<uint16_t>::max();  // of sides and delays
constexpr int kLeastDelay = 2;                               // browsers take 0 and 1 for 10

// giflib's encoder, writing into memory.
class Encoder {
  public:
    Encoder(int width, int height, const Palette& palette)
        : width_(width), height_(height), palette_(palette) {
        int error = 0;
        file_ = EGifOpen(&bytes_, append, &error);
        check(file_ != nullptr, "[save_gif] {}", GifErrorString(error));
        EGifSetGifVersion(file_, true);  // GIF89a: has delays and loops
        ColorMapObject* map = GifMakeMapObject(kMostColours, nullptr);
        check(map != nullptr, "[save_gif] no memory");
        const auto& colours = palette.colours();
        for (size_t i = 0; i < colours.size(); ++i)
            map->Colors[i] = {colours[i].red, colours[i].green, colours[i].blue};
        const int result = EGifPutScreenDesc(file_, width, height, 8, 0, map);
        GifFreeMapObject(map);
        require(result);
        loop_forever();
    }
    ~Encoder() {
        if (file_) EGifCloseFile(file_, nullptr);
    }
    Encoder(const Encoder&) = delete;
    Encoder& operator=(const Encoder&) = delete;

    void frame(const Image& image, int centiseconds) {
        const GraphicsControlBlock control{.DisposalMode = DISPOSE_DO_NOT,
                                           .UserInputFlag = false,
                                           .DelayTime = centiseconds,
                                           .TransparentColor = -1};
        GifByteType extension[4];
        const size_t size = EGifGCBToExtension(&control, extension);
        require(EGifPutExtension(file_, GRAPHICS_EXT_FUNC_CODE, static_cast<int>(size), extension));
        require(EGifPutImageDesc(file_, 0, 0, width_, height_, false, nullptr));
        std::vector<uint8_t> indices = palette_.indices(image);  // giflib wants them writable
        for (int y = 0; y < height_; ++y)
            require(EGifPutLine(file_, indices.data() + static_cast<size_t>(y) * static_cast<size_t>(width_),
                                width_));
    }

    const std::vector<std::byte>& finish() {
        GifFileType* file = std::exchange(file_, nullptr);
        int error = 0;
        check(EGifCloseFile(file, &error) == GIF_OK, "[save_gif] {}", GifErrorString(error));
        return bytes_;
    }

  private:
    static int append(GifFileType* file, const GifByteType* data, int size) {
        auto& bytes = *static_cast<std::vector<std::byte>*>(file->UserData);
        const auto* begin = reinterpret_cast<const std::byte*>(data);
        bytes.insert(bytes.end(), begin, begin + size);
        return size;
    }
    void loop_forever() {
        const char name[] = "NETSCAPE2.0";
        const GifByteType endless[] = {1, 0, 0};
        require(EGifPutExtensionLeader(file_, APPLICATION_EXT_FUNC_CODE));
        require(EGifPutExtensionBlock(file_, sizeof(name) - 1, name));
        require(EGifPutExtensionBlock(file_, sizeof(endless), endless));
        require(EGifPutExtensionTrailer(file_));
    }
    void require(int result) { check(result == GIF_OK, "[save_gif] {}", GifErrorString(file_->Error)); }

    const int width_, height_;
    const Palette& palette_;
    std::vector<std::byte> bytes_;
    GifFileType* file_ = nullptr;
};

}  // namespace

void check_gif_size(const std::string& path, int64_t width, int64_t height) {
    check(width >= 1 && height >= 1 && width <= kMost && height <= kMost,
          "cannot save {}: an animation has 1 to {} pixels a side, this is {}x{}", in_quotes(path), kMost,
          width, height);
}

void save_gif(const std::string& path, const std::vector<Image>& frames, int centiseconds) {
    check(!frames.empty(), "[save_gif] expected at least one frame");
    const int width = frames[0].width, height = frames[0].height;
    check_gif_size(path, width, height);
    check(centiseconds >= kLeastDelay && centiseconds <= kMost,
          "[save_gif] expected a delay of {} to {}, got {}", kLeastDelay, kMost, centiseconds);
    for (const Image& frame : frames)
        check(frame.channels == frames[0].channels && frame.width == width && frame.height == height,
              "[save_gif] expected frames of {}x{} with {} channels, got {}x{} with {}", width, height,
              frames[0].channels, frame.width, frame.height, frame.channels);
    const Palette palette(frames);
    Encoder encoder(width, height, palette);
    for (const Image& frame : frames) encoder.frame(frame, centiseconds);
    write_file_atomically(path, Bytes(encoder.finish()));
}

}  // namespace lily::io
