// A layer beneath the one that is made, to look things up in: a directory, or an EROFS image
// (erofs_reader.h). No component of a path is a symlink; "" is the root. Private to images/. One
// thread.
#pragma once

#include <sys/stat.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "images/byte_source.h"
#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"

namespace skiff::images {

class LowerLayer {
 public:
  virtual ~LowerLayer() = default;
  // ENOENT and ENOTDIR say that it is not there. Of st_*: what a tar says of a file.
  virtual Result<struct stat> Stat(const std::string& path) const = 0;
  virtual Result<std::string> ReadLink(const std::string& path) const = 0;
  virtual Result<std::vector<std::string>> ListXattrs(const std::string& path) const = 0;
  virtual Result<std::string> GetXattr(const std::string& path, const std::string& name) const = 0;
  virtual Result<std::vector<std::string>> ListDirectory(const std::string& path) const = 0;
  // The content of a regular file.
  virtual Result<std::unique_ptr<ByteSource>> OpenFile(const std::string& path) const = 0;
};

class LowerDirectory : public LowerLayer {
 public:
  static Result<std::unique_ptr<LowerLayer>> Open(const std::string& path);
  Result<struct stat> Stat(const std::string& path) const override;
  Result<std::string> ReadLink(const std::string& path) const override;
  Result<std::vector<std::string>> ListXattrs(const std::string& path) const override;
  Result<std::string> GetXattr(const std::string& path, const std::string& name) const override;
  Result<std::vector<std::string>> ListDirectory(const std::string& path) const override;
  Result<std::unique_ptr<ByteSource>> OpenFile(const std::string& path) const override;

 private:
  explicit LowerDirectory(UniqueFd root) : root_(std::move(root)) {}
  UniqueFd root_;
};

}  // namespace skiff::images
