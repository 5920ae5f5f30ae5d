// How the store keeps a layer: its files unpacked, or the tar as it is with an EROFS image that
// says what is in it. The last component of a layer's place tells, so that a path in a plan says it
// too (isolation/overlay.h). Any thread.
//
//   layers/<hex>/fs/               the files
//   layers/<hex>/layer.erofs/      or: image, the EROFS image, and tar, its second device
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "isolation/base/result.h"
#include "isolation/erofs.h"

namespace skiff::images {

enum class LayerKind { kUnpacked, kErofs };

// What somebody wants of layers that are made: kAuto is what is better where they are.
enum class LayerChoice { kAuto, kUnpacked, kErofs };

// "auto", "unpacked", "erofs".
std::optional<LayerChoice> LayerChoiceByName(std::string_view name);
std::string_view NameOfChoice(LayerChoice choice);

// The kind that `choice` means in `directory` (of the store, writable) on this kernel.
// kUnavailable: it cannot mount what was asked for.
Result<LayerKind> KindFor(LayerChoice choice, const std::string& directory);
// Whether layers of this kind can be mounted from `directory`; an error says why not.
Result<> CheckKind(LayerKind kind, const std::string& directory);

inline constexpr const char* kErofsImage = isolation::kErofsImage;
inline constexpr const char* kErofsTar = isolation::kErofsData;

inline std::string NameOfKind(LayerKind kind) {
  return kind == LayerKind::kErofs ? "layer.erofs" : "fs";
}

inline LayerKind KindOfPlace(std::string_view path) {
  return isolation::IsErofsLayer(path) ? LayerKind::kErofs : LayerKind::kUnpacked;
}

}  // namespace skiff::images
