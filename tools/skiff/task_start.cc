#include "tools/skiff/task_start.h"

#include <fcntl.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "images/store.h"
#include "isolation/base/clock.h"
#include "isolation/base/scope_exit.h"
#include "isolation/base/text.h"
#include "isolation/sys/file.h"
#include "tools/skiff/host_facts.h"
#include "tools/skiff/limits.h"
#include "tools/skiff/records.h"

namespace skiff::tools {
namespace {

constexpr const char* kSupervisor = "skiff-supervisor";

runtime::PlannedImage PlannedImageOf(const images::Image& image) {
  runtime::PlannedImage planned;
  planned.id = image.id.ToString();
  planned.config = image.config;
  for (const images::LayerInfo& layer : image.layers) planned.layers.push_back(layer.directory);
  return planned;
}

Error NoImage(Error error, const std::string& member) {
  bool is_missing = error.code() == Code::kNotFound;
  Error named = member.empty() ? std::move(error) : std::move(error).Context(member);
  if (!is_missing) return named;
  return Error(Code::kNotFound,
               named.message() + "; bring it in with: skiff image import PATH --name NAME");
}

// By the definition's image text, each resolved once; the held layers outlive a concurrent removal.
Result<> ResolveImages(const RunDefinition& run, const images::ImageStore& store,
                       runtime::PlanRequest* request, std::vector<UniqueFd>* held) {
  const auto& containers = run.definition.containers;
  for (size_t i = 0; i < containers.size(); ++i) {
    const std::string& text = containers[i].image;
    if (request->images.contains(text)) continue;
    std::string member =
        run.is_image ? "" : "containerDefinitions[" + std::to_string(i) + "].image";
    Result<images::Image> image = store.Resolve(text);
    if (!image.ok()) return NoImage(std::move(image).error(), member);
    std::vector<UniqueFd> layers = TRY(store.Hold(image.value()).Context("image " + text));
    std::move(layers.begin(), layers.end(), std::back_inserter(*held));
    request->images.emplace(text, PlannedImageOf(image.value()));
  }
  return {};
}

Result<> WriteRecord(const RunDefinition& run, const runtime::TaskPlan& plan,
                     const std::string& directory) {
  TRY(sys::MakeDirectory(AT_FDCWD, directory, 0700));
  ScopeExit remove([&] { sys::RemoveTree(AT_FDCWD, directory).Ignore(); });
  TRY(sys::WriteFile(AT_FDCWD, directory + "/definition.json", run.text));
  // Last: with a plan there, a sweep knows what to clean up.
  TRY(sys::WriteFile(AT_FDCWD, directory + "/plan.json", EncodePlan(plan)));
  remove.Cancel();
  return {};
}

// Beside this program: the two are of one build.
Result<std::string> FindSupervisor() {
#ifdef SKIFF_FAILPOINTS
  if (const char* path = getenv("SKIFF_SUPERVISOR")) return std::string(path);
#endif
  std::error_code failure;
  std::filesystem::path own = std::filesystem::read_symlink("/proc/self/exe", failure);
  if (failure) return Error::FromErrno(failure.value(), "readlink /proc/self/exe");
  std::string path = (own.parent_path() / kSupervisor).string();
  if (!sys::Exists(AT_FDCWD, path)) return Error(Code::kNotFound, path + ": no such program");
  return path;
}

std::vector<std::string> OwnEnvironment() {
  std::vector<std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) variables.emplace_back(*entry);
  return variables;
}

}  // namespace

Result<PreparedTask> PrepareTask(const RunDefinition& run,
                                 const std::vector<runtime::PublishedPortPlan>& ports,
                                 const runtime::Roots& roots) {
  runtime::PlanRequest request{.id = runtime::TaskId::Generate()};
  request.created_at = WallNanoseconds();
  request.roots = roots;
  request.published_ports = ports;
  images::ImageStore store = TRY(images::ImageStore::Open(roots.data));
  std::vector<UniqueFd> held;
  TRY(ResolveImages(run, store, &request, &held));
  request.host = TRY(ReadHostFacts().Context("host"));
  UniqueFd sweep_hold = TRY(HoldOffSweeps(roots));
  runtime::TaskPlan plan = TRY(MakePlan(run.definition, request));
  plan.warnings.insert(plan.warnings.begin(), run.warnings.begin(), run.warnings.end());
  std::string directory = roots.TaskDirectory(request.id);
  TRY(WriteRecord(run, plan, directory));
  return PreparedTask{std::move(plan), std::move(directory), std::move(held),
                      std::move(sweep_hold)};
}

Result<StartedSupervisor> StartSupervisor(const PreparedTask& task) {
  std::string path = TRY(FindSupervisor());
  sys::Pipe pulse = TRY(sys::MakePipe(O_NONBLOCK));
  UniqueFd output = TRY(
      sys::Open(AT_FDCWD, task.directory + "/supervisor.log", O_WRONLY | O_CREAT | O_APPEND, 0600));
  sys::SpawnSpec spec;
  spec.path = path;
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

}  // namespace skiff::tools
