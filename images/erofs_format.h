// EROFS as it lies on disk (Linux: Documentation/filesystems/erofs.rst, fs/erofs/erofs_fs.h), as
// far as skiff writes and reads it: little-endian, extended inodes, blocks of 512 bytes (Linux 6.4
// and later), files as chunks of a second device.
//
//   0        free, for boot sectors
//   1024     superblock, 128 bytes; its checksum covers the 512 bytes from here
//   1152     the second device's slot, 128 bytes
//   1536     what the tar does not have in one piece: copied files, badly aligned sparse ones
//   meta     inodes at multiples of 32 bytes: an inode's number is its distance from here by 32.
//            64 bytes, attributes, then chunk indexes or a small directory or symlink's content
//   blocks   of the directories and symlinks that did not fit behind their inode
//
// Private to images/.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace skiff::images::erofs {

inline constexpr uint32_t kMagic = 0xE0F5E1E2;
inline constexpr size_t kBlockBits = 9;
inline constexpr size_t kBlock = size_t{1} << kBlockBits;
inline constexpr size_t kSuperOffset = 1024;
inline constexpr size_t kSuperSize = 128;
inline constexpr size_t kDeviceSlot = 128;  // its offset is a multiple of it
inline constexpr size_t kDataStart = 1536;

inline constexpr uint32_t kHasChecksum = 1;  // compatible features
inline constexpr uint32_t kHasTimes = 2;     // of each inode
inline constexpr uint32_t kHasChunks = 4;    // incompatible features
inline constexpr uint32_t kHasDevices = 8;

inline constexpr size_t kSlot = 32;
inline constexpr size_t kInode = 64;
inline constexpr uint64_t kRoot = 2;  // readdir(3) would pass over number 0

inline constexpr unsigned kExtended = 1;  // bit 0 of an inode's format; the layout follows
inline constexpr unsigned kPlain = 0;
inline constexpr unsigned kInline = 2;
inline constexpr unsigned kChunks = 4;

inline constexpr unsigned kChunkIndexes = 0x20;
inline constexpr unsigned kChunkBitsMask = 0x1f;  // of the chunk's size, above the block's
inline constexpr size_t kChunkIndex = 8;
inline constexpr uint32_t kHole = UINT32_MAX;
inline constexpr unsigned kTarDevice = 1;

inline constexpr size_t kXattrHeader = 12;
inline constexpr size_t kXattrEntry = 4;
inline constexpr size_t kMaxXattrBytes = kXattrHeader + size_t{4} * (UINT16_MAX - 1);

inline constexpr size_t kDirent = 12;
inline constexpr size_t kMaxName = 255;

// What a directory's entry says of a file of this mode; 0: nothing that a layer has.
constexpr unsigned FileType(uint32_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return 1;
    case S_IFDIR:
      return 2;
    case S_IFCHR:
      return 3;
    case S_IFBLK:
      return 4;
    case S_IFIFO:
      return 5;
    case S_IFLNK:
      return 7;
    default:
      return 0;
  }
}

struct XattrPrefix {
  unsigned index;
  std::string_view prefix;
};
// "system.posix_acl_access" is all prefix: nothing may follow.
inline constexpr XattrPrefix kXattrPrefixes[] = {
    {1, "user."},
    {2, "system.posix_acl_access"},
    {3, "system.posix_acl_default"},
    {4, "trusted."},
    {6, "security."},
};

}  // namespace skiff::images::erofs
