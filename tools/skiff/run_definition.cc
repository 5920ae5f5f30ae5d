#include "tools/skiff/run_definition.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cctype>

#include "isolation/base/text.h"
#include "isolation/sys/file.h"
#include "runtime/model/limits.h"
#include "runtime/model/supported.h"
#include "runtime/model/validate.h"

namespace skiff::tools {
namespace {

// Follows symlinks, as reading it will.
bool IsRegularFile(const std::string& path) {
  Result<UniqueFd> fd = sys::Open(AT_FDCWD, path, O_RDONLY | O_NONBLOCK);
  if (!fd.ok()) return false;
  Result<struct stat> status = sys::StatFd(fd.value().get());
  return status.ok() && S_ISREG(status.value().st_mode);
}

// Flags for the container would be lost without a word beside a definition that has its own.
Result<> RefuseImageFlags(const Run& options) {
  std::string what;
  if (!options.image_flags.empty()) what = options.image_flags.front();
  if (!options.image.command.empty()) what = "a command after --";
  if (what.empty()) return {};
  return Error(Code::kInvalid, what + " is for images: task definition " + options.target +
                                   " says itself what its containers are");
}

Result<RunDefinition> ReadDefinition(const Run& options) {
  TRY(RefuseImageFlags(options));
  RunDefinition run;
  Bytes limit(runtime::kMaxTaskDefinitionBytes);
  run.text = TRY(sys::ReadFile(AT_FDCWD, options.target, limit).Context("task definition"));
  runtime::ParsedTaskDefinition parsed =
      TRY(runtime::ParseTaskDefinition(run.text, "task definition " + options.target));
  run.definition = std::move(parsed.definition);
  run.warnings = std::move(parsed.warnings);
  return run;
}

void ApplyFlags(const Run& options, runtime::TaskDefinition* definition) {
  if (options.network) definition->network_mode = *options.network;
  if (!options.stop_timeout) return;
  for (runtime::ContainerDefinition& container : definition->containers) {
    container.stop_timeout = *options.stop_timeout;
  }
}

// ECS demands a memory size where skiff, like Docker, runs an image without a limit.
runtime::TaskDefinition WithSomeMemory(runtime::TaskDefinition definition) {
  if (!definition.memory) definition.memory = Bytes::GiB(1);
  return definition;
}

Result<> CheckPorts(const Run& options, const runtime::TaskDefinition& definition) {
  if (options.ports.empty()) return {};
  runtime::NetworkMode mode = runtime::EffectiveNetworkMode(definition);
  if (mode == runtime::NetworkMode::kAwsvpc) return {};
  return Error(Code::kInvalid, "--publish: needs network mode awsvpc, the task has " +
                                   std::string(runtime::NetworkModeName(mode)));
}

}  // namespace

bool IsTaskDefinition(const std::string& target) {
  return target.ends_with(".json") || IsRegularFile(target);
}

std::string NameOfImage(const std::string& image) {
  std::string name = image.substr(0, image.find('@'));
  name = name.substr(name.find_last_of('/') + 1);
  name = name.substr(0, name.find(':'));
  for (char& c : name) {
    bool is_fine = isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_';
    if (!is_fine) c = '-';
  }
  return name.empty() ? "task" : name.substr(0, runtime::kMaxNameLength);
}

runtime::TaskDefinition DefinitionOfImage(const Run& options) {
  const ImageRunOptions& image = options.image;
  runtime::ContainerDefinition container;
  container.name = NameOfImage(options.target);
  container.image = options.target;
  container.environment = image.environment;
  container.user = image.user;
  container.working_directory = image.working_directory;
  if (image.entry_point) container.entry_point = {*image.entry_point};
  container.command = image.command;
  container.ulimits = image.ulimits;
  container.readonly_root_filesystem = image.is_read_only;
  runtime::TaskDefinition definition;
  definition.family = container.name;
  definition.network_mode = runtime::NetworkMode::kAwsvpc;
  if (image.cpu) definition.cpu = runtime::CpuUnits(*image.cpu);
  definition.memory = image.memory;
  definition.containers.push_back(std::move(container));
  return definition;
}

Result<RunDefinition> MakeDefinition(const Run& options) {
  RunDefinition run;
  run.is_image = !IsTaskDefinition(options.target);
  if (run.is_image) {
    run.definition = DefinitionOfImage(options);
  } else {
    run = TRY(ReadDefinition(options));
  }
  ApplyFlags(options, &run.definition);
  std::string what = (run.is_image ? "image " : "task definition ") + options.target;
  const runtime::TaskDefinition& definition = run.definition;
  if (run.is_image) {
    TRY(ValidateTaskDefinition(WithSomeMemory(definition), &run.warnings).Context(what));
  } else {
    TRY(ValidateTaskDefinition(definition, &run.warnings).Context(what));
  }
  TRY(CheckSupported(definition, &run.warnings).Context(what));
  TRY(CheckPorts(options, definition));
  if (run.text.empty()) run.text = EncodeTaskDefinition(definition);
  return run;
}

}  // namespace skiff::tools
