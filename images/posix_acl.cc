#include "images/posix_acl.h"

#include <cerrno>
#include <cstdint>

namespace skiff::images {
namespace {

constexpr size_t kHeader = 4;
constexpr size_t kEntry = 8;
constexpr uint32_t kVersion = 2;
constexpr unsigned kPermissions = 7;

enum Tag : unsigned {
  kUserObject = 0x01,
  kUser = 0x02,
  kGroupObject = 0x04,
  kGroup = 0x08,
  kMask = 0x10,
  kOther = 0x20,
};

unsigned Byte(std::string_view text, size_t at) { return static_cast<unsigned char>(text[at]); }

unsigned Short(std::string_view text, size_t at) {
  return Byte(text, at) | Byte(text, at + 1) << 8;
}

uint32_t Word(std::string_view text, size_t at) {
  return Short(text, at) | uint32_t{Short(text, at + 2)} << 16;
}

size_t Count(std::string_view acl) { return (acl.size() - kHeader) / kEntry; }
unsigned TagOf(std::string_view acl, size_t i) { return Short(acl, kHeader + i * kEntry); }
unsigned PermissionsOf(std::string_view acl, size_t i) {
  return Short(acl, kHeader + i * kEntry + 2);
}

Error Refused(int number) { return Error::FromErrno(number, "access control list"); }

bool Has(std::string_view acl, unsigned tag) {
  for (size_t i = 0; i < Count(acl); ++i) {
    if (TagOf(acl, i) == tag) return true;
  }
  return false;
}

}  // namespace

// The order and number of entries as posix_acl_valid() of the kernel wants them.
Result<> CheckAcl(std::string_view acl) {
  if (acl.size() < kHeader) return Refused(EINVAL);
  if (Word(acl, 0) != kVersion) return Refused(EOPNOTSUPP);
  if ((acl.size() - kHeader) % kEntry != 0) return Refused(EINVAL);
  unsigned expected = kUserObject;
  bool needs_mask = false;
  for (size_t i = 0; i < Count(acl); ++i) {
    if ((PermissionsOf(acl, i) & ~kPermissions) != 0) return Refused(EINVAL);
    unsigned tag = TagOf(acl, i);
    bool is_named = tag == kUser || tag == kGroup;
    bool has_place = false;
    if (tag == kUserObject || tag == kUser) {
      has_place = expected == (tag == kUserObject ? kUserObject : kUser);
      expected = kUser;
    } else if (tag == kGroupObject) {
      has_place = expected == kUser;
      expected = kGroup;
    } else if (tag == kGroup) {
      has_place = expected == kGroup;
    } else if (tag == kMask) {
      has_place = expected == kGroup;
      expected = kOther;
    } else if (tag == kOther) {
      has_place = expected == kOther || (expected == kGroup && !needs_mask);
      expected = 0;
    }
    if (!has_place) return Refused(EINVAL);
    if (is_named && Word(acl, kHeader + i * kEntry + 4) == UINT32_MAX) return Refused(EINVAL);
    needs_mask |= is_named;
  }
  // An empty one is none at all.
  return expected == 0 || Count(acl) == 0 ? Result<>() : Refused(EINVAL);
}

mode_t ModeOfAcl(std::string_view acl, mode_t mode, std::optional<std::string>* kept) {
  kept->reset();
  if (Count(acl) == 0) return mode;
  bool has_mask = Has(acl, kMask);
  mode_t permissions = 0;
  for (size_t i = 0; i < Count(acl); ++i) {
    unsigned tag = TagOf(acl, i);
    if (tag == kUserObject) permissions |= PermissionsOf(acl, i) << 6;
    if (tag == (has_mask ? kMask : kGroupObject)) permissions |= PermissionsOf(acl, i) << 3;
    if (tag == kOther) permissions |= PermissionsOf(acl, i);
  }
  constexpr size_t kPlainEntries = 3;
  if (has_mask || Count(acl) != kPlainEntries) *kept = std::string(acl);
  return (mode & ~mode_t{0777}) | permissions;
}

std::string AclOfMode(std::string_view acl, mode_t mode) {
  std::string changed(acl);
  bool has_mask = Has(acl, kMask);
  for (size_t i = 0; i < Count(acl); ++i) {
    unsigned tag = TagOf(acl, i);
    size_t at = kHeader + i * kEntry + 2;
    if (tag == kUserObject) changed[at] = static_cast<char>(mode >> 6 & kPermissions);
    if (tag == (has_mask ? kMask : kGroupObject)) {
      changed[at] = static_cast<char>(mode >> 3 & kPermissions);
    }
    if (tag == kOther) changed[at] = static_cast<char>(mode & kPermissions);
  }
  return changed;
}

}  // namespace skiff::images
