// Where a layer's files are made, so that one set of rules (unpack.cc, layer_tree.cc) serves the
// directory that a layer is unpacked into (LayerDirectory) and the EROFS image that describes it
// (erofs_tree.h). The functions are those of isolation/sys of the same names and fail with the same
// errno; `directory` is the number of a LayerHandle, a path is relative to it and may have several
// components, none of which is a symlink, but for OpenInRoot. Private to images/. One thread.
#pragma once

#include <sys/stat.h>
#include <time.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"

namespace skiff::images {

// Something opened in a sink: a descriptor of the directory's, a number of the tree's own.
class LayerHandle {
 public:
  LayerHandle() = default;
  explicit LayerHandle(UniqueFd fd) : number_(fd.get()), fd_(std::move(fd)) {}
  explicit LayerHandle(int number) : number_(number) {}
  int get() const { return number_; }

 private:
  int number_ = -1;
  UniqueFd fd_;
};

class LayerSink {
 public:
  virtual ~LayerSink() = default;
  virtual int root() const = 0;
  // What is made belongs to root:root of itself.
  virtual bool makes_for_root() const = 0;

  // flags: O_PATH or O_RDONLY, with O_DIRECTORY, maybe O_NOFOLLOW.
  virtual Result<LayerHandle> OpenInRoot(const std::string& path, int flags) = 0;
  virtual Result<struct stat> Stat(int directory, const std::string& path) = 0;
  virtual Result<struct stat> StatHandle(int handle) = 0;
  virtual Result<std::string> ReadLink(int directory, const std::string& path) = 0;
  virtual Result<std::vector<std::string>> ListXattrs(int directory, const std::string& path) = 0;

  virtual Result<> MakeDirectory(int directory, const std::string& path, mode_t mode) = 0;
  virtual Result<> MakeNode(int directory, const std::string& path, mode_t mode, dev_t device) = 0;
  virtual Result<> Symlink(const std::string& target, int directory, const std::string& path) = 0;
  virtual Result<> Link(int from_directory, const std::string& from, int to_directory,
                        const std::string& to) = 0;
  virtual Result<> Unlink(int directory, const std::string& path) = 0;
  virtual Result<> RemoveTree(int directory, const std::string& path) = 0;

  virtual Result<> Chown(int directory, const std::string& path, uint32_t uid, uint32_t gid) = 0;
  virtual Result<> Chmod(int directory, const std::string& path, mode_t mode) = 0;
  virtual Result<> SetTimes(int directory, const std::string& path, const timespec& time) = 0;
  virtual Result<> SetXattr(int directory, const std::string& path, const std::string& name,
                            std::string_view value) = 0;

  // A new file, open for writing.
  virtual Result<LayerHandle> CreateFile(int directory, const std::string& path, mode_t mode) = 0;
  // `stored`: where in the tar the bytes begin, when they are the tar's.
  virtual Result<> WriteAt(int file, std::string_view bytes, uint64_t offset,
                           std::optional<uint64_t> stored) = 0;
  virtual Result<> SetSize(int file, uint64_t size) = 0;
  virtual Result<> ChownHandle(int handle, uint32_t uid, uint32_t gid) = 0;
  virtual Result<> ChmodHandle(int handle, mode_t mode) = 0;
  virtual Result<> SetTimesHandle(int handle, const timespec& time) = 0;
};

// A directory of this host. `root` is borrowed. The process's umask should be 0.
class LayerDirectory : public LayerSink {
 public:
  explicit LayerDirectory(int root);
  int root() const override { return root_; }
  bool makes_for_root() const override { return makes_for_root_; }
  Result<LayerHandle> OpenInRoot(const std::string& path, int flags) override;
  Result<struct stat> Stat(int directory, const std::string& path) override;
  Result<struct stat> StatHandle(int handle) override;
  Result<std::string> ReadLink(int directory, const std::string& path) override;
  Result<std::vector<std::string>> ListXattrs(int directory, const std::string& path) override;
  Result<> MakeDirectory(int directory, const std::string& path, mode_t mode) override;
  Result<> MakeNode(int directory, const std::string& path, mode_t mode, dev_t device) override;
  Result<> Symlink(const std::string& target, int directory, const std::string& path) override;
  Result<> Link(int from_directory, const std::string& from, int to_directory,
                const std::string& to) override;
  Result<> Unlink(int directory, const std::string& path) override;
  Result<> RemoveTree(int directory, const std::string& path) override;
  Result<> Chown(int directory, const std::string& path, uint32_t uid, uint32_t gid) override;
  Result<> Chmod(int directory, const std::string& path, mode_t mode) override;
  Result<> SetTimes(int directory, const std::string& path, const timespec& time) override;
  Result<> SetXattr(int directory, const std::string& path, const std::string& name,
                    std::string_view value) override;
  Result<LayerHandle> CreateFile(int directory, const std::string& path, mode_t mode) override;
  Result<> WriteAt(int file, std::string_view bytes, uint64_t offset,
                   std::optional<uint64_t> stored) override;
  Result<> SetSize(int file, uint64_t size) override;
  Result<> ChownHandle(int handle, uint32_t uid, uint32_t gid) override;
  Result<> ChmodHandle(int handle, mode_t mode) override;
  Result<> SetTimesHandle(int handle, const timespec& time) override;

 private:
  int root_;
  bool makes_for_root_;
};

}  // namespace skiff::images
