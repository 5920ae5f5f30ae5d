#include "networking/lease_store.h"

#include <fcntl.h>

#include <algorithm>
#include <utility>

#include "isolation/base/text.h"
#include "isolation/sys/failpoint.h"
#include "isolation/sys/file.h"
#include "networking/limits.h"

namespace skiff::networking {
namespace {

constexpr size_t kRecord = 64;
constexpr std::string_view kMagic = "skiff-leases-1";
static_assert(kMaxEniId < kRecord);

std::string Padded(std::string text) {
  text.resize(kRecord - 1, ' ');
  return text + '\n';
}

std::string EncodeHeader(const std::string& boot_id, uint64_t cursor) {
  return Padded(std::string(kMagic) + " " + boot_id + " " + std::to_string(cursor));
}

bool IsEniId(std::string_view text) {
  auto is_fine = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  return !text.empty() && text.size() <= kMaxEniId &&
         std::all_of(text.begin(), text.end(), is_fine);
}

// The lease file while it is locked: the lock goes with the descriptor.
class LockedLeases {
 public:
  // A file of another boot, or without a header, is emptied first.
  static Result<LockedLeases> Open(const std::string& path, const Ipv4Prefix& prefix,
                                   const std::string& boot_id) {
    UniqueFd fd = TRY(sys::Open(AT_FDCWD, path, O_RDWR | O_CREAT, 0600));
    TRY(sys::Lock(fd.get(), sys::LockMode::kExclusive).Context(path));
    Bytes limit((prefix.size() + 1) * kRecord);
    Result<std::string> text = sys::ReadAll(fd.get(), path, limit);
    bool is_too_long = !text.ok() && text.error().code() == Code::kInvalid;
    if (!text.ok() && !is_too_long) return std::move(text).error();
    LockedLeases leases(std::move(fd), path, prefix, boot_id, std::move(text).ValueOr(""));
    if (!leases.ReadHeader()) TRY(leases.Reset());
    return leases;
  }

  std::string_view OwnerOf(uint64_t index) const {
    size_t offset = (index + 1) * kRecord;
    if (offset + kRecord > text_.size()) return {};
    std::string_view owner = TrimSpace(std::string_view(text_).substr(offset, kRecord));
    return IsEniId(owner) ? owner : std::string_view();
  }

  std::optional<uint64_t> IndexOf(std::string_view eni_id) const {
    uint64_t count = text_.size() / kRecord;
    for (uint64_t index = 0; index + 1 < count; ++index) {
      // Taking thousands of records apart would be a good part of a task's start and end.
      bool is_alike = text_.compare((index + 1) * kRecord, eni_id.size(), eni_id) == 0;
      if (is_alike && OwnerOf(index) == eni_id) return index;
    }
    return std::nullopt;
  }

  // The first free address after the one handed out last.
  std::optional<uint64_t> NextFree() const {
    uint64_t usable = prefix_.size() - kReservedHead - kReservedTail;
    for (uint64_t step = 0; step < usable; ++step) {
      uint64_t index = kReservedHead + (cursor_ + step) % usable;
      if (OwnerOf(index).empty()) return index;
    }
    return std::nullopt;
  }

  Result<> Take(uint64_t index, const std::string& eni_id) {
    TRY(Write(index + 1, Padded(eni_id)));
    cursor_ = index - kReservedHead + 1;
    return Write(0, EncodeHeader(boot_id_, cursor_));
  }

  Result<> Free(uint64_t index) { return Write(index + 1, Padded("")); }

  Lease At(uint64_t index) const {
    Ipv4Address address = prefix_.Nth(index);
    return {std::string(OwnerOf(index)), address, MacAddress::ForAddress(address)};
  }

  std::vector<Lease> All() const {
    std::vector<Lease> all;
    for (uint64_t index = 0; index < prefix_.size(); ++index)
      if (!OwnerOf(index).empty()) all.push_back(At(index));
    return all;
  }

 private:
  LockedLeases(UniqueFd fd, std::string path, Ipv4Prefix prefix, std::string boot_id,
               std::string text)
      : fd_(std::move(fd)),
        path_(std::move(path)),
        prefix_(prefix),
        boot_id_(std::move(boot_id)),
        text_(std::move(text)) {}

  bool ReadHeader() {
    if (text_.size() < kRecord) return false;
    std::string_view header = TrimSpace(std::string_view(text_).substr(0, kRecord));
    std::vector<std::string_view> words = Split(header, ' ');
    if (words.size() != 3 || words[0] != kMagic || words[1] != boot_id_) return false;
    std::optional<uint64_t> cursor = ParseUint(words[2], prefix_.size());
    cursor_ = cursor.value_or(0);
    return cursor.has_value();
  }

  Result<> Reset() {
    text_.clear();
    cursor_ = 0;
    TRY(sys::Truncate(fd_.get(), 0).Context(path_));
    return Write(0, EncodeHeader(boot_id_, 0));
  }

  Result<> Write(uint64_t record, const std::string& line) {
    size_t offset = record * kRecord;
    TRY(sys::WriteAt(fd_.get(), line, static_cast<int64_t>(offset), path_));
    if (text_.size() < offset + kRecord) text_.resize(offset + kRecord, '\0');
    text_.replace(offset, kRecord, line);
    return {};
  }

  UniqueFd fd_;
  std::string path_;
  Ipv4Prefix prefix_;
  std::string boot_id_;
  std::string text_;
  uint64_t cursor_ = 0;
};

}  // namespace

Result<> CheckEniId(const std::string& eni_id) {
  if (IsEniId(eni_id)) return {};
  return Error(Code::kInvalid, "eni id '" + eni_id.substr(0, 64) + "': must have 1 to " +
                                   std::to_string(kMaxEniId) + " letters, digits, '-', '_', '.'");
}

Result<std::string> BootId() {
  std::string text = TRY(sys::ReadFile(AT_FDCWD, "/proc/sys/kernel/random/boot_id"));
  return std::string(TrimSpace(text));
}

Result<LeaseStore> LeaseStore::Open(const std::string& data_root, Ipv4Prefix prefix,
                                    std::string boot_id) {
  if (prefix.length() < kMinSubnetBits || prefix.length() > kMaxSubnetBits)
    return Error(Code::kInvalid, "subnet " + prefix.ToString() + ": must be /" +
                                     std::to_string(kMinSubnetBits) + " to /" +
                                     std::to_string(kMaxSubnetBits));
  std::string directory = data_root + "/network/leases";
  if (!sys::Exists(AT_FDCWD, directory)) TRY(sys::MakeDirectories(directory, 0700));
  std::string name = prefix.network().ToString() + "-" + std::to_string(prefix.length());
  return LeaseStore(directory + "/" + name, prefix, std::move(boot_id));
}

Result<Lease> LeaseStore::Allocate(const std::string& eni_id) {
  TRY(failpoint::Check("lease.allocate"));
  TRY(CheckEniId(eni_id));
  LockedLeases leases = TRY(LockedLeases::Open(path_, prefix_, boot_id_));
  if (std::optional<uint64_t> index = leases.IndexOf(eni_id)) return leases.At(*index);
  std::optional<uint64_t> index = leases.NextFree();
  if (!index)
    return Error(Code::kExhausted, "no free address in " + prefix_.ToString() + " (" +
                                       std::to_string(leases.All().size()) + " in use)");
  TRY(leases.Take(*index, eni_id).Context("lease for " + eni_id));
  return leases.At(*index);
}

Result<> LeaseStore::Release(const std::string& eni_id) {
  TRY(failpoint::Check("lease.release"));
  if (!sys::Exists(AT_FDCWD, path_)) return {};
  LockedLeases leases = TRY(LockedLeases::Open(path_, prefix_, boot_id_));
  std::optional<uint64_t> index = leases.IndexOf(eni_id);
  if (!index) return {};
  return leases.Free(*index).Context("release lease of " + eni_id);
}

Result<std::optional<Lease>> LeaseStore::Find(const std::string& eni_id) {
  if (!sys::Exists(AT_FDCWD, path_)) return std::optional<Lease>();
  LockedLeases leases = TRY(LockedLeases::Open(path_, prefix_, boot_id_));
  std::optional<uint64_t> index = leases.IndexOf(eni_id);
  if (!index) return std::optional<Lease>();
  return std::optional<Lease>(leases.At(*index));
}

Result<std::vector<Lease>> LeaseStore::List() {
  if (!sys::Exists(AT_FDCWD, path_)) return std::vector<Lease>();
  LockedLeases leases = TRY(LockedLeases::Open(path_, prefix_, boot_id_));
  return leases.All();
}

}  // namespace skiff::networking
