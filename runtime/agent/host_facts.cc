#include "runtime/agent/host_facts.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

#include "isolation/base/text.h"
#include "isolation/capabilities.h"
#include "isolation/sys/file.h"
#include "isolation/sys/process.h"

namespace skiff::runtime {
namespace {

Result<uint64_t> ReadNumber(const std::string& path) {
  std::string text = TRY(sys::ReadFile(AT_FDCWD, path));
  std::optional<uint64_t> number = ParseUint(TrimSpace(text));
  if (!number) return Error(Code::kInternal, path + ": not a number");
  return *number;
}

}  // namespace

Result<Bytes> ParseTotalMemory(std::string_view meminfo) {
  constexpr std::string_view kName = "MemTotal:";
  for (std::string_view line : Split(meminfo, '\n')) {
    if (!line.starts_with(kName)) continue;
    std::string_view value = TrimSpace(line.substr(kName.size()));
    std::optional<uint64_t> kib = ParseUint(value.substr(0, value.find(' ')), UINT64_MAX >> 10);
    if (kib) return Bytes::KiB(*kib);
  }
  return Error(Code::kUnavailable, "/proc/meminfo: no MemTotal");
}

Result<HostFacts> ReadHostFacts() {
  HostFacts facts;
  facts.cpus = static_cast<uint64_t>(std::max(sysconf(_SC_NPROCESSORS_ONLN), 1L));
  std::string meminfo = TRY(sys::ReadFile(AT_FDCWD, "/proc/meminfo"));
  facts.memory = TRY(ParseTotalMemory(meminfo));
  isolation::CapabilityMask own = TRY(isolation::OwnEffectiveCapabilities());
  int sys_resource = isolation::CapabilityByName("SYS_RESOURCE").value_or(0);
  facts.can_raise_limits = (own >> sys_resource & 1) != 0;
  for (int resource = 0; resource < static_cast<int>(RLIMIT_NLIMITS); ++resource) {
    struct rlimit limit = TRY(sys::GetLimit(resource));
    facts.hard_limits[resource] = limit.rlim_max;
  }
  facts.max_open_files = TRY(ReadNumber("/proc/sys/fs/nr_open"));
  return facts;
}

}  // namespace skiff::runtime
