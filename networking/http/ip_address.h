// Addresses of peers: who can reach them, and who may send us there. Whoever answers a request may
// name the address of the next one (a redirect, a token server); without a rule, anybody on the
// outside could have this machine talk to its own services, to its neighbours, or to a cloud's
// metadata service. Values; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "isolation/base/result.h"

struct sockaddr;

namespace skiff::networking::http {

struct IpAddress {
  bool is_v6 = false;
  std::array<unsigned char, 16> bytes{};  // of IPv4 the first four

  // As inet_pton(3); IPv6 addresses that stand for IPv4 ones (RFC 4291, 2.5.5.2) become those.
  static std::optional<IpAddress> Parse(const std::string& text);
  // Whatever a resolver takes for a number: "127.1" and "0x7f000001" as well.
  static std::optional<IpAddress> ParseHost(const std::string& host);
  static std::optional<IpAddress> Of(const sockaddr& address);
  std::string ToString() const;

  bool operator==(const IpAddress&) const = default;
};

struct AddressBlock {
  IpAddress network;
  unsigned bits = 0;

  static std::optional<AddressBlock> Parse(std::string_view text);  // "10.0.0.0/8", "fd00::1"
  bool Contains(const IpAddress& address) const;

  bool operator==(const AddressBlock&) const = default;
};

enum class Reach {
  kPublic,
  kPrivate,    // of a site: RFC 1918, 4193, 6598 and what else is never routed
  kLinkLocal,  // of a link, and the metadata services of clouds wherever they are
  kLoopback,   // this machine
};

Reach ReachOf(const IpAddress& address);

// Who named an address to us: where that answer came from; nullopt when a proxy knows and we do
// not, which counts as public.
struct Leader {
  std::optional<IpAddress> address;
};

// Nobody leads to where he could not stand himself: to this machine only from this machine, to a
// link only from a link, to a private network only from where not everybody is. kDenied names the
// address.
Result<> CheckLead(const Leader& leader, const IpAddress& to);

}  // namespace skiff::networking::http
