#include "runtime/supervisor/id_blocks.h"

#include <fcntl.h>

#include <functional>
#include <string>

#include "isolation/sys/file.h"
#include "isolation/sys/inode.h"
#include "isolation/sys/user_namespace.h"

namespace skiff::runtime {
namespace {

Result<UniqueFd> OpenLocked(const Roots& roots) {
  TRY(sys::MakeDirectories(roots.IdBlocksDirectory(), 0700));
  UniqueFd directory = TRY(sys::OpenDirectory(AT_FDCWD, roots.IdBlocksDirectory()));
  TRY(sys::Lock(directory.get(), sys::LockMode::kExclusive));
  return directory;
}

// Takes the block's name unless a task that still has a directory holds it.
Result<bool> TryClaim(const Roots& roots, int directory, const std::string& name,
                      const TaskId& task) {
  Result<> made = sys::Symlink(task.text(), directory, name);
  if (made.ok()) return true;
  if (made.error().sys_errno() != EEXIST) return std::move(made).error();
  std::string holder = TRY(sys::ReadLink(directory, name));
  // Of a start of this task that a crash cut short.
  if (holder == task.text()) return true;
  if (sys::Exists(AT_FDCWD, roots.TasksDirectory() + "/" + holder)) return false;
  TRY(sys::Unlink(directory, name));
  TRY(sys::Symlink(task.text(), directory, name));
  return true;
}

}  // namespace

Result<uint32_t> ClaimIdBlock(const Roots& roots, const TaskId& task) {
  UniqueFd directory = TRY(OpenLocked(roots));
  // From a place of the task's own: the first try is as good as always a free one, here and, for
  // they know nothing of each other, in other installations of this host.
  size_t start = std::hash<std::string>{}(task.text());
  for (uint32_t i = 0; i < kIdBlocks; ++i) {
    uint32_t first =
        kFirstBlockId + static_cast<uint32_t>((start + i) % kIdBlocks) * sys::kIdBlockSize;
    bool is_claimed = TRY(TryClaim(roots, directory.get(), std::to_string(first), task));
    if (is_claimed) return first;
  }
  return Error(Code::kExhausted,
               "user ids: live tasks have all " + std::to_string(kIdBlocks) + " blocks");
}

Result<> ReleaseIdBlock(const Roots& roots, const TaskId& task, uint32_t first_id) {
  if (first_id == 0) return {};
  UniqueFd directory = TRY(OpenLocked(roots));
  std::string name = std::to_string(first_id);
  Result<std::string> holder = sys::ReadLink(directory.get(), name);
  if (!holder.ok() && holder.error().code() == Code::kNotFound) return {};
  if (!holder.ok()) return std::move(holder).error();
  return holder.value() == task.text() ? sys::Unlink(directory.get(), name) : Result<>();
}

}  // namespace skiff::runtime
