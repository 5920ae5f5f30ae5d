// Leases of a subnet's addresses, shared by every process of one installation.
//
// One file per prefix, <data_root>/network/leases/172.31.0.0-20: 64-byte text lines, the first the
// header (boot id and cursor), line n+1 the owner of address n or blanks. Every change happens
// under flock(2) on it, so processes that die leave no half-made lease. Leases of an earlier boot
// are void: nothing that held them can still live. Lines that make no sense count as free. Any
// thread; several stores on one file are fine.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"
#include "networking/address.h"

namespace skiff::networking {

struct Lease {
  std::string eni_id;
  Ipv4Address address;
  MacAddress mac;
};

// 1 to kMaxEniId letters, digits, '-', '_' and '.'.
Result<> CheckEniId(const std::string& eni_id);

class LeaseStore {
 public:
  // `boot_id`: what /proc/sys/kernel/random/boot_id says (BootId()); tests give others.
  static Result<LeaseStore> Open(const std::string& data_root, Ipv4Prefix prefix,
                                 std::string boot_id);

  // An ENI that has a lease gets it again. A freed address is the last to be handed out again.
  Result<Lease> Allocate(const std::string& eni_id);
  Result<> Release(const std::string& eni_id);  // absent is fine
  Result<std::optional<Lease>> Find(const std::string& eni_id);
  Result<std::vector<Lease>> List();

 private:
  LeaseStore(std::string path, Ipv4Prefix prefix, std::string boot_id)
      : path_(std::move(path)), prefix_(prefix), boot_id_(std::move(boot_id)) {}
  std::string path_;
  Ipv4Prefix prefix_;
  std::string boot_id_;
};

Result<std::string> BootId();

}  // namespace skiff::networking
