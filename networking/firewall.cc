#include "networking/firewall.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "isolation/sys/failpoint.h"
#include "isolation/sys/file.h"
#include "networking/limits.h"

namespace skiff::networking {
namespace {

constexpr const char* kFirewallLock = "/run/skiff-network.lock";
constexpr size_t kInterfaceField = 16;  // IFNAMSIZ: how an interface name stands in a key

std::string PadTo(std::string text, size_t size) {
  text.resize(size, '\0');
  return text;
}

std::string PortBytes(uint16_t port) {
  return {static_cast<char>(port >> 8), static_cast<char>(port), '\0', '\0'};
}

std::string PortKey(const PublishedPort& port) {
  return std::string{static_cast<char>(port.protocol), '\0', '\0', '\0'} +
         PortBytes(port.host_port);
}

std::string MacBytes(const MacAddress& mac) {
  return PadTo(std::string(mac.bytes().begin(), mac.bytes().end()), 8);
}

Ipv4Address AddressAt(const std::string& bytes, size_t offset) {
  uint32_t bits = 0;
  for (size_t i = offset; i < offset + 4 && i < bytes.size(); ++i)
    bits = bits << 8 | static_cast<uint8_t>(bytes[i]);
  return Ipv4Address::FromBits(bits);
}

uint16_t PortAt(const std::string& bytes, size_t offset) {
  if (bytes.size() < offset + 2) return 0;
  return static_cast<uint16_t>(static_cast<uint8_t>(bytes[offset]) << 8 |
                               static_cast<uint8_t>(bytes[offset + 1]));
}

std::string PortText(const PublishedPort& port) {
  return "host port " + std::to_string(port.host_port) + "/" +
         std::string(ProtocolName(port.protocol));
}

Result<> CheckPorts(const EniRules& rules) {
  if (rules.ports.size() > kMaxPublishedPorts)
    return Error(Code::kInvalid,
                 "published ports: more than " + std::to_string(kMaxPublishedPorts));
  for (const PublishedPort& port : rules.ports)
    if (port.host_port == 0 || port.task_port == 0)
      return Error(Code::kInvalid, PortText(port) + ": port 0 cannot be published");
  return {};
}

// True when a process of the host listens on the port: publishing would take it away from it.
Result<bool> IsHostPortInUse(const PublishedPort& port) {
  TRY(failpoint::Check("firewall.probe_port"));
  int type = port.protocol == Protocol::kTcp ? SOCK_STREAM : SOCK_DGRAM;
  UniqueFd probe(socket(AF_INET, type | SOCK_CLOEXEC, 0));
  if (!probe.valid()) return Error::FromErrno(errno, "socket");
  // Connections that merely linger (TIME_WAIT) do not count; a listener does.
  int on = 1;
  if (type == SOCK_STREAM) (void)setsockopt(probe.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_port = htons(port.host_port);
  if (bind(probe.get(), reinterpret_cast<sockaddr*>(&any), sizeof any) == 0) return false;
  if (errno == EADDRINUSE) return true;
  return Error::FromErrno(errno, "bind to " + PortText(port));
}

std::string ReplaceAll(std::string text, std::string_view from, std::string_view to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

// "add" before "delete" makes deleting a table that may be absent succeed on every kernel.
constexpr std::string_view kRuleset = R"(
add table inet TABLE
delete table inet TABLE
add table bridge TABLE
delete table bridge TABLE
table inet TABLE {
  set eni_addresses { type ipv4_addr; }
  map published_ports { type inet_proto . inet_service : ipv4_addr . inet_service; }
  chain task_source {
    type filter hook prerouting priority raw; policy accept;
    iifname != "BRIDGE" accept
    meta nfproto != ipv4 counter drop comment "tasks speak IPv4 only"
    ip saddr != @eni_addresses counter drop comment "not an address of an ENI"
    ip daddr 127.0.0.0/8 counter drop comment "the host's loopback"
    ip daddr 169.254.0.0/16 counter drop comment "the instance metadata service"
  }
  chain publish {
    type nat hook prerouting priority dstnat; policy accept;
    fib daddr type local dnat ip to meta l4proto . th dport map @published_ports
  }
  chain publish_to_host {
    type nat hook output priority -100; policy accept;
    fib daddr type local dnat ip to meta l4proto . th dport map @published_ports
  }
  chain leave {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr PREFIX oifname != "BRIDGE" masquerade
    oifname "BRIDGE" ip saddr 127.0.0.0/8 masquerade
    oifname "BRIDGE" ip saddr PREFIX ct status dnat masquerade
  }
  chain pass {
    type filter hook forward priority filter; policy accept;
    iifname "BRIDGE" accept
    oifname != "BRIDGE" accept
    ct state established,related accept
    ct status dnat accept
    counter drop comment "not published"
  }
  chain host {
    type filter hook input priority filter; policy accept;
    iifname != "BRIDGE" accept
    ct state established,related accept
    icmp type echo-request accept
    counter drop comment "the host's own services"
  }
}
table bridge TABLE {
  set eni_ports { type ifname . ether_addr . ipv4_addr; }
  chain task_source {
    type filter hook prerouting priority -300; policy accept;
    iifname != "PORTS*" accept
    ether type ip iifname . ether saddr . ip saddr @eni_ports accept
    ether type arp iifname . ether saddr . arp saddr ip @eni_ports iifname . arp saddr ether . arp saddr ip @eni_ports accept
    counter drop comment "not the ENI's own addresses"
  }
}
)";

}  // namespace

std::string_view ProtocolName(Protocol protocol) {
  return protocol == Protocol::kTcp ? "tcp" : "udp";
}

std::string BaseRuleset(const Subnet& subnet) {
  std::string text = ReplaceAll(std::string(kRuleset), "TABLE", subnet.installation.table);
  text = ReplaceAll(std::move(text), "BRIDGE", subnet.installation.bridge);
  text = ReplaceAll(std::move(text), "PORTS", subnet.installation.port_prefix);
  return ReplaceAll(std::move(text), "PREFIX", subnet.prefix.ToString());
}

NftSet Firewall::AddressSet() const {
  return {NftFamily::kInet, subnet_.installation.table, "eni_addresses"};
}

NftSet Firewall::PortSet() const {
  return {NftFamily::kBridge, subnet_.installation.table, "eni_ports"};
}

NftSet Firewall::PublishedMap() const {
  return {NftFamily::kInet, subnet_.installation.table, "published_ports"};
}

std::vector<NftElement> Firewall::Elements(const EniRules& rules) const {
  std::string address = rules.address.NetworkBytes();
  std::string port = PadTo(rules.host_interface, kInterfaceField) + MacBytes(rules.mac) + address;
  std::vector<NftElement> elements{{AddressSet(), address, "", rules.eni_id},
                                   {PortSet(), port, "", rules.eni_id}};
  for (const PublishedPort& published : rules.ports)
    elements.push_back({PublishedMap(), PortKey(published),
                        address + PortBytes(published.task_port), rules.eni_id});
  return elements;
}

// Two processes that both find no ruleset meet here; the second finds the first one's.
Result<> Firewall::LoadBase() {
  UniqueFd lock = TRY(sys::Open(AT_FDCWD, kFirewallLock, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  TRY(sys::Lock(lock.get(), sys::LockMode::kExclusive).Context(kFirewallLock));
  bool has_inet = TRY(nftables_.HasTable(NftFamily::kInet, subnet_.installation.table));
  bool has_bridge = TRY(nftables_.HasTable(NftFamily::kBridge, subnet_.installation.table));
  if (has_inet && has_bridge) return {};
  return RunNftCommands(BaseRuleset(subnet_));
}

Result<> Firewall::CheckPortsFree(const EniRules& rules) {
  for (const PublishedPort& port : rules.ports) {
    std::optional<NftElement> taken = TRY(nftables_.Find(PublishedMap(), PortKey(port)));
    std::string own = rules.address.NetworkBytes() + PortBytes(port.task_port);
    if (taken && taken->data == own) continue;
    if (taken)
      return Error(Code::kConflict, PortText(port) + " is already published by " + taken->comment);
    bool is_in_use = TRY(IsHostPortInUse(port));
    if (is_in_use)
      return Error(Code::kConflict, PortText(port) + " is in use by a process of the host");
  }
  return {};
}

Result<> Firewall::AdmitEni(const EniRules& rules) {
  TRY(CheckPorts(rules));
  TRY(CheckPortsFree(rules));
  std::vector<NftElement> elements = Elements(rules);
  Result<> added = nftables_.Add(elements);
  if (!added.ok() && added.error().code() == Code::kNotFound) {
    TRY(LoadBase());
    added = nftables_.Add(elements);
  }
  // Another ENI took the port between the check and the transaction: say which.
  if (!added.ok() && added.error().sys_errno() == EBUSY) TRY(CheckPortsFree(rules));
  return added;
}

// Ports are removed only when they lead to this ENI: a task that could not have a port must not
// take it from the one that has it.
Result<std::vector<NftElement>> Firewall::OwnPorts(const EniRules& rules) {
  std::vector<NftElement> own;
  for (const PublishedPort& port : rules.ports) {
    std::optional<NftElement> found = TRY(nftables_.Find(PublishedMap(), PortKey(port)));
    if (found && AddressAt(found->data, 0) == rules.address) own.push_back(*found);
  }
  return own;
}

Result<> Firewall::RemoveEach(const std::vector<NftElement>& elements) {
  Result<> first;
  for (const NftElement& element : elements) {
    Result<> removed = nftables_.Remove({element});
    bool is_fine = removed.ok() || removed.error().code() == Code::kNotFound;
    if (!is_fine && first.ok()) first = std::move(removed);
  }
  return first;
}

Result<> Firewall::RemoveEni(const EniRules& rules) {
  EniRules without_ports = rules;
  without_ports.ports.clear();
  std::vector<NftElement> elements = Elements(without_ports);
  std::vector<NftElement> ports = TRY(OwnPorts(rules));
  elements.insert(elements.end(), ports.begin(), ports.end());
  Result<> removed = nftables_.Remove(elements);
  if (removed.ok() || removed.error().code() != Code::kNotFound) return removed;
  return RemoveEach(elements);  // some are gone already, which refuses the whole transaction
}

Result<> Firewall::RemoveInterface(const std::string& host_interface) {
  std::vector<NftElement> doomed;
  std::vector<NftElement> ports = TRY(nftables_.List(PortSet()));
  std::vector<NftElement> published = TRY(nftables_.List(PublishedMap()));
  for (const NftElement& port : ports) {
    if (port.key.substr(0, kInterfaceField) != PadTo(host_interface, kInterfaceField)) continue;
    std::string address = port.key.substr(kInterfaceField + 8, 4);
    doomed.push_back(port);
    doomed.push_back({AddressSet(), address, "", ""});
    for (const NftElement& entry : published)
      if (entry.data.substr(0, 4) == address) doomed.push_back(entry);
  }
  return RemoveEach(doomed);
}

Result<std::vector<std::string>> Firewall::ListElements() {
  std::vector<std::string> lines;
  std::vector<NftElement> addresses = TRY(nftables_.List(AddressSet()));
  for (const NftElement& element : addresses)
    lines.push_back("eni_addresses " + AddressAt(element.key, 0).ToString());
  std::vector<NftElement> ports = TRY(nftables_.List(PortSet()));
  for (const NftElement& element : ports)
    lines.push_back("eni_ports " + element.key.substr(0, element.key.find('\0')) + " " +
                    AddressAt(element.key, kInterfaceField + 8).ToString());
  std::vector<NftElement> published = TRY(nftables_.List(PublishedMap()));
  for (const NftElement& element : published)
    lines.push_back("published_ports " + std::to_string(PortAt(element.key, 4)) + " " +
                    AddressAt(element.data, 0).ToString() + ":" +
                    std::to_string(PortAt(element.data, 4)));
  return lines;
}

Result<> RemoveTables(const Installation& installation, Nftables& nftables) {
  Result<> inet = nftables.DeleteTable(NftFamily::kInet, installation.table);
  Result<> bridge = nftables.DeleteTable(NftFamily::kBridge, installation.table);
  return inet.ok() ? bridge : inet;
}

}  // namespace skiff::networking
