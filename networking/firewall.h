// The firewall of one installation: a ruleset loaded once, and per ENI a few elements of its sets.
//
// What it holds to: a task's packets carry its own MAC and IPv4 address or are dropped; tasks leave
// by the host's address (SNAT); nothing reaches a task from outside except answers and published
// ports; a task reaches no service of the host but ping, and no 169.254.0.0/16 beyond it. Tables
// `inet <table>` and `bridge <table>`, named by the installation (subnet.h).
// Acts in the network namespace its Nftables was opened in; one owner, one thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "isolation/base/result.h"
#include "networking/address.h"
#include "networking/nftables.h"
#include "networking/subnet.h"

namespace skiff::networking {

enum class Protocol : uint8_t { kTcp = 6, kUdp = 17 };
std::string_view ProtocolName(Protocol protocol);

struct PublishedPort {
  uint16_t host_port = 0;
  Protocol protocol = Protocol::kTcp;
  uint16_t task_port = 0;
};

// What the firewall knows of one ENI.
struct EniRules {
  std::string eni_id;  // shown as comment, named in conflicts
  std::string host_interface;
  Ipv4Address address;
  MacAddress mac;
  std::vector<PublishedPort> ports;
};

// The commands that make the base ruleset, replacing an older one. Pure.
std::string BaseRuleset(const Subnet& subnet);

// `nftables` is borrowed for as long as the Firewall lives.
class Firewall {
 public:
  Firewall(Subnet subnet, Nftables& nftables) : subnet_(std::move(subnet)), nftables_(nftables) {}

  // Admits the ENI's address and publishes its ports in one transaction, loading the base ruleset
  // when it is not there. Repeating it is fine. A port that another ENI or a process of the host
  // has is kConflict naming both.
  Result<> AdmitEni(const EniRules& rules);
  // Removes what AdmitEni added, and nothing of another ENI. Absent is fine.
  Result<> RemoveEni(const EniRules& rules);
  // The same when only the interface name is known: looks through all elements.
  Result<> RemoveInterface(const std::string& host_interface);

  // "eni_addresses 172.31.0.4", ...: one line per element, for tests and doctors.
  Result<std::vector<std::string>> ListElements();

 private:
  Result<> LoadBase();
  Result<> CheckPortsFree(const EniRules& rules);
  Result<std::vector<NftElement>> OwnPorts(const EniRules& rules);
  NftSet AddressSet() const;
  NftSet PortSet() const;       // bridge: interface . MAC . address
  NftSet PublishedMap() const;  // protocol . host port -> address . task port
  std::vector<NftElement> Elements(const EniRules& rules) const;
  Result<> RemoveEach(const std::vector<NftElement>& elements);
  Subnet subnet_;
  Nftables& nftables_;
};

// Removes the installation's tables; absent is fine.
Result<> RemoveTables(const Installation& installation, Nftables& nftables);

}  // namespace skiff::networking
