#include "runtime/supervisor/task_storage.h"

#include <fcntl.h>

#include <cerrno>
#include <filesystem>
#include <string>

#include "isolation/base/scope_exit.h"
#include "isolation/sys/file.h"
#include "isolation/sys/inode.h"
#include "isolation/sys/loop.h"
#include "isolation/sys/mount.h"
#include "isolation/sys/process.h"
#include "isolation/sys/quota.h"
#include "isolation/sys/user_namespace.h"

namespace skiff::runtime {
namespace {

constexpr uint64_t kStatBlock = 512;
// Of a task without a block of user ids; administrators number their projects from 1 on.
constexpr uint32_t kOwnProjects = 0x80000000;

std::string ContainersOf(const TaskPlan& plan) {
  return plan.roots.TaskDirectory(plan.id) + "/containers";
}

std::string ImageOf(const TaskPlan& plan) {
  return plan.roots.TaskDirectory(plan.id) + "/storage.img";
}

// No other live task of this file system has it.
Result<uint32_t> ProjectFor(const TaskPlan& plan, int containers) {
  if (plan.user_namespace.first_id != 0) return plan.user_namespace.first_id;
  struct stat info = TRY(sys::StatFd(containers));
  return kOwnProjects | static_cast<uint32_t>(info.st_ino);
}

// The directory's project if it is the task's: an administrator may have given one to the whole
// data root.
Result<uint32_t> OwnProject(const TaskPlan& plan, int containers) {
  uint32_t own = TRY(ProjectFor(plan, containers));
  uint32_t found = sys::ProjectOf(containers).ValueOr(0);
  return found == own ? own : 0;
}

Result<> LimitByQuota(const TaskPlan& plan, int containers) {
  uint32_t project = TRY(ProjectFor(plan, containers));
  // The limit first: a directory that has a project is known to have one.
  TRY(sys::SetProjectLimit(containers, project, plan.storage.limit.count()));
  return sys::SetProject(containers, project);
}

Result<std::string> FindMke2fs() {
  for (const char* path : {"/sbin/mke2fs", "/usr/sbin/mke2fs", "/usr/local/sbin/mke2fs"}) {
    if (sys::Exists(AT_FDCWD, path)) return std::string(path);
  }
  return Error(Code::kUnavailable, "no mke2fs on this host (package e2fsprogs)");
}

// No journal: the file lives no longer than the task. Everything that is zero stays a hole.
Result<> MakeFilesystem(const std::string& image) {
  sys::SpawnSpec spec;
  spec.path = TRY(FindMke2fs());
  spec.arguments = {"mke2fs",
                    "-q",
                    "-F",
                    "-t",
                    "ext4",
                    "-O",
                    "^has_journal,^resize_inode",
                    "-m",
                    "0",
                    "-E",
                    "lazy_itable_init=1,nodiscard,root_owner=0:0",
                    image};
  UniqueFd null = TRY(sys::Open(AT_FDCWD, "/dev/null", O_RDWR));
  spec.fds = {null.get(), null.get(), null.get()};
  sys::Process process = TRY(sys::Spawn(spec));
  std::optional<sys::ExitStatus> ended = TRY(sys::WaitPidfd(process.pidfd.get(), true));
  int code = ended.value_or(sys::ExitStatus()).ShellCode();
  if (code == 0) return {};
  return Error(Code::kUnavailable, "mke2fs " + image + ": exit status " + std::to_string(code));
}

Result<UniqueFd> MountImage(const std::string& image) {
  UniqueFd file = TRY(sys::Open(AT_FDCWD, image, O_RDWR));
  sys::LoopDevice device = TRY(sys::AttachLoop(file.get()));
  sys::FilesystemContext context = TRY(sys::FilesystemContext::Open("ext4"));
  TRY(context.SetString("source", device.path));
  TRY(context.SetFlag("noinit_itable"));  // would fill the holes
  TRY(context.SetFlag("discard"));        // makes new ones where files go
  TRY(context.Create());
  return context.Mount(0);
}

Result<> LimitByImage(const TaskPlan& plan) {
  std::string image = ImageOf(plan);
  ScopeExit remove([&] { sys::Unlink(AT_FDCWD, image).Ignore(); });
  {
    UniqueFd file = TRY(sys::Open(AT_FDCWD, image, O_RDWR | O_CREAT | O_EXCL, 0600));
    TRY(sys::Truncate(file.get(), static_cast<int64_t>(plan.storage.limit.count())));
  }
  TRY(MakeFilesystem(image));
  UniqueFd mounted = TRY(MountImage(image));
  TRY(sys::EnterFollowingMountNamespace());
  TRY(sys::AttachMount(mounted.get(), AT_FDCWD, ContainersOf(plan)));
  remove.Cancel();
  return {};
}

// Files that have several names count as often.
Result<uint64_t> AddUp(const std::string& directory) {
  uint64_t sum = 0;
  std::error_code failure;
  using Walk = std::filesystem::recursive_directory_iterator;
  for (Walk walk(directory, failure), end; !failure && walk != end; walk.increment(failure)) {
    Result<struct stat> info = sys::Stat(AT_FDCWD, walk->path().string());
    if (info.ok()) sum += static_cast<uint64_t>(info.value().st_blocks) * kStatBlock;
  }
  if (!failure || failure.value() == ENOENT) return sum;
  return Error::FromErrno(failure.value(), "read " + directory);
}

}  // namespace

std::string_view StorageKeeperName(StorageKeeper keeper) {
  switch (keeper) {
    case StorageKeeper::kQuota:
      return "project quota";
    case StorageKeeper::kImage:
      return "image file";
    case StorageKeeper::kNoNeed:
      return "read-only root file systems";
    case StorageKeeper::kNobody:
      break;
  }
  return "nobody";
}

Result<StorageKeeper> LimitStorage(const TaskPlan& plan) {
  if (!plan.HasWritableFiles()) return StorageKeeper::kNoNeed;
  if (plan.storage.limit.count() == 0) return StorageKeeper::kNobody;
  TRY(sys::MakeDirectories(ContainersOf(plan), 0755));
  UniqueFd containers = TRY(sys::OpenDirectory(AT_FDCWD, ContainersOf(plan)));
  if (sys::EnforcesProjects(containers.get())) {
    TRY(LimitByQuota(plan, containers.get()));
    return StorageKeeper::kQuota;
  }
  if (!plan.storage.is_asked) return StorageKeeper::kNobody;
  TRY(LimitByImage(plan));
  return StorageKeeper::kImage;
}

Result<> RemoveStorage(const TaskPlan& plan) {
  std::string containers = ContainersOf(plan);
  if (sys::Exists(AT_FDCWD, ImageOf(plan))) {
    // In the namespace of the supervisor, if this is it; elsewhere nothing is mounted.
    sys::DetachMount(containers).Ignore();
    TRY(sys::RemoveTree(AT_FDCWD, containers));
    return sys::Unlink(AT_FDCWD, ImageOf(plan));
  }
  Result<UniqueFd> opened = sys::OpenDirectory(AT_FDCWD, containers);
  if (!opened.ok() && opened.error().sys_errno() == ENOENT) return {};
  UniqueFd directory = TRY(std::move(opened));
  uint32_t project = TRY(OwnProject(plan, directory.get()));
  if (project == 0) return sys::RemoveTree(AT_FDCWD, containers);
  // What is empty keeps the project's number until its limit has gone, whoever does that.
  TRY(sys::EmptyTree(directory.get()));
  TRY(sys::SetProjectLimit(directory.get(), project, 0));
  directory.Reset();
  return sys::RemoveTree(AT_FDCWD, containers);
}

Result<StorageFacts> LookAtStorage(const TaskPlan& plan) {
  StorageFacts facts;
  if (!plan.HasWritableFiles()) {
    facts.keeper = StorageKeeper::kNoNeed;
    return facts;
  }
  Result<struct stat> image = sys::Stat(AT_FDCWD, ImageOf(plan));
  if (image.ok()) {
    facts.keeper = StorageKeeper::kImage;
    facts.used = static_cast<uint64_t>(image.value().st_blocks) * kStatBlock;
    return facts;
  }
  Result<UniqueFd> opened = sys::OpenDirectory(AT_FDCWD, ContainersOf(plan));
  if (!opened.ok() && opened.error().sys_errno() == ENOENT) return facts;
  UniqueFd directory = TRY(std::move(opened));
  uint32_t project = TRY(OwnProject(plan, directory.get()));
  if (project != 0 && sys::EnforcesProjects(directory.get())) {
    facts.keeper = StorageKeeper::kQuota;
    facts.used = TRY(sys::ProjectUsage(directory.get(), project));
    return facts;
  }
  facts.used = TRY(AddUp(ContainersOf(plan)));
  return facts;
}

}  // namespace skiff::runtime
