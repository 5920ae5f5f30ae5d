#include "runtime/agent/task_start.h"

#include <fcntl.h>

#include "isolation/base/scope_exit.h"
#include "isolation/base/text.h"
#include "isolation/sys/file.h"
#include "isolation/sys/mount.h"
#include "runtime/agent/limits.h"
#include "runtime/agent/own_program.h"
#include "runtime/agent/task_directory.h"
#include "runtime/supervisor/id_blocks.h"

namespace skiff::runtime {
namespace {

constexpr const char* kSupervisor = "skiff-supervisor";

PlannedImage PlannedImageOf(const images::Image& image) {
  PlannedImage planned;
  planned.id = image.id.ToString();
  planned.config = image.config;
  for (const images::LayerInfo& layer : image.layers) planned.layers.push_back(layer.directory);
  return planned;
}

Error NoImage(Error error) {
  if (error.code() != Code::kNotFound) return error;
  return Error(Code::kNotFound,
               error.message() + "; bring it in with skiff image pull, or skiff image import");
}

Result<> ResolveImage(const images::ImageStore& store, const std::string& text,
                      ResolvedImages* resolved) {
  Result<images::Image> image = store.Resolve(text);
  if (!image.ok()) return NoImage(std::move(image).error());
  std::vector<UniqueFd> layers = TRY(store.Hold(image.value()).Context("image " + text));
  for (UniqueFd& layer : layers) resolved->held_layers.push_back(std::move(layer));
  resolved->images.emplace(text, PlannedImageOf(image.value()));
  return {};
}

Result<> WriteRecord(const std::string& definition, TaskPlan* plan, const std::string& directory) {
  TRY(sys::MakeDirectory(AT_FDCWD, directory, 0700));
  // With the directory goes the claim.
  ScopeExit remove([&] { sys::RemoveTree(AT_FDCWD, directory).Ignore(); });
  if (plan->user_namespace.is_wanted) {
    plan->user_namespace.first_id = TRY(ClaimIdBlock(plan->roots, plan->id));
  }
  TRY(sys::WriteFile(AT_FDCWD, directory + "/definition.json", definition));
  // Last, and whole or not at all: with a plan there, a sweep knows what to clean up.
  TRY(sys::WriteFile(AT_FDCWD, directory + "/plan.new", EncodePlan(*plan)));
  TRY(sys::Rename(AT_FDCWD, directory + "/plan.new", AT_FDCWD, directory + "/plan.json"));
  remove.Cancel();
  return {};
}

}  // namespace

Result<ResolvedImages> ResolveImages(const TaskDefinition& definition,
                                     const images::ImageStore& store, bool with_members) {
  ResolvedImages resolved;
  for (size_t i = 0; i < definition.containers.size(); ++i) {
    const std::string& text = definition.containers[i].image;
    if (resolved.images.contains(text)) continue;
    Result<> found = ResolveImage(store, text, &resolved);
    if (found.ok()) continue;
    if (!with_members) return std::move(found).error();
    return std::move(found).error().Context("containerDefinitions[" + std::to_string(i) +
                                            "].image");
  }
  return resolved;
}

Result<PreparedTask> PrepareTask(const TaskDefinition& definition, const std::string& text,
                                 PlanRequest request, ResolvedImages images) {
  request.images = std::move(images.images);
  UniqueFd sweep_hold = TRY(HoldOffSweeps(request.roots));
  TaskPlan plan = TRY(MakePlan(definition, request));
  std::string directory = request.roots.TaskDirectory(request.id);
  TRY(WriteRecord(text, &plan, directory));
  return PreparedTask{std::move(plan), std::move(directory), std::move(images.held_layers),
                      std::move(sweep_hold)};
}

Result<StartedSupervisor> StartSupervisor(const PreparedTask& task) {
  std::string path = TRY(FindOwnProgram(kSupervisor, "SKIFF_SUPERVISOR"));
  sys::Pipe pulse = TRY(sys::MakePipe(O_NONBLOCK));
  UniqueFd output = TRY(
      sys::Open(AT_FDCWD, task.directory + "/supervisor.log", O_WRONLY | O_CREAT | O_APPEND, 0600));
  // A container's process is this program until its exec: it must not be a way to write it.
  UniqueFd program = TRY(sys::OpenProgramReadOnly(path));
  sys::SpawnSpec spec;
  spec.path = path;
  spec.program = program.get();
  spec.arguments = {kSupervisor, task.directory};
  spec.environment = OwnEnvironment();
  spec.fds = {pulse.write_end.get(), output.get(), output.get()};
  spec.new_session = true;
  sys::Process process = TRY(sys::Spawn(spec));
  return StartedSupervisor{std::move(process), std::move(pulse.read_end)};
}

std::string LastWordsOf(const std::string& task_directory) {
  Result<std::string> log =
      sys::ReadFile(AT_FDCWD, task_directory + "/supervisor.log", kMaxSupervisorLog);
  if (!log.ok()) return "";
  std::string text(TrimSpace(log.value()));
  return text.substr(text.find_last_of('\n') + 1);
}

}  // namespace skiff::runtime
