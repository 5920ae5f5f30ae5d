// Any mountinfo, and any text in the files of a group: parsed without harm. The tree is made of
// plain files in a temporary directory.
#include <fcntl.h>

#include <string>

#include "isolation/cgroup.h"
#include "isolation/sys/file.h"
#include "tests/fuzz/check.h"
#include "tests/support/temp_dir.h"

namespace {

using skiff::fuzz::Check;
using skiff::isolation::CgroupHost;
using skiff::isolation::Controller;
namespace sys = skiff::sys;

struct Tree {
  skiff::test::TempDir directory;
  std::string path = directory.path();

  Tree() {
    Check(sys::MakeDirectories(path + "/group", 0700).ok());
    for (const char* file : {"memory.max", "memory.swap.max", "memory.low", "cpu.max", "pids.max",
                             "cpu.weight", "cgroup.procs"}) {
      Write("group/" + std::string(file), "");
    }
    Write("cgroup.subtree_control", "");
    Write("cgroup.controllers", "cpu memory pids");
  }
  void Write(const std::string& name, std::string_view text) {
    Check(sys::WriteFile(AT_FDCWD, path + "/" + name, text).ok());
  }
  skiff::Result<CgroupHost> Discover(std::string_view mountinfo) {
    Write("mountinfo", mountinfo);
    return CgroupHost::Discover(CgroupHost::Hierarchies::kEvery, path + "/mountinfo");
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Tree tree;
  auto parts = skiff::fuzz::Parts(skiff::fuzz::TextOf(data, size), 5);
  if (parts[0].find("cgroup2") != std::string_view::npos) {
    auto host = tree.Discover(parts[0]);
    if (host.ok()) Check(!host.value().unified_mount().empty());
  }
  // The input's file of controllers, in a host whose hierarchy is ours.
  tree.Write("cgroup.controllers", parts[1]);
  auto host = tree.Discover("36 35 98:0 / " + tree.path + " rw - cgroup2 none rw\n");
  Check(host.ok());
  Check(host.value().unified_mount() == tree.path);
  Check(host.value().PlacementOf(Controller::kMemory) != CgroupHost::Placement::kLegacy);

  tree.Write("cgroup.controllers", "cpu memory pids");
  auto limited = tree.Discover("36 35 98:0 / " + tree.path + " rw - cgroup2 none rw\n");
  tree.Write("group/memory.current", parts[2]);
  tree.Write("group/memory.events", parts[3]);
  tree.Write("group/cpu.stat", parts[4]);
  std::vector<std::string> warnings;
  skiff::isolation::CgroupLimits limits;
  limits.memory_max = skiff::Bytes(4096);
  auto group = limited.value().Create("group", limits, &warnings);
  Check(group.ok() && warnings.empty());
  skiff::isolation::CgroupUsage usage = group.value().Usage();
  if (usage.oom_kills != 0) Check(parts[3].find("oom_kill ") != std::string_view::npos);
  if (usage.cpu_us) Check(parts[4].find("usage_usec ") != std::string_view::npos);
  return 0;
}
