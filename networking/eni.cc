#include "networking/eni.h"

#include <fcntl.h>

#include <cerrno>

#include "isolation/sys/failpoint.h"
#include "isolation/sys/file.h"
#include "isolation/sys/process.h"
#include "networking/limits.h"

namespace skiff::networking {
namespace {

// A kernel without the setting (IPv6 switched off at boot) needs none.
Result<> WriteIfThere(const std::string& path, std::string_view value) {
  Result<> written = sys::WriteControl(AT_FDCWD, path, value);
  if (!written.ok() && written.error().sys_errno() == ENOENT) return {};
  return written;
}

// Only links made later lose IPv6: lo keeps ::1, which programs like to listen on.
Result<> WriteSettings() {
  TRY(WriteIfThere("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1"));
  TRY(sys::WriteControl(AT_FDCWD, "/proc/sys/net/ipv4/ping_group_range", "0 2147483647"));
  return sys::WriteControl(AT_FDCWD, "/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
}

Result<> CheckMtu(uint32_t mtu) {
  if (mtu >= kMinMtu && mtu <= kMaxMtu) return {};
  return Error(Code::kInvalid, "mtu " + std::to_string(mtu) + ": must be " +
                                   std::to_string(kMinMtu) + " to " + std::to_string(kMaxMtu));
}

}  // namespace

Result<> CreateEniLink(const EniSpec& spec, Netlink& netlink) {
  TRY(CheckMtu(spec.mtu));
  Result<> created = netlink.CreateVeth({.name = spec.host_interface,
                                         .mac = MacAddress::ForHostEnd(spec.address),
                                         .master_index = spec.bridge_index,
                                         .peer_name = kEniName,
                                         .peer_mac = spec.mac,
                                         .peer_netns = spec.netns,
                                         .mtu = spec.mtu,
                                         .is_hairpin = spec.is_hairpin});
  bool is_full = !created.ok() && created.error().sys_errno() == EXFULL;
  if (!is_full) return created;
  return Error(Code::kExhausted, "create link " + spec.host_interface + ": the bridge has all " +
                                     std::to_string(kMaxBridgePorts) +
                                     " ports taken that Linux gives it");
}

Result<> PrepareNetns(int netns) {
  return sys::InNetworkNamespace(netns, [] { return WriteSettings(); });
}

Result<> ConfigureEniAddress(const EniSpec& spec) {
  Netlink inside = TRY(sys::InNetworkNamespace(spec.netns, [] { return Netlink::Open(); }));
  return inside.ConfigureEnd({.name = kEniName,
                              .address = spec.address,
                              .prefix_length = spec.prefix_length,
                              .gateway = spec.gateway});
}

Result<> AttachEni(const EniSpec& spec, Netlink& netlink) {
  TRY(PrepareNetns(spec.netns));
  TRY(CreateEniLink(spec, netlink));
  Result<> configured = ConfigureEniAddress(spec);
  if (!configured.ok()) DetachEni(spec.host_interface).Ignore();
  return configured;
}

Result<> DetachEni(const std::string& host_interface) {
  TRY(failpoint::Check("eni.detach"));
  return DeleteLinkPromptly(host_interface);
}

Result<> SetLoopbackUp(int netns) {
  TRY(sys::InNetworkNamespace(netns, WriteSettings));
  Netlink inside = TRY(sys::InNetworkNamespace(netns, [] { return Netlink::Open(); }));
  return inside.SetUp("lo");
}

}  // namespace skiff::networking
