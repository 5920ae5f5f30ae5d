#include "images/platform.h"

#include <sys/utsname.h>

#include <optional>
#include <vector>

#include "isolation/base/text.h"

namespace skiff::images {
namespace {

// arm64 means v8, arm v7 and amd64 v1, when nothing more is said.
std::string_view BaseVariant(std::string_view architecture) {
  if (architecture == "arm64") return "v8";
  if (architecture == "amd64") return "v1";
  if (architecture == "arm") return "v7";
  return "";
}

std::string_view VariantOf(const Platform& platform) {
  return platform.variant.empty() ? BaseVariant(platform.architecture) : platform.variant;
}

// "v7" is 7; other variants have no order.
std::optional<uint64_t> VariantNumber(const Platform& platform) {
  std::string_view variant = VariantOf(platform);
  if (!variant.starts_with('v')) return std::nullopt;
  constexpr uint64_t kMost = 99;
  return ParseUint(variant.substr(1), kMost);
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
  if (offered.architecture != architecture) return false;
  std::optional<uint64_t> wanted = VariantNumber(*this);
  std::optional<uint64_t> known = VariantNumber(offered);
  // What was built for an earlier one runs on a later one.
  if (wanted && known) return *known <= *wanted;
  return VariantOf(offered) == VariantOf(*this);
}

int Platform::Rank(const Platform& offered) const {
  if (offered.architecture.empty()) return 0;
  return static_cast<int>(VariantNumber(offered).value_or(0)) + 1;
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
