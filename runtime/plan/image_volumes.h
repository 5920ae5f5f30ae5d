// The paths that an image has as volumes, and which of them become one: a directory of the
// container's own, writable whatever its root is, that begins with what the image has there and
// ends with the task. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "isolation/base/result.h"

namespace skiff::runtime {

enum class VolumeVerdict { kMake, kLeave };

// Of an absolute path without "." or "..", links resolved or not. kLeave: what skiff mounts there
// stays, and the image gets along with that. An error: the root itself, or something in /proc.
Result<VolumeVerdict> JudgeVolume(std::string_view path);
std::string VolumeLeftWarning(const std::string& path);

// An image's volumes as the plan has them: clean absolute paths, each once, what holds another one
// before it. Those that are left become warnings.
Result<std::vector<std::string>> PlanImageVolumes(const std::vector<std::string>& volumes,
                                                  const std::string& container,
                                                  std::vector<std::string>* warnings);

}  // namespace skiff::runtime
