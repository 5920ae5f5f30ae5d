#include "runtime/plan/image_volumes.h"

#include <set>

#include "isolation/base/text.h"
#include "runtime/plan/limits.h"

namespace skiff::runtime {
namespace {

Error Refused(const char* why) { return Error(Code::kInvalid, why); }

bool IsIn(std::string_view path, std::string_view directory) {
  return path == directory ||
         (path.starts_with(directory) && path.substr(directory.size()).starts_with("/"));
}

Result<std::string> Clean(const std::string& path) {
  std::string clean;
  for (std::string_view part : Split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..") return Refused("leads upwards");
    clean.append("/").append(part);
  }
  return clean.empty() ? "/" : clean;
}

}  // namespace

Result<VolumeVerdict> JudgeVolume(std::string_view path) {
  if (path == "/") return Refused("the root itself cannot be a volume");
  if (IsIn(path, "/proc")) return Refused("nothing can be put into /proc");
  for (const char* own : {"/dev", "/sys", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf"}) {
    if (IsIn(path, own)) return VolumeVerdict::kLeave;
  }
  return VolumeVerdict::kMake;
}

std::string VolumeLeftWarning(const std::string& path) {
  return "the image's volume " + path + " is not made: what skiff mounts there stays";
}

// The set's order has a path before all that begin with it.
Result<std::vector<std::string>> PlanImageVolumes(const std::vector<std::string>& volumes,
                                                  const std::string& container,
                                                  std::vector<std::string>* warnings) {
  if (volumes.size() > kMaxImageVolumes) {
    return Error(Code::kInvalid, "the image has " + std::to_string(volumes.size()) +
                                     " volumes: at most " + std::to_string(kMaxImageVolumes) +
                                     " can be made");
  }
  std::set<std::string> planned;
  for (const std::string& volume : volumes) {
    std::string what = "the image's volume " + volume;
    std::string path = TRY(Clean(volume).Context(what));
    VolumeVerdict verdict = TRY(JudgeVolume(path).Context(what));
    if (verdict == VolumeVerdict::kMake) {
      planned.insert(std::move(path));
    } else {
      warnings->push_back(container + ": " + VolumeLeftWarning(path));
    }
  }
  return std::vector<std::string>(planned.begin(), planned.end());
}

}  // namespace skiff::runtime
