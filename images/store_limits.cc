#include "images/store_limits.h"

#include <algorithm>
#include <cerrno>
#include <string>

#include "images/limits.h"
#include "isolation/sys/file.h"

namespace skiff::images {

Result<Bytes> DiskRoom::Left() const {
  if (reserve_ == Bytes(0)) return Bytes(UINT64_MAX);
  sys::FilesystemSpace space = TRY(sys::SpaceOfFilesystem(directory_));
  Bytes usual(std::min(space.size / kReservedPart, kMaxReserve.count()));
  uint64_t reserve = reserve_.value_or(usual).count();
  return Bytes(space.available > reserve ? space.available - reserve : 0);
}

Result<> DiskRoom::Check(Bytes wanted, std::string_view what) const {
  Bytes left = TRY(Left());
  if (wanted <= left) return {};
  return Error::FromErrno(ENOSPC, std::string(what) + " need " + std::to_string(wanted.count()) +
                                      " bytes, and beside its reserve the store's disk has " +
                                      std::to_string(left.count()));
}

}  // namespace skiff::images
