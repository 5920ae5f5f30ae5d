// The nftables seam: elements of sets and maps by raw netlink, whole rulesets by libnftables.
//
// Elements are added and removed in transactions of exactly the elements given, whatever else the
// sets hold. Each operation is a failpoint, "nft.<operation>". Private to networking; one owner,
// one thread; acts in the network namespace it was opened in. Keep it open while there is work to
// wait for: closing it waits (10 ms) for the kernel to free whatever anybody has just removed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "isolation/base/result.h"
#include "networking/netlink_socket.h"

namespace skiff::networking {

enum class NftFamily : uint8_t { kInet = 1, kBridge = 7 };

struct NftSet {
  NftFamily family;
  std::string table;
  std::string name;
};

// Key and data as the kernel holds them: each field of a concatenation padded to four bytes.
struct NftElement {
  NftSet set;
  std::string key;
  std::string data;     // of maps; empty for sets
  std::string comment;  // at most 127 characters; people see it in `nft list ruleset`
};

class Nftables {
 public:
  static Result<Nftables> Open();

  // All or nothing. An element that is there with the same data is fine, with other data kConflict
  // (EBUSY); a missing table or set is kNotFound.
  Result<> Add(const std::vector<NftElement>& elements);
  // All or nothing; a missing element, set or table is kNotFound.
  Result<> Remove(const std::vector<NftElement>& elements);
  Result<std::optional<NftElement>> Find(const NftSet& set, const std::string& key);
  Result<std::vector<NftElement>> List(const NftSet& set);  // a missing set is empty
  Result<bool> HasTable(NftFamily family, const std::string& table);
  Result<> DeleteTable(NftFamily family, const std::string& table);  // absent is fine

 private:
  explicit Nftables(NetlinkSocket socket) : socket_(std::move(socket)) {}
  Result<> Commit(uint16_t message, uint16_t flags, const std::vector<NftElement>& elements);
  NetlinkSocket socket_;
};

// Carries out nft(8) commands as one transaction in the calling thread's namespace.
Result<> RunNftCommands(const std::string& commands);

}  // namespace skiff::networking
