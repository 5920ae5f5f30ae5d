#include "isolation/capabilities.h"

#include <linux/capability.h>
#include <sys/capability.h>

#include <algorithm>
#include <cctype>
#include <memory>

namespace skiff::isolation {
namespace {

constexpr CapabilityMask Bit(int number) { return CapabilityMask{1} << number; }

struct FreeCapabilities {
  void operator()(char* text) const { cap_free(text); }
};

}  // namespace

std::optional<int> CapabilityByName(std::string_view name) {
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  if (lower.rfind("cap_", 0) != 0) lower.insert(0, "cap_");
  cap_value_t number = 0;
  // cap_from_name(3) also takes plain numbers; with the prefix in front it cannot here.
  if (cap_from_name(lower.c_str(), &number) != 0) return std::nullopt;
  return number;
}

std::vector<std::string> CapabilityNames(CapabilityMask mask) {
  std::vector<std::string> names;
  for (int number = 0; number < 64; ++number) {
    if ((mask & Bit(number)) == 0) continue;
    std::unique_ptr<char, FreeCapabilities> name(cap_to_name(number));
    std::string text = name ? name.get() : std::to_string(number);
    if (text.rfind("cap_", 0) == 0) text.erase(0, 4);
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return std::toupper(c); });
    names.push_back(std::move(text));
  }
  return names;
}

CapabilityMask DefaultCapabilities() {
  return Bit(CAP_CHOWN) | Bit(CAP_DAC_OVERRIDE) | Bit(CAP_FOWNER) | Bit(CAP_FSETID) |
         Bit(CAP_KILL) | Bit(CAP_SETGID) | Bit(CAP_SETUID) | Bit(CAP_SETPCAP) |
         Bit(CAP_NET_BIND_SERVICE) | Bit(CAP_SYS_CHROOT) | Bit(CAP_SETFCAP);
}

CapabilityMask AllCapabilities() { return Bit(cap_max_bits()) - 1; }

CapabilitySets SetsForUser(CapabilityMask mask, bool is_root) {
  CapabilitySets sets;
  sets.bounding = mask;
  if (is_root) sets.permitted = sets.effective = mask;
  return sets;
}

Result<CapabilityMask> OwnEffectiveCapabilities() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct data[2] = {};
  if (capget(&header, data) != 0) return Error::FromErrno(errno, "capget");
  return CapabilityMask{data[0].effective} | (CapabilityMask{data[1].effective} << 32);
}

}  // namespace skiff::isolation
