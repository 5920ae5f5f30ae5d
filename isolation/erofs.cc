#include "isolation/erofs.h"

#include <fcntl.h>

#include "isolation/sys/file.h"
#include "isolation/sys/inode.h"
#include "isolation/sys/loop.h"
#include "isolation/sys/mount.h"

namespace skiff::isolation {
namespace {

constexpr int64_t kOverlayMagic = 0x794c7630;  // OVERLAYFS_SUPER_MAGIC of linux/magic.h

std::string Reach(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

// `image` and `data`: files or block devices, borrowed.
Result<UniqueFd> Mount(int image, int data) {
  sys::FilesystemContext context = TRY(sys::FilesystemContext::Open("erofs"));
  TRY(context.SetString("source", Reach(image)));
  TRY(context.SetString("device", Reach(data)));
  TRY(context.SetFlag("ro"));
  TRY(context.Create());
  return context.Mount(0);
}

// The devices live as long as the mount.
Result<UniqueFd> MountByLoop(int image, int data) {
  sys::LoopDevice image_device = TRY(sys::ShareLoop(image));
  sys::LoopDevice data_device = TRY(sys::ShareLoop(data));
  return Mount(image_device.fd.get(), data_device.fd.get());
}

// The kernel would take the layer as a file and overlayfs the layer, but not both.
bool IsStacked(int fd) { return sys::FilesystemType(fd).ValueOr(0) == kOverlayMagic; }

Result<UniqueFd> MountBacked(int image, int data, ErofsBacking backing) {
  if (backing == ErofsBacking::kLoop) return MountByLoop(image, data);
  if (IsStacked(image)) {
    return Error(Code::kUnavailable, "an EROFS image on overlayfs is mounted by loop devices only");
  }
  return Mount(image, data);
}

// The smallest image: an empty root directory. See images/erofs_format.h for what stands where.
std::string EmptyImage() {
  constexpr size_t kBlock = 512;
  constexpr size_t kSuper = 1024;
  constexpr size_t kInode = 1536 + 64;
  std::string image(4 * kBlock, '\0');
  auto put = [&](size_t at, uint64_t value, size_t bytes) {
    for (size_t i = 0; i < bytes; ++i) image[at + i] = static_cast<char>(value >> (8 * i));
  };
  put(kSuper, 0xE0F5E1E2, 4);
  put(kSuper + 12, 9, 1);      // blocks of 2^9 bytes
  put(kSuper + 14, 2, 2);      // the root's number
  put(kSuper + 16, 1, 8);      // inodes
  put(kSuper + 36, 4, 4);      // blocks
  put(kSuper + 40, 3, 4);      // where the inodes begin
  put(kSuper + 80, 4 | 8, 4);  // files in chunks, a second device
  put(kSuper + 86, 1, 2);
  put(kSuper + 88, 9, 2);  // its slot
  put(kSuper + 128 + 64, 1, 4);
  put(kInode, 1 | 2 << 1, 2);  // extended, the content behind it
  put(kInode + 4, 040755, 2);
  constexpr size_t kContent = 2 * 12 + 3;
  put(kInode + 8, kContent, 8);
  put(kInode + 20, 2, 4);
  put(kInode + 44, 2, 4);
  size_t at = kInode + 64;
  for (size_t name : {24, 25}) {  // "." and ".."
    put(at, 2, 8);
    put(at + 8, name, 2);
    put(at + 10, 2, 1);
    at += 12;
  }
  image.replace(at, 3, "...");
  return image;
}

// What a kernel has against files is no reason not to try loop devices.
struct FirstMount {
  ErofsBacking backing;
  UniqueFd mount;
};
Result<FirstMount> MountFirst(int image, int data) {
  Result<UniqueFd> from_files = MountBacked(image, data, ErofsBacking::kFiles);
  if (from_files.ok()) return FirstMount{ErofsBacking::kFiles, std::move(from_files).value()};
  Result<UniqueFd> by_loop = MountBacked(image, data, ErofsBacking::kLoop);
  if (by_loop.ok()) return FirstMount{ErofsBacking::kLoop, std::move(by_loop).value()};
  return Error(Code::kUnavailable, "from files: " + from_files.error().message() +
                                       "; by loop devices: " + by_loop.error().message());
}

Result<ErofsBacking> Probe(const std::string& directory) {
  UniqueFd image = TRY(sys::OpenUnnamed(AT_FDCWD, directory));
  UniqueFd data = TRY(sys::OpenUnnamed(AT_FDCWD, directory));
  TRY(sys::WriteAllAt(image.get(), EmptyImage(), 0));
  TRY(sys::WriteAllAt(data.get(), std::string(512, '\0'), 0));
  FirstMount first = TRY(MountFirst(image.get(), data.get()));
  return first.backing;
}

struct LayerFiles {
  UniqueFd image;
  UniqueFd data;
};
Result<LayerFiles> OpenFiles(const std::string& directory) {
  UniqueFd place = TRY(sys::OpenDirectory(AT_FDCWD, directory));
  UniqueFd image = TRY(sys::Open(place.get(), kErofsImage, O_RDONLY | O_NOFOLLOW));
  UniqueFd data = TRY(sys::Open(place.get(), kErofsData, O_RDONLY | O_NOFOLLOW));
  return LayerFiles{std::move(image), std::move(data)};
}

}  // namespace

Result<UniqueFd> MountErofs(const std::string& directory, ErofsBacking backing) {
  LayerFiles files = TRY(OpenFiles(directory));
  return MountBacked(files.image.get(), files.data.get(), backing);
}

Result<UniqueFd> MountErofs(const std::string& directory) {
  LayerFiles files = TRY(OpenFiles(directory));
  Result<FirstMount> first = MountFirst(files.image.get(), files.data.get());
  if (first.ok()) return std::move(first.value().mount);
  return Error(Code::kUnavailable, "EROFS layer " + directory + ": " + first.error().message() +
                                       "; skiff image verify --repair makes it anew, unpacked");
}

Result<ErofsBacking> FindErofsBacking(const std::string& directory) {
  return Probe(directory).Context("EROFS with blocks of 512 bytes");
}

std::string_view NameOfBacking(ErofsBacking backing) {
  switch (backing) {
    case ErofsBacking::kFiles:
      return "files";
    case ErofsBacking::kLoop:
      return "loop devices";
  }
  return "none";
}

}  // namespace skiff::isolation
