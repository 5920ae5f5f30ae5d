// Reads an EROFS image as erofs_writer.h writes them, without the kernel: to look things up in a
// layer beneath, and to check an image. Believes nothing: whatever the image says that is not of
// that form is an error, and nothing outside of the two files is read. Private to images/. One
// thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "images/erofs_tree.h"
#include "images/lower_layer.h"
#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"

namespace skiff::images {

class ErofsReader : public LowerLayer {
 public:
  // The directory of a layer (layer_kind.h).
  static Result<std::unique_ptr<LowerLayer>> OpenLayer(const std::string& directory);
  static Result<std::unique_ptr<ErofsReader>> OpenReader(const std::string& directory);
  static Result<std::unique_ptr<ErofsReader>> Open(UniqueFd image, UniqueFd tar);

  Result<struct stat> Stat(const std::string& path) const override;
  Result<std::string> ReadLink(const std::string& path) const override;
  Result<std::vector<std::string>> ListXattrs(const std::string& path) const override;
  Result<std::string> GetXattr(const std::string& path, const std::string& name) const override;
  Result<std::vector<std::string>> ListDirectory(const std::string& path) const override;
  Result<std::unique_ptr<ByteSource>> OpenFile(const std::string& path) const override;

  // Whether the layer's image is one that this program could have written. Goes through all of it:
  // names sorted, kinds and link counts right, every byte inside the files, every inode reached.
  Result<> Check() const;

 private:
  struct Inode {
    uint64_t number = 0;
    uint64_t position = 0;  // in the image
    unsigned layout = 0;
    size_t xattrs = 0;  // bytes
    uint32_t mode = 0;
    uint64_t size = 0;
    uint32_t data = 0;  // depends on the kind
    uint32_t uid = 0;
    uint32_t gid = 0;
    timespec mtime{};
    uint32_t links = 0;
  };
  struct Entry {
    std::string name;
    uint64_t number = 0;
    unsigned type = 0;
  };
  using Xattrs = std::vector<std::pair<std::string, std::string>>;
  class Content;
  class Checker;

  ErofsReader(UniqueFd image, UniqueFd tar) : image_(std::move(image)), tar_(std::move(tar)) {}
  Result<> ReadSuper();
  Result<std::string> Bytes(uint64_t position, uint64_t size) const;
  Result<Inode> ReadInode(uint64_t number) const;
  Result<Inode> Find(const std::string& path) const;
  Result<std::string> SmallContent(const Inode& inode) const;
  Result<std::vector<Entry>> ReadEntries(const Inode& inode) const;
  Result<Xattrs> ReadXattrs(const Inode& inode) const;
  Result<std::vector<ErofsExtent>> ExtentsOf(const Inode& inode) const;

  UniqueFd image_;
  UniqueFd tar_;
  uint64_t image_size_ = 0;
  uint64_t tar_size_ = 0;
  uint64_t meta_ = 0;
  uint64_t inodes_ = 0;
};

// ErofsReader::Check of the layer in `directory`.
Result<> CheckErofsLayer(const std::string& directory);

}  // namespace skiff::images
