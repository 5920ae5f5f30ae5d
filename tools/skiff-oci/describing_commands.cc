#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <memory>

#include "isolation/cgroup.h"
#include "isolation/oci/describe.h"
#include "isolation/sys/file.h"
#include "tools/skiff-oci/commands.h"

namespace skiff::oci_tool {
namespace {

namespace oci = skiff::isolation::oci;

Result<> WriteExample(const std::string& bundle, bool is_rootless) {
  std::string path = bundle + "/config.json";
  if (sys::Exists(AT_FDCWD, path))
    return Error(Code::kConflict, "file " + path + " exists: remove it first");
  Result<isolation::CgroupHost> host = isolation::CgroupHost::Discover();
  bool has_cgroup_v1 = host.ok() && host.value().Directories("").size() > 1;
  std::string text = oci::ExampleConfig(is_rootless, geteuid(), getegid(), has_cgroup_v1);
  return sys::WriteFile(AT_FDCWD, path, text, 0644);
}

}  // namespace

void AddDescribingCommands(CLI::App* app, Session* session) {
  auto bundle = std::make_shared<std::string>();
  auto is_rootless = std::make_shared<bool>(false);
  CLI::App* spec = app->add_subcommand("spec", "Write an example config.json");
  spec->add_option("-b,--bundle", *bundle, "Directory to write it to")->default_val(".");
  spec->add_flag("--rootless", *is_rootless, "For a caller without rights on the host");
  spec->callback([=] { session->Settle(WriteExample(*bundle, *is_rootless)); });
  app->add_subcommand("features", "Tell what is supported, as JSON")->callback([] {
    fputs(oci::DescribeFeatures().c_str(), stdout);
  });
}

}  // namespace skiff::oci_tool
