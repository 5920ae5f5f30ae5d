#include "runtime/supervisor/task_user_namespace.h"

#include <fcntl.h>

#include <set>
#include <utility>

#include "isolation/base/text.h"
#include "isolation/erofs.h"
#include "isolation/sys/file.h"
#include "isolation/sys/mount.h"
#include "isolation/sys/process.h"
#include "runtime/supervisor/id_blocks.h"

namespace skiff::runtime {
namespace {

// overlayfs on id-mapped layers is Linux 5.19's.
Result<> CheckKernel() {
  std::string release = sys::KernelRelease();
  std::vector<std::string_view> numbers = Split(release, '.');
  uint64_t major = ParseUint(numbers[0]).value_or(0);
  uint64_t minor = numbers.size() < 2 ? 0 : ParseUint(numbers[1]).value_or(0);
  if (major > 5 || (major == 5 && minor >= 19)) return {};
  return Error(Code::kUnavailable,
               "kernel " + release + ": layers under other ids need 5.19 or later");
}

// One directory, and one image, for each file system: what the kernel refuses, it refuses for all
// of it. An image that cannot be mounted at all is no reason to go without a user namespace: no
// container starts from it, and its start says why.
Result<> CheckFilesystems(const std::set<std::string>& directories, int user_namespace) {
  std::set<std::pair<dev_t, bool>> seen;
  for (const std::string& directory : directories) {
    struct stat info = TRY(sys::Stat(AT_FDCWD, directory));
    bool is_image = isolation::IsErofsLayer(directory);
    if (!seen.insert({info.st_dev, is_image}).second) continue;
    Result<UniqueFd> mount =
        is_image ? isolation::MountErofs(directory) : sys::CloneMount(AT_FDCWD, directory, false);
    if (!mount.ok() && is_image) continue;
    if (!mount.ok()) return std::move(mount).error();
    TRY(sys::ShowIdsThrough(mount.value().get(), user_namespace, false, directory));
  }
  return {};
}

std::set<std::string> LayersOf(const TaskPlan& plan) {
  std::set<std::string> layers;
  for (const ContainerPlan& container : plan.containers) {
    layers.insert(container.layers.begin(), container.layers.end());
  }
  return layers;
}

}  // namespace

Result<sys::UserNamespace> MakeTaskUserNamespace(const TaskPlan& plan) {
  TRY(CheckKernel());
  bool with_network = plan.network_mode != NetworkMode::kHost;
  sys::UserNamespace made = TRY(sys::MakeUserNamespace(plan.user_namespace.first_id, with_network));
  std::set<std::string> directories = LayersOf(plan);
  directories.insert(plan.roots.TaskDirectory(plan.id));
  TRY(CheckFilesystems(directories, made.user.get()));
  return made;
}

Result<> CheckUserNamespace(const TaskPlan& plan) {
  TRY(CheckKernel());
  sys::UserNamespace made = TRY(sys::MakeUserNamespace(kFirstBlockId, false));
  return CheckFilesystems(LayersOf(plan), made.user.get());
}

std::string WithoutUserNamespace(const Error& reason) {
  return "no user namespace, the containers' root is the host's: " + reason.message();
}

}  // namespace skiff::runtime
