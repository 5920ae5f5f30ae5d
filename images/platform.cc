#include "images/platform.h"

#include <sys/utsname.h>

#include <vector>

#include "isolation/base/text.h"

namespace skiff::images {
namespace {

// arm64 means v8, and amd64 means v1, when nothing more is said.
std::string_view BaseVariant(std::string_view architecture) {
  if (architecture == "arm64") return "v8";
  if (architecture == "amd64") return "v1";
  if (architecture == "arm") return "v7";
  return "";
}

std::string_view VariantOf(const Platform& platform) {
  return platform.variant.empty() ? BaseVariant(platform.architecture) : platform.variant;
}

}  // namespace

Result<Platform> Platform::Parse(std::string_view text) {
  std::vector<std::string_view> parts = Split(text, '/');
  bool is_complete = parts.size() == 2 || parts.size() == 3;
  for (std::string_view part : parts) is_complete &= !part.empty();
  if (!is_complete) {
    return Error(Code::kInvalid,
                 "platform '" + std::string(text) + "': expected os/architecture[/variant]");
  }
  Platform platform;
  platform.os = parts[0];
  platform.architecture = parts[1];
  if (parts.size() == 3) platform.variant = parts[2];
  return platform;
}

std::string Platform::ToString() const {
  return os + "/" + architecture + (variant.empty() ? "" : "/" + variant);
}

bool Platform::Accepts(const Platform& offered) const {
  if (!offered.os.empty() && offered.os != os) return false;
  if (offered.architecture.empty()) return true;
  return offered.architecture == architecture && VariantOf(offered) == VariantOf(*this);
}

Platform HostPlatform() {
  utsname names{};
  uname(&names);
  std::string machine = names.machine;
  Platform platform{"linux", machine, ""};
  if (machine == "x86_64") platform.architecture = "amd64";
  if (machine == "aarch64") platform.architecture = "arm64";
  if (machine == "armv7l") platform.architecture = "arm";
  return platform;
}

}  // namespace skiff::images
