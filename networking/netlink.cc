#include "networking/netlink.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <thread>

#include "isolation/base/clock.h"
#include "isolation/sys/failpoint.h"
#include "isolation/sys/process.h"
#include "networking/limits.h"

namespace skiff::networking {
namespace {

constexpr int kLoopbackIndex = 1;  // in every namespace

ifinfomsg* BeginLink(NetlinkBatch& batch, uint16_t type, uint16_t flags) {
  void* header;
  batch.Begin(type, flags, sizeof(ifinfomsg), &header);
  return static_cast<ifinfomsg*>(header);
}

void BeginSetUp(NetlinkBatch& batch, const std::string& name) {
  ifinfomsg* info = BeginLink(batch, RTM_NEWLINK, 0);
  info->ifi_flags = IFF_UP;
  info->ifi_change = IFF_UP;
  batch.PutText(IFLA_IFNAME, name);
}

void PutMac(NetlinkBatch& batch, const MacAddress& mac) {
  batch.Put(IFLA_ADDRESS, mac.bytes().data(), mac.bytes().size());
}

// No IPv6 on the link: no address of its own, nothing sent when it comes up.
void BeginNoIpv6(NetlinkBatch& batch, const std::string& name) {
  BeginLink(batch, RTM_NEWLINK, 0);
  batch.PutText(IFLA_IFNAME, name);
  size_t families = batch.OpenNest(IFLA_AF_SPEC);
  size_t inet6 = batch.OpenNest(AF_INET6);
  batch.PutU8(IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
  batch.CloseNest(inet6);
  batch.CloseNest(families);
}

// The header after nlmsghdr; zeroes where the message is too short to have one.
template <typename Header>
Header HeaderOf(const nlmsghdr* message) {
  Header header{};
  if (message->nlmsg_len >= NLMSG_LENGTH(sizeof header))
    memcpy(&header, reinterpret_cast<const char*>(message) + NLMSG_HDRLEN, sizeof header);
  return header;
}

Link DecodeLink(const nlmsghdr* message) {
  auto info = HeaderOf<ifinfomsg>(message);
  NetlinkAttributes attributes = NetlinkAttributes::Of(message, sizeof(ifinfomsg));
  return {.index = info.ifi_index,
          .name = attributes.Text(IFLA_IFNAME),
          .kind = attributes.Nested(IFLA_LINKINFO).Text(IFLA_INFO_KIND),
          .master_index = static_cast<int>(attributes.U32(IFLA_MASTER)),
          .is_up = (info.ifi_flags & IFF_UP) != 0};
}

void BeginHairpin(NetlinkBatch& batch, const std::string& name) {
  BeginLink(batch, RTM_NEWLINK, 0);
  batch.PutText(IFLA_IFNAME, name);
  size_t info = batch.OpenNest(IFLA_LINKINFO);
  batch.PutText(IFLA_INFO_SLAVE_KIND, "bridge");
  size_t data = batch.OpenNest(IFLA_INFO_SLAVE_DATA);
  batch.PutU8(IFLA_BRPORT_MODE, 1);
  batch.CloseNest(data);
  batch.CloseNest(info);
}

Ipv4Address DecodeAddress(std::string_view bytes) {
  uint32_t bits = 0;
  for (size_t i = 0; i < 4 && i < bytes.size(); ++i)
    bits = bits << 8 | static_cast<uint8_t>(bytes[i]);
  return Ipv4Address::FromBits(bits);
}

InterfaceAddress DecodeInterfaceAddress(const nlmsghdr* message) {
  auto info = HeaderOf<ifaddrmsg>(message);
  NetlinkAttributes attributes = NetlinkAttributes::Of(message, sizeof(ifaddrmsg));
  return {.link_index = static_cast<int>(info.ifa_index),
          .address = DecodeAddress(attributes.Find(IFA_LOCAL)),
          .prefix_length = info.ifa_prefixlen};
}

Route DecodeRoute(const nlmsghdr* message) {
  auto info = HeaderOf<rtmsg>(message);
  NetlinkAttributes attributes = NetlinkAttributes::Of(message, sizeof(rtmsg));
  Ipv4Address destination = DecodeAddress(attributes.Find(RTA_DST));
  return {.destination = Ipv4Prefix::Around(destination, info.rtm_dst_len),
          .link_index = static_cast<int>(attributes.U32(RTA_OIF)),
          .table = attributes.U32(RTA_TABLE, info.rtm_table)};
}

void BeginAddress(NetlinkBatch& batch, int index, Ipv4Address address, int prefix_length) {
  void* header;
  batch.Begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof(ifaddrmsg), &header);
  auto* info = static_cast<ifaddrmsg*>(header);
  info->ifa_family = AF_INET;
  info->ifa_prefixlen = static_cast<uint8_t>(prefix_length);
  info->ifa_index = static_cast<uint32_t>(index);
  std::string bytes = address.NetworkBytes();
  std::string broadcast = Ipv4Prefix::Around(address, prefix_length)
                              .Nth((uint64_t{1} << (32 - prefix_length)) - 1)
                              .NetworkBytes();
  batch.Put(IFA_LOCAL, bytes.data(), bytes.size());
  batch.Put(IFA_ADDRESS, bytes.data(), bytes.size());
  batch.Put(IFA_BROADCAST, broadcast.data(), broadcast.size());
}

void BeginDefaultRoute(NetlinkBatch& batch, int index, Ipv4Address gateway) {
  void* header;
  batch.Begin(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, sizeof(rtmsg), &header);
  auto* info = static_cast<rtmsg*>(header);
  info->rtm_family = AF_INET;
  info->rtm_table = RT_TABLE_MAIN;
  info->rtm_protocol = RTPROT_STATIC;
  info->rtm_scope = RT_SCOPE_UNIVERSE;
  info->rtm_type = RTN_UNICAST;
  std::string bytes = gateway.NetworkBytes();
  batch.Put(RTA_GATEWAY, bytes.data(), bytes.size());
  batch.PutU32(RTA_OIF, static_cast<uint32_t>(index));
}

NetlinkBatch LinkDump() {
  NetlinkBatch batch;
  BeginLink(batch, RTM_GETLINK, NLM_F_DUMP);
  return batch;
}

NetlinkBatch AddressDump() {
  NetlinkBatch batch;
  void* header;
  batch.Begin(RTM_GETADDR, NLM_F_DUMP, sizeof(ifaddrmsg), &header);
  static_cast<ifaddrmsg*>(header)->ifa_family = AF_INET;
  return batch;
}

NetlinkBatch RouteDump() {
  NetlinkBatch batch;
  void* header;
  batch.Begin(RTM_GETROUTE, NLM_F_DUMP, sizeof(rtmsg), &header);
  static_cast<rtmsg*>(header)->rtm_family = AF_INET;
  return batch;
}

Result<> CheckName(const std::string& name) {
  bool is_fine = !name.empty() && name.size() <= kMaxInterfaceName &&
                 name.find_first_of("/ \t\n%:") == std::string::npos && name != "." && name != "..";
  if (is_fine) return {};
  return Error(Code::kInvalid, "interface name '" + name + "': must have 1 to 15 plain characters");
}

// Of a link's address, what tells what it is. Its flags and label have members of their own.
constexpr uint16_t kAddressAttributes[] = {IFA_ADDRESS,   IFA_LOCAL,       IFA_BROADCAST,
                                           IFA_CACHEINFO, IFA_RT_PRIORITY, IFA_PROTO};
// What the kernel says of an address and nobody tells it.
constexpr uint32_t kKernelsFlags =
    IFA_F_PERMANENT | IFA_F_TENTATIVE | IFA_F_DADFAILED | IFA_F_DEPRECATED | IFA_F_SECONDARY;

LinkAddress DecodeLinkAddress(const nlmsghdr* message) {
  auto info = HeaderOf<ifaddrmsg>(message);
  NetlinkAttributes attributes = NetlinkAttributes::Of(message, sizeof(ifaddrmsg));
  LinkAddress address{.family = info.ifa_family,
                      .prefix_length = info.ifa_prefixlen,
                      .scope = info.ifa_scope,
                      .flags = attributes.U32(IFA_FLAGS, info.ifa_flags),
                      .label = attributes.Text(IFA_LABEL),
                      .attributes = {}};
  for (uint16_t type : kAddressAttributes) {
    std::string_view value = attributes.Find(type);
    if (value.data() != nullptr) address.attributes.emplace_back(type, value);
  }
  return address;
}

void BeginLinkAddress(NetlinkBatch& batch, int index, const LinkAddress& address) {
  void* header;
  batch.Begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, sizeof(ifaddrmsg), &header);
  auto* info = static_cast<ifaddrmsg*>(header);
  info->ifa_family = address.family;
  info->ifa_prefixlen = address.prefix_length;
  info->ifa_scope = address.scope;
  info->ifa_index = static_cast<uint32_t>(index);
  batch.PutU32(IFA_FLAGS, address.flags & ~kKernelsFlags);
  if (!address.label.empty()) batch.PutText(IFA_LABEL, address.label);
  for (const auto& [type, value] : address.attributes) batch.Put(type, value.data(), value.size());
}

NetlinkBatch EveryAddressDump() {
  NetlinkBatch batch;
  void* header;
  batch.Begin(RTM_GETADDR, NLM_F_DUMP, sizeof(ifaddrmsg), &header);
  static_cast<ifaddrmsg*>(header)->ifa_family = AF_UNSPEC;
  return batch;
}

void PutPeer(NetlinkBatch& batch, const std::string& name, const MacAddress* mac, uint32_t mtu,
             int netns) {
  size_t peer = batch.OpenNest(VETH_INFO_PEER);
  batch.Append(sizeof(ifinfomsg));  // no flags: a peer cannot be up before its pair is whole
  batch.PutText(IFLA_IFNAME, name);
  if (mac != nullptr) PutMac(batch, *mac);
  if (mtu != 0) batch.PutU32(IFLA_MTU, mtu);
  batch.PutU32(IFLA_NET_NS_FD, static_cast<uint32_t>(netns));
  batch.CloseNest(peer);
}

}  // namespace

Result<Netlink> Netlink::Open() {
  TRY(failpoint::Check("netlink.open"));
  NetlinkSocket socket = TRY(NetlinkSocket::Open(NETLINK_ROUTE));
  return Netlink(std::move(socket));
}

Result<> Netlink::Send(NetlinkBatch& batch, const std::string& what, int tolerated_errno) {
  std::vector<int> errors = TRY(socket_.Transact(batch).Context(what));
  for (int error : errors)
    if (error != 0 && error != tolerated_errno) return Error::FromErrno(error, what);
  return {};
}

Result<> Netlink::Dump(NetlinkBatch (*make)(), const std::string& what,
                       const NetlinkSocket::OnMessage& on_message,
                       const std::function<void()>& restart) {
  int error = 0;
  for (int attempt = 0; attempt < kMaxDumpAttempts; ++attempt) {
    restart();
    NetlinkBatch batch = make();
    error = TRY(socket_.Dump(batch, on_message).Context(what));
    if (error == 0) return {};
    if (error != EINTR && error != EBUSY) break;
  }
  return Error::FromErrno(error, what);
}

Result<std::optional<Link>> Netlink::FindLink(const std::string& name) {
  std::string what = "find link " + name;
  TRY(failpoint::Check("netlink.find_link").Context(what));
  TRY(CheckName(name));
  NetlinkBatch batch;
  BeginLink(batch, RTM_GETLINK, 0);
  batch.PutText(IFLA_IFNAME, name);
  std::optional<Link> link;
  int error = TRY(socket_
                      .Query(batch,
                             [&](const nlmsghdr* message) {
                               if (message->nlmsg_type == RTM_NEWLINK) link = DecodeLink(message);
                             })
                      .Context(what));
  if (error == ENODEV) return std::optional<Link>();
  if (error != 0) return Error::FromErrno(error, what);
  return link;
}

Result<std::vector<Link>> Netlink::ListLinks() {
  TRY(failpoint::Check("netlink.list_links"));
  std::vector<Link> links;
  TRY(Dump(
      LinkDump, "list links",
      [&](const nlmsghdr* message) {
        if (message->nlmsg_type == RTM_NEWLINK) links.push_back(DecodeLink(message));
      },
      [&] { links.clear(); }));
  return links;
}

Result<> Netlink::CreateBridge(const BridgeSpec& spec) {
  std::string what = "create bridge " + spec.name;
  TRY(failpoint::Check("netlink.create_bridge").Context(what));
  TRY(CheckName(spec.name));
  NetlinkBatch batch;
  BeginLink(batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  batch.PutText(IFLA_IFNAME, spec.name);
  PutMac(batch, spec.mac);
  batch.PutU32(IFLA_MTU, spec.mtu);
  size_t info = batch.OpenNest(IFLA_LINKINFO);
  batch.PutText(IFLA_INFO_KIND, "bridge");
  size_t data = batch.OpenNest(IFLA_INFO_DATA);
  batch.PutU32(IFLA_BR_FORWARD_DELAY, 0);  // a port forwards from its first packet on
  batch.PutU8(IFLA_BR_MCAST_SNOOPING, 0);  // no querier here, and no work per port
  batch.CloseNest(data);
  batch.CloseNest(info);
  return Send(batch, what);
}

Result<> Netlink::CreateVeth(const VethSpec& spec) {
  std::string what = "create link " + spec.name;
  TRY(failpoint::Check("netlink.create_veth").Context(what));
  TRY(CheckName(spec.name));
  NetlinkBatch batch;
  BeginLink(batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  batch.PutText(IFLA_IFNAME, spec.name);
  PutMac(batch, spec.mac);
  batch.PutU32(IFLA_MTU, spec.mtu);
  batch.PutU32(IFLA_MASTER, static_cast<uint32_t>(spec.master_index));
  size_t info = batch.OpenNest(IFLA_LINKINFO);
  batch.PutText(IFLA_INFO_KIND, "veth");
  size_t data = batch.OpenNest(IFLA_INFO_DATA);
  PutPeer(batch, spec.peer_name, &spec.peer_mac, spec.mtu, spec.peer_netns);
  batch.CloseNest(data);
  batch.CloseNest(info);
  BeginNoIpv6(batch, spec.name);
  if (spec.is_hairpin) BeginHairpin(batch, spec.name);
  BeginSetUp(batch, spec.name);
  // A kernel without IPv6 has nothing to switch off.
  return Send(batch, what, EAFNOSUPPORT);
}

Result<> Netlink::CreatePlainVeth(const std::string& name, const std::string& peer_name,
                                  int peer_netns) {
  TRY(CheckName(name));
  NetlinkBatch batch;
  BeginLink(batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  batch.PutText(IFLA_IFNAME, name);
  size_t info = batch.OpenNest(IFLA_LINKINFO);
  batch.PutText(IFLA_INFO_KIND, "veth");
  size_t data = batch.OpenNest(IFLA_INFO_DATA);
  PutPeer(batch, peer_name, nullptr, 0, peer_netns);
  batch.CloseNest(data);
  batch.CloseNest(info);
  return Send(batch, "create link " + name);
}

Result<> Netlink::SetUp(const std::string& name) {
  std::string what = "set link " + name + " up";
  TRY(failpoint::Check("netlink.set_up").Context(what));
  TRY(CheckName(name));
  NetlinkBatch batch;
  BeginSetUp(batch, name);
  return Send(batch, what);
}

bool LinkAddress::IsLasting() const {
  return (flags & IFA_F_PERMANENT) != 0 && scope == RT_SCOPE_UNIVERSE;
}

Result<std::vector<LinkAddress>> Netlink::ListAddressesOf(int link_index) {
  TRY(failpoint::Check("netlink.list_addresses_of"));
  std::vector<LinkAddress> addresses;
  TRY(Dump(
      EveryAddressDump, "list addresses",
      [&](const nlmsghdr* message) {
        bool is_its = message->nlmsg_type == RTM_NEWADDR &&
                      HeaderOf<ifaddrmsg>(message).ifa_index == static_cast<uint32_t>(link_index);
        if (is_its) addresses.push_back(DecodeLinkAddress(message));
      },
      [&] { addresses.clear(); }));
  return addresses;
}

Result<> Netlink::MoveLink(int link_index, const Destination& to) {
  std::string what = "move link to " + to.name;
  TRY(failpoint::Check("netlink.move_link").Context(what));
  NetlinkBatch batch;
  BeginLink(batch, RTM_NEWLINK, 0)->ifi_index = link_index;
  batch.PutU32(IFLA_NET_NS_FD, static_cast<uint32_t>(to.netns));
  batch.PutText(IFLA_IFNAME, to.name);
  batch.PutU32(IFLA_NEW_IFINDEX, static_cast<uint32_t>(to.index));  // Linux 5.13
  return Send(batch, what);
}

Result<> Netlink::RestoreLink(int link_index, const LinkState& state) {
  std::string what = "restore link " + std::to_string(link_index);
  TRY(failpoint::Check("netlink.restore_link").Context(what));
  NetlinkBatch batch;
  if (state.master_index != 0) {
    BeginLink(batch, RTM_NEWLINK, 0)->ifi_index = link_index;
    batch.PutU32(IFLA_MASTER, static_cast<uint32_t>(state.master_index));
  }
  for (const LinkAddress& address : state.addresses) BeginLinkAddress(batch, link_index, address);
  if (state.is_up) {
    ifinfomsg* info = BeginLink(batch, RTM_NEWLINK, 0);
    info->ifi_index = link_index;
    info->ifi_flags = IFF_UP;
    info->ifi_change = IFF_UP;
  }
  return Send(batch, what, EEXIST);
}

Result<> Netlink::DeleteLink(const std::string& name) {
  std::string what = "delete link " + name;
  TRY(failpoint::Check("netlink.delete_link").Context(what));
  TRY(CheckName(name));
  NetlinkBatch batch;
  BeginLink(batch, RTM_DELLINK, 0);
  batch.PutText(IFLA_IFNAME, name);
  return Send(batch, what, ENODEV);
}

Result<> Netlink::AddAddress(int link_index, Ipv4Address address, int prefix_length) {
  std::string what = "add address " + address.ToString() + "/" + std::to_string(prefix_length);
  TRY(failpoint::Check("netlink.add_address").Context(what));
  NetlinkBatch batch;
  BeginAddress(batch, link_index, address, prefix_length);
  return Send(batch, what, EEXIST);
}

Result<std::vector<InterfaceAddress>> Netlink::ListAddresses() {
  TRY(failpoint::Check("netlink.list_addresses"));
  std::vector<InterfaceAddress> addresses;
  TRY(Dump(
      AddressDump, "list addresses",
      [&](const nlmsghdr* message) {
        if (message->nlmsg_type == RTM_NEWADDR)
          addresses.push_back(DecodeInterfaceAddress(message));
      },
      [&] { addresses.clear(); }));
  return addresses;
}

Result<> Netlink::AddDefaultRoute(int link_index, Ipv4Address gateway) {
  std::string what = "add default route by " + gateway.ToString();
  TRY(failpoint::Check("netlink.add_route").Context(what));
  NetlinkBatch batch;
  BeginDefaultRoute(batch, link_index, gateway);
  return Send(batch, what, EEXIST);
}

Result<std::vector<Route>> Netlink::ListRoutes() {
  TRY(failpoint::Check("netlink.list_routes"));
  std::vector<Route> routes;
  TRY(Dump(
      RouteDump, "list routes",
      [&](const nlmsghdr* message) {
        if (message->nlmsg_type == RTM_NEWROUTE) routes.push_back(DecodeRoute(message));
      },
      [&] { routes.clear(); }));
  return routes;
}

Result<> Netlink::ConfigureEnd(const EndSpec& spec) {
  std::string what = "configure " + spec.name + " as " + spec.address.ToString();
  std::optional<Link> link = TRY(FindLink(spec.name));
  if (!link) return Error(Code::kNotFound, what + ": no such link in the namespace");
  TRY(failpoint::Check("netlink.configure_end").Context(what));
  NetlinkBatch batch;
  ifinfomsg* loopback = BeginLink(batch, RTM_NEWLINK, 0);
  loopback->ifi_index = kLoopbackIndex;
  loopback->ifi_flags = IFF_UP;
  loopback->ifi_change = IFF_UP;
  BeginSetUp(batch, spec.name);
  BeginAddress(batch, link->index, spec.address, spec.prefix_length);
  BeginDefaultRoute(batch, link->index, spec.gateway);
  return Send(batch, what, EEXIST);
}

namespace {

// What the deleting thread and its starter share: whoever is last frees it.
struct Deletion {
  std::string name;
  UniqueFd done;  // eventfd: `result` is there
  Result<> result;
};

void RunDeletion(const std::shared_ptr<Deletion>& deletion) {
  auto remove = [&]() -> Result<> {
    Netlink netlink = TRY(Netlink::Open());
    return netlink.DeleteLink(deletion->name);
  };
  deletion->result = remove();
  uint64_t one = 1;
  (void)!write(deletion->done.get(), &one, sizeof one);
}

// Signals stay with the threads that expect them.
void StartDeletion(const std::shared_ptr<Deletion>& deletion) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread([deletion] { RunDeletion(deletion); }).detach();
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

// True when the notifications say that the link went, or were lost.
Result<bool> MentionsEndOf(const std::string& name, NetlinkSocket& events) {
  bool is_mentioned = false;
  bool is_lossy = TRY(events.Drain([&](const nlmsghdr* message) {
    if (message->nlmsg_type == RTM_DELLINK && DecodeLink(message).name == name) is_mentioned = true;
  }));
  return is_mentioned || is_lossy;
}

}  // namespace

Result<> DeleteLinkPromptly(const std::string& name) {
  NetlinkSocket events = TRY(NetlinkSocket::Open(NETLINK_ROUTE, RTMGRP_LINK));
  Netlink netlink = TRY(Netlink::Open());
  std::optional<Link> link = TRY(netlink.FindLink(name));
  if (!link) return {};
  auto deletion = std::make_shared<Deletion>();
  deletion->name = name;
  deletion->done = TRY(sys::MakeEventFd());
  StartDeletion(deletion);
  for (;;) {
    pollfd entries[] = {{events.fd(), POLLIN, 0}, {deletion->done.get(), POLLIN, 0}};
    if (poll(entries, 2, -1) < 0 && errno != EINTR) return Error::FromErrno(errno, "poll");
    if (entries[1].revents != 0) return deletion->result;
    bool is_mentioned = TRY(MentionsEndOf(name, events));
    if (!is_mentioned) continue;
    link = TRY(netlink.FindLink(name));
    if (!link) return {};
  }
}

Result<bool> WaitForLinkGone(const std::string& name, std::chrono::milliseconds timeout) {
  int64_t deadline = MonotonicNanoseconds() + std::chrono::nanoseconds(timeout).count();
  // Listening starts before the first look, so that no notification falls between the two.
  NetlinkSocket events = TRY(NetlinkSocket::Open(NETLINK_ROUTE, RTMGRP_LINK));
  Netlink netlink = TRY(Netlink::Open());
  for (;;) {
    std::optional<Link> link = TRY(netlink.FindLink(name));
    if (!link) return true;
    bool is_mentioned = false;
    while (!is_mentioned) {
      int64_t left = deadline - MonotonicNanoseconds();
      if (left <= 0) return false;
      bool is_readable =
          TRY(sys::PollReadable(events.fd(), std::chrono::milliseconds(left / 1'000'000 + 1)));
      if (!is_readable) return false;
      is_mentioned = TRY(MentionsEndOf(name, events));
    }
  }
}

}  // namespace skiff::networking
