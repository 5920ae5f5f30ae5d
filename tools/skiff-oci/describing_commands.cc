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

Result<> WriteExample(const std::string& bundle, const std::string& file, bool is_rootless) {
  std::string path = file.starts_with("/") ? file : bundle + "/" + file;
  if (sys::Exists(AT_FDCWD, path))
    return Error(Code::kConflict, "file " + path + " exists: remove it first");
  Result<isolation::CgroupHost> host = isolation::CgroupHost::Discover();
  bool has_cgroup_v1 = host.ok() && host.value().Directories("").size() > 1;
  std::string text = oci::ExampleConfig(is_rootless, geteuid(), getegid(), has_cgroup_v1);
  return sys::WriteFile(AT_FDCWD, path, text, 0644);
}

Result<> PrintHelp(const CLI::App& app, const std::string& name) {
  const CLI::App* command = &app;
  std::string title = app.get_name();
  if (!name.empty()) {
    std::vector<const CLI::App*> all =
        app.get_subcommands([&](const CLI::App* each) { return each->check_name(name); });
    if (all.empty())
      return Error(Code::kInvalid, "No help topic for '" + name + "': see skiff-oci --help");
    command = all.front();
    title += " " + name;
  }
  // Not App::help(): that is of the command on the command line.
  std::string text = app.get_formatter()->make_help(command, title, CLI::AppFormatMode::Normal);
  fputs(text.c_str(), stdout);
  return {};
}

void AddSpec(CLI::App* command, Session* session) {
  auto bundle = std::make_shared<std::string>();
  auto file = std::make_shared<std::string>();
  auto is_rootless = std::make_shared<bool>(false);
  command->add_option("-b,--bundle", *bundle, "Directory to write it to")->default_val(".");
  command->add_option("-f,--file", *file, "Name of the file")->default_val("config.json");
  command->add_flag("--rootless", *is_rootless, "For a caller without rights on the host");
  command->callback([=] { session->Settle(WriteExample(*bundle, *file, *is_rootless)); });
}

void AddFeatures(CLI::App* command, Session* /*session*/) {
  command->callback([] { fputs(oci::DescribeFeatures().c_str(), stdout); });
}

void AddHelp(CLI::App* command, Session* session) {
  auto name = std::make_shared<std::string>();
  command->add_option("COMMAND", *name, "Name of the command");
  command->callback([=] { session->Settle(PrintHelp(*command->get_parent(), *name)); });
}

constexpr Command kCommands[] = {{"spec", "Write an example config.json", AddSpec},
                                 {"features", "Tell what is supported, as JSON", AddFeatures},
                                 {"help", "Print the help of all or of one command", AddHelp}};

}  // namespace

std::span<const Command> DescribingCommands() { return kCommands; }

}  // namespace skiff::oci_tool
