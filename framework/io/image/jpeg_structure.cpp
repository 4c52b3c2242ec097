// SPDX-License-Identifier: MIT
#include "framework/io/image/jpeg_structure.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "framework/io/image/reader.h"

namespace lily::io {
namespace {

// Of each coefficient of a component: the lowest bit that a scan has brought, or that none has.
constexpr int kMissing = 255;
struct Component {
    uint32_t id = 0;
    std::array<uint8_t, 64> lowest_bit;
};

class Walk {
  public:
    Walk(Bytes bytes, const std::string& name) : bytes_(bytes), name_(name), in_(bytes, name) {}

    JpegStructure run() {
        in_.skip(2);  // SOI
        for (uint32_t marker = next_marker(); marker != 0xD9; marker = next_marker()) {
            if (marker == 0x01 || (marker >= 0xD0 && marker <= 0xD7)) continue;  // they have no segment
            if (marker < 0xC0) in_.damaged("unknown JPEG marker FF {:02X}", marker);
            const uint32_t length = in_.u16_be();
            if (length < 2) in_.damaged("JPEG segment of {} bytes", length);
            const Bytes data = in_.take(length - 2);
            if (marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC)
                frame(marker, Reader(data, name_));
            if (marker == 0xE1) metadata(data);
            if (marker == 0xDA) {
                scan(Reader(data, name_));
                skip_entropy_coded_data();
            }
        }
        check_complete();
        return found_;
    }

  private:
    uint32_t next_marker() {
        uint32_t marker = in_.u8();
        if (marker != 0xFF) in_.damaged("no JPEG marker at byte {}", in_.position - 1);
        while (marker == 0xFF) marker = in_.u8();  // any number of fill bytes FF
        return marker;
    }

    // Precision, height, width, number of components; of each id, sampling factors, quantisation table.
    void frame(uint32_t marker, Reader in) {
        switch (marker) {
            case 0xC0:
            case 0xC1:
            case 0xC2:
                break;
            case 0xC9:
            case 0xCA:  // the format lets such data end early, so nothing would show that some are missing
                in.unsupported("an arithmetic-coded JPEG; save it again as baseline JPEG or PNG");
            case 0xC3:
            case 0xCB:
                in.unsupported("a lossless JPEG; save it again as baseline JPEG or PNG");
            default:
                in.unsupported("a hierarchical JPEG; save it again as baseline JPEG or PNG");
        }
        if (!components_.empty()) in.damaged("more than one JPEG frame header");
        progressive_ = marker == 0xC2;
        if (const uint32_t bits = in.u8(); bits != 8)
            in.unsupported("a JPEG of {} bits per sample; only 8 are supported", bits);
        found_.height = in.u16_be();
        found_.width = in.u16_be();
        if (found_.width == 0 || found_.height == 0) in.unsupported("its JPEG header does not give its size");
        const uint32_t count = in.u8();
        if (count != 1 && count != 3 && count != 4)
            in.unsupported("a JPEG of {} components; grey has 1, colours have 3 or 4", count);
        for (uint32_t i = 0; i < count; ++i) {
            Component component{.id = in.u8(), .lowest_bit = {}};
            component.lowest_bit.fill(kMissing);
            components_.push_back(component);
            in.skip(2);
        }
    }

    // Number of components; of each id and tables; first and last coefficient, bits (high before, low after).
    void scan(Reader in) {
        if (components_.empty()) in.damaged("a JPEG scan before the frame header");
        // A scan of a progressive JPEG can take long and be a few bytes.
        constexpr int kMostScans = 500;
        if (++scans_ > kMostScans) in.unsupported("a JPEG of more than {} scans", kMostScans);
        std::vector<Component*> in_scan;
        for (uint32_t count = in.u8(); count > 0; --count) {
            const uint32_t id = in.u8();
            const auto component = std::find_if(components_.begin(), components_.end(),
                                                [&](const Component& c) { return c.id == id; });
            if (component == components_.end()) in.damaged("a JPEG scan of an unknown component {}", id);
            in_scan.push_back(&*component);
            in.skip(1);
        }
        const uint32_t first = progressive_ ? in.u8() : 0;
        const uint32_t last = progressive_ ? in.u8() : 63;
        const uint32_t low = progressive_ ? in.u8() & 15 : 0;
        if (first > last || last > 63) in.damaged("a JPEG scan of coefficients {} to {}", first, last);
        for (Component* component : in_scan)
            for (uint32_t i = first; i <= last; ++i) component->lowest_bit[i] = static_cast<uint8_t>(low);
    }

    void metadata(Bytes data) {
        const std::string_view xmp("http://ns.adobe.com/xap/1.0/\0", 29);
        if (found_.exif.empty() && starts_with(data, std::string_view("Exif\0\0", 6))) found_.exif = data;
        if (found_.xmp.empty() && starts_with(data, xmp)) found_.xmp = data.subspan(xmp.size());
    }

    // FF 00 is a data byte FF, FF D0..D7 are restart markers; before a marker any number of FF may stand.
    // Ends before the next other marker.
    void skip_entropy_coded_data() {
        for (;;) {
            const Bytes rest = bytes_.subspan(in_.position);
            const auto* ff = static_cast<const std::byte*>(std::memchr(rest.data(), 0xFF, rest.size()));
            in_.skip(ff == nullptr ? rest.size() : static_cast<size_t>(ff - rest.data()));
            const size_t end = in_.position;
            uint32_t next = in_.u8();
            while (next == 0xFF) next = in_.u8();
            if (next == 0 || (next >= 0xD0 && next <= 0xD7)) continue;
            in_.position = end;
            return;
        }
    }

    void check_complete() const {
        if (scans_ == 0) in_.damaged("a JPEG without a picture in it");
        for (const Component& component : components_)
            for (const uint8_t bit : component.lowest_bit)
                if (bit != 0) in_.damaged("its JPEG scans end before the picture is complete");
    }

    Bytes bytes_;
    const std::string& name_;
    Reader in_;
    JpegStructure found_;
    std::vector<Component> components_;
    bool progressive_ = false;
    int scans_ = 0;
};

}  // namespace

JpegStructure walk_jpeg(Bytes bytes, const std::string& name) { return Walk(bytes, name).run(); }

}  // namespace lily::io
