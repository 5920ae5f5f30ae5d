#include "images/layer_sink.h"

#include <fcntl.h>

#include "isolation/sys/file.h"
#include "isolation/sys/inode.h"
#include "isolation/sys/process.h"

namespace skiff::images {

LayerDirectory::LayerDirectory(int root) : root_(root), makes_for_root_(sys::IsRoot()) {}

Result<LayerHandle> LayerDirectory::OpenInRoot(const std::string& path, int flags) {
  UniqueFd fd = TRY(sys::OpenInRoot(root_, path, flags));
  return LayerHandle(std::move(fd));
}

Result<struct stat> LayerDirectory::Stat(int directory, const std::string& path) {
  return sys::Stat(directory, path);
}

Result<struct stat> LayerDirectory::StatHandle(int handle) { return sys::StatFd(handle); }

Result<std::string> LayerDirectory::ReadLink(int directory, const std::string& path) {
  return sys::ReadLink(directory, path);
}

Result<std::vector<std::string>> LayerDirectory::ListXattrs(int directory,
                                                            const std::string& path) {
  return sys::ListXattrs(directory, path);
}

Result<> LayerDirectory::MakeDirectory(int directory, const std::string& path, mode_t mode) {
  return sys::MakeDirectory(directory, path, mode);
}

Result<> LayerDirectory::MakeNode(int directory, const std::string& path, mode_t mode,
                                  dev_t device) {
  return sys::MakeNode(directory, path, mode, device);
}

Result<> LayerDirectory::Symlink(const std::string& target, int directory,
                                 const std::string& path) {
  return sys::Symlink(target, directory, path);
}

Result<> LayerDirectory::Link(int from_directory, const std::string& from, int to_directory,
                              const std::string& to) {
  return sys::Link(from_directory, from, to_directory, to);
}

Result<> LayerDirectory::Unlink(int directory, const std::string& path) {
  return sys::Unlink(directory, path);
}

Result<> LayerDirectory::RemoveTree(int directory, const std::string& path) {
  return sys::RemoveTree(directory, path);
}

Result<> LayerDirectory::Chown(int directory, const std::string& path, uint32_t uid, uint32_t gid) {
  return sys::Chown(directory, path, uid, gid);
}

Result<> LayerDirectory::Chmod(int directory, const std::string& path, mode_t mode) {
  return sys::Chmod(directory, path, mode);
}

Result<> LayerDirectory::SetTimes(int directory, const std::string& path, const timespec& time) {
  return sys::SetTimes(directory, path, time);
}

Result<> LayerDirectory::SetXattr(int directory, const std::string& path, const std::string& name,
                                  std::string_view value) {
  return sys::SetXattr(directory, path, name, value);
}

Result<LayerHandle> LayerDirectory::CreateFile(int directory, const std::string& path,
                                               mode_t mode) {
  constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
  UniqueFd fd = TRY(sys::Open(directory, path, kFlags, mode));
  return LayerHandle(std::move(fd));
}

Result<> LayerDirectory::WriteAt(int file, std::string_view bytes, uint64_t offset,
                                 std::optional<uint64_t> /*stored*/) {
  return sys::WriteAllAt(file, bytes, offset);
}

Result<> LayerDirectory::SetSize(int file, uint64_t size) {
  return sys::Truncate(file, static_cast<int64_t>(size));
}

Result<> LayerDirectory::ChownHandle(int handle, uint32_t uid, uint32_t gid) {
  return sys::ChownFd(handle, uid, gid);
}

Result<> LayerDirectory::ChmodHandle(int handle, mode_t mode) { return sys::ChmodFd(handle, mode); }

Result<> LayerDirectory::SetTimesHandle(int handle, const timespec& time) {
  return sys::SetTimesFd(handle, time);
}

}  // namespace skiff::images
