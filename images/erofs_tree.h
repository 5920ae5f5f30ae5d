// A layer's files in memory, without their bytes, on their way into an EROFS image
// (erofs_writer.h): names and inodes, and where the tar has each file's content. It behaves as a
// directory of a file system that has everything would: the same errno for the same mistake. What
// is not the tar's (a file copied from a layer beneath) goes into the image at once. Private to
// images/. One thread.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "images/layer_sink.h"

namespace skiff::images {

struct ErofsExtent {
  uint64_t offset = 0;  // in the file
  uint64_t length = 0;
  uint64_t stored = 0;  // in the tar or the image
  bool is_in_tar = true;
};

struct ErofsNode {
  using Children = std::map<std::string, uint32_t>;
  uint32_t mode = 0;  // with the kind
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint32_t links = 0;   // names of it; 0: nobody finds it any more
  uint32_t parent = 0;  // of a directory
  dev_t device = 0;
  uint64_t size = 0;  // of a regular file
  timespec mtime{};
  std::string target;                  // of a symlink
  std::unique_ptr<Children> children;  // of a directory
  std::vector<ErofsExtent> extents;    // of a regular file, in order; the rest is a hole
  std::unique_ptr<std::map<std::string, std::string>> xattrs;  // null: none
};

class ErofsTree : public LayerSink {
 public:
  // `image` (borrowed) is empty, open for writing and reading.
  explicit ErofsTree(int image);

  const std::deque<ErofsNode>& nodes() const { return nodes_; }
  // A place in the image for `size` bytes, at a multiple of a block.
  Result<uint64_t> TakeSpace(uint64_t size);
  uint64_t data_end() const { return data_end_; }
  int image() const { return image_; }

  int root() const override { return 0; }
  bool makes_for_root() const override { return true; }
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
  struct Spot {
    uint32_t parent = 0;
    std::string name;
  };
  ErofsNode& At(int number) { return nodes_[static_cast<size_t>(number)]; }
  Result<uint32_t> Find(int directory, const std::string& path);
  Result<Spot> FindSpot(int directory, const std::string& path);
  Result<uint32_t> Enter(uint32_t directory, std::string_view name);
  Result<uint32_t> Make(int directory, const std::string& path, mode_t mode);
  void Drop(uint32_t number);
  Result<> SetAcl(ErofsNode* node, const std::string& name, std::string_view value);
  Result<> Keep(ErofsNode* node, const std::string& name, std::string_view value);

  int image_;
  uint64_t data_end_;
  std::deque<ErofsNode> nodes_;
  size_t extents_ = 0;
  size_t xattr_bytes_ = 0;
};

}  // namespace skiff::images
