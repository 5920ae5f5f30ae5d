// A layer that is an EROFS image instead of a directory of files: a directory whose name ends in
// ".erofs" with two files, `image` and its second device `tar`. Mounted read-only and detached, so
// that nothing is ever attached in the host's mount namespace.
#pragma once

#include <string>
#include <string_view>

#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"

namespace skiff::isolation {

inline constexpr char kErofsImage[] = "image";
inline constexpr char kErofsData[] = "tar";

inline bool IsErofsLayer(std::string_view directory) { return directory.ends_with(".erofs"); }

enum class ErofsBacking {
  kFiles,  // from the files (Linux 6.12, CONFIG_EROFS_FS_BACKED_BY_FILE)
  kLoop,   // through two loop devices
};

// A mount of the layer. It holds all that it needs, and goes with the descriptor and whatever was
// mounted from it. Without `backing` the first that works, or kUnavailable with the reasons of
// both.
Result<UniqueFd> MountErofs(const std::string& directory, ErofsBacking backing);
Result<UniqueFd> MountErofs(const std::string& directory);

// The first that works of files in `directory`, which is writable, found out by mounting an image
// of two kilobytes that never has a name. Milliseconds. kUnavailable: neither works, and why.
Result<ErofsBacking> FindErofsBacking(const std::string& directory);
std::string_view NameOfBacking(ErofsBacking backing);

}  // namespace skiff::isolation
