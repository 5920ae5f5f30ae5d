#include "networking/subnet.h"

#include <fcntl.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <optional>

#include "isolation/base/log.h"
#include "isolation/base/text.h"
#include "isolation/sys/failpoint.h"
#include "isolation/sys/file.h"
#include "networking/limits.h"

namespace skiff::networking {
namespace {

constexpr const char* kNetworkLock = "/run/skiff-network.lock";
constexpr const char* kForwarding = "/proc/sys/net/ipv4/ip_forward";
constexpr uint32_t kBridgeMtu = 1500;

// FNV-1a, finished so that its high digits depend on every byte.
uint64_t Hash(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccd;
  return hash ^ hash >> 33;
}

std::string HexDigits(uint64_t value, int digits) {
  char text[17];
  snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
  return std::string(text, static_cast<size_t>(digits));
}

// One spelling per directory, so that a trailing slash or a link makes no second installation.
std::string Canonical(const std::string& path) {
  std::error_code error;
  std::filesystem::path canonical = std::filesystem::weakly_canonical(path, error);
  std::string text = error ? path : canonical.string();
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

std::string SubnetFile(const std::string& data_root) { return data_root + "/network/subnet.json"; }

Subnet MakeSubnet(const std::string& data_root, const Ipv4Prefix& prefix) {
  return {InstallationOf(data_root), prefix, prefix.Nth(1), 0};
}

struct Foreign {
  Ipv4Prefix prefix;
  int link_index;
};

// What the host reaches directly or by a route, the default route aside.
Result<std::vector<Foreign>> HostPrefixes(Netlink& netlink) {
  std::vector<Foreign> found;
  std::vector<Route> routes = TRY(netlink.ListRoutes());
  for (const Route& route : routes)
    if (route.destination.length() > 0) found.push_back({route.destination, route.link_index});
  std::vector<InterfaceAddress> addresses = TRY(netlink.ListAddresses());
  for (const InterfaceAddress& entry : addresses)
    found.push_back({Ipv4Prefix::Around(entry.address, entry.prefix_length), entry.link_index});
  return found;
}

Result<Ipv4Prefix> ChooseFreePrefix(Netlink& netlink) {
  std::vector<Foreign> foreign = TRY(HostPrefixes(netlink));
  std::vector<Ipv4Prefix> taken;
  for (const Foreign& entry : foreign) taken.push_back(entry.prefix);
  return ChoosePrefix(CandidatePrefixes(), taken);
}

Result<> RefuseOverlap(const Subnet& subnet, Netlink& netlink) {
  std::vector<Foreign> foreign = TRY(HostPrefixes(netlink));
  for (const Foreign& entry : foreign) {
    if (entry.link_index == subnet.bridge_index || !entry.prefix.Overlaps(subnet.prefix)) continue;
    std::vector<Link> links = TRY(netlink.ListLinks());
    auto link = std::find_if(links.begin(), links.end(),
                             [&](const Link& each) { return each.index == entry.link_index; });
    std::string where = link == links.end() ? "" : " on " + link->name;
    return Error(Code::kConflict, "subnet " + subnet.prefix.ToString() + " overlaps " +
                                      entry.prefix.ToString() + where + ": remove " +
                                      SubnetFile(subnet.installation.data_root) +
                                      " to have another chosen, or that route");
  }
  return {};
}

// Forwarding is a setting of the whole host: it is changed only when off, and said.
Result<> EnsureForwarding() {
  std::string value = TRY(sys::ReadFile(AT_FDCWD, kForwarding));
  if (TrimSpace(value) == "1") return {};
  TRY(sys::WriteControl(AT_FDCWD, kForwarding, "1"));
  Log(LogLevel::kWarning,
      "switched on net.ipv4.ip_forward: tasks need the host to forward their packets");
  return {};
}

// What a bridge of tasks needs of the host: no IPv6 (a task must not advertise itself as a router),
// and packets from 127.0.0.1 to a published port may leave by it.
Result<> SetBridgeSettings(const std::string& bridge) {
  std::string ipv6 = "/proc/sys/net/ipv6/conf/" + bridge + "/disable_ipv6";
  if (sys::Exists(AT_FDCWD, ipv6)) TRY(sys::WriteControl(AT_FDCWD, ipv6, "1"));
  return sys::WriteControl(AT_FDCWD, "/proc/sys/net/ipv4/conf/" + bridge + "/route_localnet", "1");
}

Result<Subnet> LoadOrChoose(const std::string& data_root, Netlink& netlink) {
  Result<Subnet> loaded = LoadSubnet(data_root);
  if (loaded.ok() || loaded.error().code() != Code::kNotFound) return loaded;
  Ipv4Prefix prefix = TRY(ChooseFreePrefix(netlink));
  Subnet subnet = MakeSubnet(data_root, prefix);
  TRY(sys::MakeDirectories(data_root + "/network", 0700));
  TRY(sys::StoreFile(AT_FDCWD, SubnetFile(data_root), EncodeSubnetFile(subnet)));
  return subnet;
}

Result<int> EnsureBridge(const Subnet& subnet, Netlink& netlink) {
  const std::string& name = subnet.installation.bridge;
  Result<> created = netlink.CreateBridge(
      {.name = name, .mac = MacAddress::ForAddress(subnet.gateway), .mtu = kBridgeMtu});
  if (!created.ok() && created.error().sys_errno() != EEXIST) return std::move(created).error();
  std::optional<Link> bridge = TRY(netlink.FindLink(name));
  if (!bridge)
    return Error(Code::kUnavailable, "bridge " + name + ": disappeared while it was set up");
  if (bridge->kind != "bridge")
    return Error(Code::kConflict,
                 "link " + name + ": exists and is no bridge; skiff needs that name");
  TRY(SetBridgeSettings(name));
  TRY(netlink.AddAddress(bridge->index, subnet.gateway, subnet.prefix.length()));
  // Up comes last: a bridge that is up is complete, which is what the quick check asks.
  TRY(netlink.SetUp(name));
  return bridge->index;
}

Result<Subnet> MakeUnderLock(const std::string& data_root, Netlink& netlink) {
  UniqueFd lock = TRY(sys::Open(AT_FDCWD, kNetworkLock, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  TRY(sys::Lock(lock.get(), sys::LockMode::kExclusive).Context(kNetworkLock));
  Subnet subnet = TRY(LoadOrChoose(data_root, netlink));
  std::optional<Link> bridge = TRY(netlink.FindLink(subnet.installation.bridge));
  subnet.bridge_index = bridge ? bridge->index : 0;
  TRY(RefuseOverlap(subnet, netlink));
  TRY(EnsureForwarding());
  subnet.bridge_index = TRY(EnsureBridge(subnet, netlink));
  return subnet;
}

}  // namespace

Installation InstallationOf(const std::string& data_root) {
  std::string canonical = Canonical(data_root);
  if (canonical == kDefaultDataRoot) return {data_root, "skiff0", "skiff", "sk0000"};
  std::string digits = HexDigits(Hash(canonical), 8);
  return {data_root, "skf" + digits, "skiff_" + digits, "sk" + digits.substr(0, 4)};
}

std::string HostInterfaceName(const Installation& installation, std::string_view eni_id) {
  return installation.port_prefix + HexDigits(Hash(eni_id), 9);
}

std::vector<Ipv4Prefix> CandidatePrefixes() {
  std::vector<Ipv4Prefix> candidates;
  for (uint32_t base : {0xac1f0000U /* 172.31 */, 0x0a580000U /* 10.88 */, 0x0a590000U /* 10.89 */})
    for (uint32_t n = 0; n < 16; ++n)
      candidates.push_back(Ipv4Prefix::Around(Ipv4Address::FromBits(base | n << 12), 20));
  return candidates;
}

Result<Ipv4Prefix> ChoosePrefix(const std::vector<Ipv4Prefix>& candidates,
                                const std::vector<Ipv4Prefix>& taken) {
  for (const Ipv4Prefix& candidate : candidates) {
    auto overlaps = [&](const Ipv4Prefix& other) { return candidate.Overlaps(other); };
    if (std::none_of(taken.begin(), taken.end(), overlaps)) return candidate;
  }
  return Error(Code::kExhausted, "no prefix is free for a subnet: the host's routes overlap all " +
                                     std::to_string(candidates.size()) + " candidates");
}

Result<Subnet> LoadSubnet(const std::string& data_root) {
  std::string path = SubnetFile(data_root);
  std::string text = TRY(sys::ReadFile(AT_FDCWD, path));
  Ipv4Prefix prefix = TRY(DecodeSubnetFile(text, path));
  return MakeSubnet(data_root, prefix);
}

Result<Subnet> EnsureSubnet(const std::string& data_root, Netlink& netlink) {
  Result<Subnet> loaded = LoadSubnet(data_root);
  if (loaded.ok()) {
    std::optional<Link> bridge = TRY(netlink.FindLink(loaded.value().installation.bridge));
    if (bridge && bridge->is_up) {
      loaded.value().bridge_index = bridge->index;
      return loaded;
    }
  } else if (loaded.error().code() != Code::kNotFound) {
    return loaded;
  }
  return MakeUnderLock(data_root, netlink).Context("subnet of " + data_root);
}

Result<> RemoveBridge(const std::string& data_root, Netlink& netlink) {
  return netlink.DeleteLink(InstallationOf(data_root).bridge);
}

}  // namespace skiff::networking
