// Any bytes as a layer's tar, made into an EROFS image: what the writer accepts is an image that
// the checker accepts, and every file in it can be read to its end. The image's own bytes, changed,
// are an error or another image, and nothing worse.
#include <fcntl.h>

#include "images/erofs_reader.h"
#include "images/erofs_tree.h"
#include "images/erofs_writer.h"
#include "images/unpack.h"
#include "isolation/sys/file.h"
#include "isolation/sys/inode.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/images/mutate_tar.h"
#include "tests/support/memory_source.h"

namespace {

using skiff::Result;
using skiff::UniqueFd;
using skiff::fuzz::Check;
using skiff::images::ErofsReader;
using skiff::images::ErofsTree;
using skiff::images::LowerLayer;

constexpr size_t kRead = 1 << 20;  // of one file: holes may be as long as a layer

void ReadAll(const ErofsReader& reader, const std::string& path, bool is_sound) {
  Result<std::vector<std::string>> names = reader.ListDirectory(path);
  if (!names.ok()) return Check(!is_sound);
  for (const std::string& name : names.value()) {
    std::string full = path.empty() ? name : path + "/" + name;
    Result<struct stat> info = reader.Stat(full);
    Check(info.ok() || !is_sound);
    if (!info.ok()) continue;
    Result<std::vector<std::string>> xattrs = reader.ListXattrs(full);
    Check(xattrs.ok() || !is_sound);
    if (S_ISLNK(info.value().st_mode)) Check(reader.ReadLink(full).ok() || !is_sound);
    if (S_ISREG(info.value().st_mode)) {
      auto file = reader.OpenFile(full);
      Check(file.ok() || !is_sound);
      size_t size = 0;
      while (file.ok() && size < kRead) {
        auto piece = file.value()->Next();
        Check(piece.ok() || !is_sound);
        if (!piece.ok() || piece.value().empty()) break;
        size += piece.value().size();
      }
    }
    // A damaged one may go in circles.
    if (S_ISDIR(info.value().st_mode) && is_sound) ReadAll(reader, full, is_sound);
  }
}

UniqueFd Copy(int file) {
  return skiff::sys::Open(AT_FDCWD, "/proc/self/fd/" + std::to_string(file), O_RDWR).value();
}

// Changes a byte of the image after the superblock, whose checksum would tell.
void ReadDamaged(int image, int tar, const std::string& bytes) {
  constexpr uint64_t kMeta = 1536;
  uint64_t size = static_cast<uint64_t>(skiff::sys::StatFd(image).value().st_size);
  if (bytes.size() < 4 || size <= kMeta) return;
  auto at = [&](size_t i) { return static_cast<unsigned char>(bytes[bytes.size() - i]); };
  uint64_t position = kMeta + (at(1) | at(2) << 8 | at(3) << 16) % (size - kMeta);
  skiff::sys::WriteAllAt(image, bytes.substr(bytes.size() - 4, 1), position).Ignore();
  Result<std::unique_ptr<ErofsReader>> reader = ErofsReader::Open(Copy(image), Copy(tar));
  if (!reader.ok()) return;
  bool is_sound = reader.value()->Check().ok();
  ReadAll(*reader.value(), "", is_sound);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string bytes =
      skiff::fuzz::MendChecksums(std::string(reinterpret_cast<const char*>(data), size));
  UniqueFd image = skiff::sys::MakeMemoryFile("").value();
  UniqueFd tar = skiff::sys::MakeMemoryFile("").value();
  std::string padded = bytes + std::string((512 - bytes.size() % 512) % 512, '\0');
  skiff::sys::WriteAllAt(tar.get(), padded, 0).Ignore();
  skiff::test::MemorySource source(bytes, 1000);
  ErofsTree tree(image.get());
  auto layer = skiff::images::UnpackLayer(
      &source, &tree, [] { return Result<std::vector<std::unique_ptr<LowerLayer>>>({}); });
  if (!layer.ok()) return 0;
  Result<uint64_t> written = skiff::images::WriteErofs(&tree, tar.get(), padded.size());
  if (!written.ok()) return 0;
  auto reader = ErofsReader::Open(Copy(image.get()), Copy(tar.get()));
  Check(reader.ok());
  Check(reader.value()->Check().ok());
  ReadAll(*reader.value(), "", true);
  ReadDamaged(image.get(), tar.get(), bytes);
  return 0;
}
