// The bridge network of one skiff installation: its names, its prefix, its bridge.
//
// An installation is a data root; every kernel object's name derives from it, so that several
// installations on one machine never meet. The prefix is chosen once, against everything the host
// routes, and kept in <data_root>/network/subnet.json. Any thread; processes meet on a lock file.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "isolation/base/result.h"
#include "networking/address.h"
#include "networking/netlink.h"

namespace skiff::networking {

inline constexpr std::string_view kDefaultDataRoot = "/var/lib/skiff";

// The names of an installation's kernel objects.
struct Installation {
  std::string data_root;    // as given
  std::string bridge;       // "skiff0", or "skf" and 8 hex digits of another data root's hash
  std::string table;        // nftables: "skiff", or "skiff_" and the digits
  std::string port_prefix;  // of host interfaces: "sk0000", or "sk" and 4 of the digits
};
Installation InstallationOf(const std::string& data_root);

// The host's end of an ENI's link: port_prefix and 9 hex digits of the ENI id's hash.
std::string HostInterfaceName(const Installation& installation, std::string_view eni_id);

struct Subnet {
  Installation installation;
  Ipv4Prefix prefix;
  Ipv4Address gateway;   // the bridge's own address: the first of the prefix
  int bridge_index = 0;  // 0 when the bridge is not there
};

// Prefixes tried, in order, when an installation has none yet.
std::vector<Ipv4Prefix> CandidatePrefixes();

// The first candidate that overlaps none of `taken`, or kExhausted. Pure.
Result<Ipv4Prefix> ChoosePrefix(const std::vector<Ipv4Prefix>& candidates,
                                const std::vector<Ipv4Prefix>& taken);

// Reads what the installation has, without making anything: kNotFound when it has no prefix yet.
Result<Subnet> LoadSubnet(const std::string& data_root);

// Makes sure that prefix, bridge, gateway address and forwarding exist. One query when they do.
Result<Subnet> EnsureSubnet(const std::string& data_root, Netlink& netlink);

// Removes the bridge; what was never made is fine. The prefix stays on disk.
Result<> RemoveBridge(const std::string& data_root, Netlink& netlink);

// The text of subnet.json (subnet_json.cc).
std::string EncodeSubnetFile(const Subnet& subnet);
Result<Ipv4Prefix> DecodeSubnetFile(std::string_view text, std::string_view path);

}  // namespace skiff::networking
