// How the store keeps a layer: its files unpacked, or the tar as it is with an EROFS image that
// says what is in it. The last component of a layer's place tells, so that a path in a plan says it
// too (isolation/overlay.h). Private to images/.
//
//   layers/<hex>/fs/               the files
//   layers/<hex>/layer.erofs/      or: image, the EROFS image, and tar, its second device
#pragma once

#include <string>
#include <string_view>

#include "isolation/erofs.h"

namespace skiff::images {

enum class LayerKind { kUnpacked, kErofs };

inline constexpr const char* kErofsImage = isolation::kErofsImage;
inline constexpr const char* kErofsTar = isolation::kErofsData;

inline std::string NameOfKind(LayerKind kind) {
  return kind == LayerKind::kErofs ? "layer.erofs" : "fs";
}

inline LayerKind KindOfPlace(std::string_view path) {
  return isolation::IsErofsLayer(path) ? LayerKind::kErofs : LayerKind::kUnpacked;
}

}  // namespace skiff::images
