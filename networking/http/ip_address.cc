#include "networking/http/ip_address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "isolation/base/text.h"

namespace skiff::networking::http {
namespace {

IpAddress FromV4(const unsigned char* bytes) {
  IpAddress address;
  std::copy_n(bytes, 4, address.bytes.begin());
  return address;
}

IpAddress FromV6(const unsigned char* bytes) {
  constexpr std::array<unsigned char, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::equal(kMapped.begin(), kMapped.end(), bytes)) return FromV4(bytes + kMapped.size());
  IpAddress address;
  address.is_v6 = true;
  std::copy_n(bytes, 16, address.bytes.begin());
  return address;
}

bool IsIn(const IpAddress& address, std::initializer_list<const char*> blocks) {
  return std::any_of(blocks.begin(), blocks.end(), [&](const char* block) {
    return AddressBlock::Parse(block)->Contains(address);
  });
}

// What is behind an IPv6 address that a gateway translates: NAT64 (RFC 6052), 6to4 (RFC 3056) and
// the old compatible form (RFC 4291, 2.5.5.1).
IpAddress Translated(const IpAddress& address) {
  if (!address.is_v6) return address;
  if (IsIn(address, {"64:ff9b::/96"})) return FromV4(&address.bytes[12]);
  if (IsIn(address, {"2002::/16"})) return FromV4(&address.bytes[2]);
  if (IsIn(address, {"::/96"}) && !IsIn(address, {"::/127"})) return FromV4(&address.bytes[12]);
  return address;
}

const char* Describe(Reach reach) {
  switch (reach) {
    case Reach::kLoopback:
      return "this machine's own";
    case Reach::kLinkLocal:
      return "of the link or a metadata service";
    case Reach::kPrivate:
      return "of a private network";
    case Reach::kPublic:
      break;
  }
  return "public";
}

}  // namespace

std::optional<IpAddress> IpAddress::Parse(const std::string& text) {
  unsigned char bytes[16];
  if (inet_pton(AF_INET, text.c_str(), bytes) == 1) return FromV4(bytes);
  if (inet_pton(AF_INET6, text.c_str(), bytes) == 1) return FromV6(bytes);
  return std::nullopt;
}

std::optional<IpAddress> IpAddress::ParseHost(const std::string& host) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return std::nullopt;
  std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(found, freeaddrinfo);
  return Of(*found->ai_addr);
}

std::optional<IpAddress> IpAddress::Of(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    sockaddr_in v4;
    memcpy(&v4, &address, sizeof(v4));
    unsigned char bytes[4];
    memcpy(bytes, &v4.sin_addr, sizeof(bytes));
    return FromV4(bytes);
  }
  if (address.sa_family != AF_INET6) return std::nullopt;
  sockaddr_in6 v6;
  memcpy(&v6, &address, sizeof(v6));
  return FromV6(v6.sin6_addr.s6_addr);
}

std::string IpAddress::ToString() const {
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(is_v6 ? AF_INET6 : AF_INET, bytes.data(), text, sizeof(text));
  return text;
}

std::optional<AddressBlock> AddressBlock::Parse(std::string_view text) {
  size_t slash = std::min(text.find('/'), text.size());
  std::optional<IpAddress> network = IpAddress::Parse(std::string(text.substr(0, slash)));
  if (!network) return std::nullopt;
  AddressBlock block{*network, network->is_v6 ? 128u : 32u};
  if (slash == text.size()) return block;
  std::optional<uint64_t> bits = ParseUint(text.substr(slash + 1), block.bits);
  if (!bits) return std::nullopt;
  block.bits = static_cast<unsigned>(*bits);
  return block;
}

bool AddressBlock::Contains(const IpAddress& address) const {
  if (address.is_v6 != network.is_v6) return false;
  for (size_t i = 0; i < bits; ++i) {
    unsigned mask = 0x80u >> (i % 8);
    if ((network.bytes[i / 8] & mask) != (address.bytes[i / 8] & mask)) return false;
  }
  return true;
}

Reach ReachOf(const IpAddress& given) {
  IpAddress address = Translated(given);
  // 0.0.0.0 and :: are this machine for connect(2).
  if (IsIn(address, {"127.0.0.0/8", "0.0.0.0/8", "::/127"})) return Reach::kLoopback;
  // Metadata beside 169.254.169.254: Alibaba, Oracle, Azure, AWS and Google over IPv6.
  if (IsIn(address, {"169.254.0.0/16", "fe80::/10", "100.100.100.200", "192.0.0.192",
                     "168.63.129.16", "fd00:ec2::254", "fd20:ce::254"})) {
    return Reach::kLinkLocal;
  }
  // The special-purpose registries of IANA (RFC 6890) that are not for everybody.
  if (IsIn(address, {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10",
                     "192.0.0.0/24", "198.18.0.0/15", "224.0.0.0/3", "fc00::/7", "fec0::/10",
                     "ff00::/8", "64:ff9b:1::/48"})) {
    return Reach::kPrivate;
  }
  return Reach::kPublic;
}

Result<> CheckLead(const Leader& leader, const IpAddress& to) {
  Reach from = leader.address ? ReachOf(*leader.address) : Reach::kPublic;
  Reach reach = ReachOf(to);
  if (reach == Reach::kPublic || reach == from) return {};
  if (reach == Reach::kPrivate && from != Reach::kPublic) return {};
  return Error(Code::kDenied, "it was led to " + to.ToString() + ", an address " +
                                  (reach == Reach::kLoopback ? "that is " : "") + Describe(reach) +
                                  ", from one that is " + Describe(from));
}

}  // namespace skiff::networking::http
