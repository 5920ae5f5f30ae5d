// The limits of images: how big each thing that comes from an image may be.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "isolation/base/bytes.h"

namespace skiff::images {

inline constexpr size_t kMaxReferenceLength = 255;
inline constexpr Bytes kMaxManifest = Bytes::MiB(4);  // manifests, indexes and configurations
inline constexpr size_t kMaxIndexDepth = 4;           // indexes within indexes
inline constexpr size_t kMaxIndexEntries = 4096;
inline constexpr size_t kMaxLayers = 500;  // what overlayfs can stack
inline constexpr size_t kMaxUrls = 16;     // of a foreign layer
inline constexpr size_t kMaxConfigStrings = 4096;

inline constexpr size_t kMaxTarEntries = 1'000'000;  // headers of every kind
inline constexpr size_t kMaxTarName = 4096;
inline constexpr size_t kMaxTarDepth = 256;  // components of a name
inline constexpr size_t kMaxPaxHeader = 1 << 20;
inline constexpr size_t kMaxSparseSegments = 1 << 17;
inline constexpr size_t kMaxXattrValue = 65536;
inline constexpr size_t kMaxXattrs = 256;      // of one entry
inline constexpr size_t kMaxPaxGlobals = 256;  // records in force at a time

inline constexpr Bytes kMaxLayer = Bytes::GiB(256);    // uncompressed tar of one layer
inline constexpr Bytes kMaxArchive = Bytes::GiB(256);  // an archive, uncompressed
// Names of directories and their times: with zstd's window and all else it stays below 64 MiB.
inline constexpr size_t kMaxDirectoryNames = 20 << 20;
inline constexpr size_t kMaxArchiveMembers = 65536;  // of an archive around layers
inline constexpr size_t kMaxSymlinks = 40;           // followed for one name, as the kernel
// 32 MiB: all that containerd, BuildKit and podman make (klauspost's encoder at its best), and zstd
// up to level 20. Levels 21, 22 and --long want 64 MiB and more, which is our memory.
inline constexpr int kZstdWindowLog = 25;
// gzip reaches 1032, zstd a million: nothing that anybody wants to run needs more than gzip gives.
inline constexpr uint64_t kMaxInflation = 1100;
inline constexpr Bytes kFreelyInflated = Bytes::MiB(256);   // of a layer, whatever its ratio
inline constexpr Bytes kMaxUnpackMemory = Bytes::MiB(512);  // zstd's window and a million names
inline constexpr uint64_t kReservedPart = 50;        // one of so many parts of a disk stays free,
inline constexpr Bytes kMaxReserve = Bytes::GiB(1);  // up to this
inline constexpr size_t kMaxUnpackAnswer = 16 << 10;
inline constexpr size_t kMaxDamage = 20;  // lines of what is wrong with a layer
inline constexpr Bytes kMaxStoreSettings = Bytes::MiB(1);
inline constexpr Bytes kMaxFileList = Bytes::GiB(1);
inline constexpr size_t kSourceChunk = 256 << 10;   // read, inflated and hashed at a time
inline constexpr uint64_t kHashedInline = 1 << 20;  // of a stream, before a thread is worth it

// Of a layer that becomes an EROFS image: parts of all its files, places of sparse ones, and bytes
// of attributes, for they are in memory until the tar's end.
inline constexpr size_t kMaxErofsExtents = 3'000'000;
inline constexpr size_t kMaxErofsFileChunks = 1 << 16;  // of one file
inline constexpr size_t kMaxErofsChunks = 1 << 22;
inline constexpr Bytes kMaxLayerXattrs = Bytes::MiB(64);

inline constexpr size_t kMaxParallelLayers = 4;           // unpacked at a time
inline constexpr std::chrono::seconds kMaxTurnWait{120};  // for another who makes a layer
inline constexpr std::chrono::milliseconds kTurnPause{25};
// How long a layer that was found whole is believed to be, within one boot.
inline constexpr std::chrono::seconds kCheckedFor{3600};

}  // namespace skiff::images
