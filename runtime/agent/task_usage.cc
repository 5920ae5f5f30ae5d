#include "runtime/agent/task_usage.h"

#include <fcntl.h>

#include "isolation/sys/file.h"

namespace skiff::runtime {
namespace {

// One directory a container, segments and indexes in it.
uint64_t BytesIn(const std::string& directory) {
  uint64_t bytes = 0;
  std::vector<std::string> containers = sys::ListDirectory(AT_FDCWD, directory).ValueOr({});
  for (const std::string& container : containers) {
    std::string place = directory + "/" + container;
    std::vector<std::string> files = sys::ListDirectory(AT_FDCWD, place).ValueOr({});
    for (const std::string& file : files) {
      Result<struct stat> info = sys::Stat(AT_FDCWD, place + "/" + file);
      if (info.ok()) bytes += static_cast<uint64_t>(info.value().st_size);
    }
  }
  return bytes;
}

}  // namespace

std::optional<TaskUsage> ReadTaskUsage(const isolation::CgroupHost& cgroups, const Roots& roots,
                                       const TaskId& id) {
  Result<isolation::Cgroup> group = cgroups.Open(roots.CgroupRoot() + "/" + id.text());
  if (!group.ok()) return std::nullopt;
  TaskUsage usage;
  usage.cgroup = group.value().Usage();
  usage.log_bytes =
      BytesIn(roots.data + "/logs/" + id.text()) + BytesIn(roots.TaskDirectory(id) + "/logs");
  return usage;
}

}  // namespace skiff::runtime
