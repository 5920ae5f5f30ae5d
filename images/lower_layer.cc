#include "images/lower_layer.h"

#include <fcntl.h>

#include "isolation/sys/file.h"
#include "isolation/sys/inode.h"

namespace skiff::images {
namespace {

std::string Relative(const std::string& path) { return path.empty() ? "." : path; }

class OwnedFile : public ByteSource {
 public:
  OwnedFile(UniqueFd fd, uint64_t size) : fd_(std::move(fd)), file_(fd_.get(), 0, size) {}
  Result<std::string_view> Next() override { return file_.Next(); }

 private:
  UniqueFd fd_;
  FileSource file_;
};

}  // namespace

Result<std::unique_ptr<LowerLayer>> LowerDirectory::Open(const std::string& path) {
  UniqueFd root = TRY(sys::OpenDirectory(AT_FDCWD, path));
  return std::unique_ptr<LowerLayer>(new LowerDirectory(std::move(root)));
}

Result<struct stat> LowerDirectory::Stat(const std::string& path) const {
  return sys::Stat(root_.get(), Relative(path));
}

Result<std::string> LowerDirectory::ReadLink(const std::string& path) const {
  return sys::ReadLink(root_.get(), path);
}

Result<std::vector<std::string>> LowerDirectory::ListXattrs(const std::string& path) const {
  return sys::ListXattrs(root_.get(), Relative(path));
}

Result<std::string> LowerDirectory::GetXattr(const std::string& path,
                                             const std::string& name) const {
  return sys::GetXattr(root_.get(), Relative(path), name);
}

Result<std::vector<std::string>> LowerDirectory::ListDirectory(const std::string& path) const {
  return sys::ListDirectory(root_.get(), Relative(path));
}

Result<std::unique_ptr<ByteSource>> LowerDirectory::OpenFile(const std::string& path) const {
  UniqueFd fd = TRY(sys::OpenBeneath(root_.get(), path, O_RDONLY));
  struct stat info = TRY(sys::StatFd(fd.get()));
  return std::unique_ptr<ByteSource>(
      std::make_unique<OwnedFile>(std::move(fd), static_cast<uint64_t>(info.st_size)));
}

}  // namespace skiff::images
