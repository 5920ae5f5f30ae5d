#include "tests/kernel/networking/simulated_net.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>

#include "isolation/sys/file.h"
#include "networking/lease_store.h"
#include "tests/support/capability.h"

namespace skiff::networking {
namespace {

constexpr timeval kPatience{.tv_sec = 20, .tv_usec = 0};

sockaddr_in At(const std::string& address, uint16_t port) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  EXPECT_EQ(inet_pton(AF_INET, address.c_str(), &at.sin_addr), 1) << address;
  return at;
}

std::string TextOf(const sockaddr_in& at) {
  char text[INET_ADDRSTRLEN];
  inet_ntop(AF_INET, &at.sin_addr, text, sizeof text);
  return text;
}

const sockaddr* Generic(const sockaddr_in* at) { return reinterpret_cast<const sockaddr*>(at); }

UniqueFd SocketIn(int netns, int type) {
  Result<UniqueFd> made = sys::InNetworkNamespace(netns, [&]() -> Result<UniqueFd> {
    UniqueFd fd(socket(AF_INET, type | SOCK_CLOEXEC, 0));
    if (!fd.valid()) return Error::FromErrno(errno, "socket");
    return fd;
  });
  EXPECT_TRUE(made.ok());
  UniqueFd fd = std::move(made).value();
  int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
  return fd;
}

}  // namespace

Peer Peer::ListenTcp(int netns, uint16_t port) {
  UniqueFd fd = SocketIn(netns, SOCK_STREAM);
  sockaddr_in at = At("0.0.0.0", port);
  EXPECT_EQ(bind(fd.get(), Generic(&at), sizeof at), 0) << strerror(errno);
  EXPECT_EQ(listen(fd.get(), 8), 0);
  return Peer(std::move(fd));
}

Peer Peer::BoundUdp(int netns, uint16_t port, const std::string& address) {
  UniqueFd fd = SocketIn(netns, SOCK_DGRAM);
  sockaddr_in at = At(address, port);
  EXPECT_EQ(bind(fd.get(), Generic(&at), sizeof at), 0) << strerror(errno);
  return Peer(std::move(fd));
}

Peer Peer::ConnectTcp(int netns, const std::string& address, uint16_t port) {
  UniqueFd fd = SocketIn(netns, SOCK_STREAM);
  sockaddr_in at = At(address, port);
  if (connect(fd.get(), Generic(&at), sizeof at) != 0) return Peer(UniqueFd());
  return Peer(std::move(fd));
}

Peer Peer::Accept(std::string* from) {
  sockaddr_in at{};
  socklen_t length = sizeof at;
  UniqueFd fd(accept4(fd_.get(), reinterpret_cast<sockaddr*>(&at), &length, SOCK_CLOEXEC));
  if (from != nullptr) *from = TextOf(at);
  return Peer(std::move(fd));
}

void Peer::Send(const std::string& text) {
  EXPECT_EQ(send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(text.size()));
}

void Peer::SendTo(const std::string& text, const std::string& address, uint16_t port) {
  sockaddr_in at = At(address, port);
  EXPECT_EQ(sendto(fd_.get(), text.data(), text.size(), 0, Generic(&at), sizeof at),
            static_cast<ssize_t>(text.size()))
      << strerror(errno);
}

std::string Peer::Receive(std::string* from) {
  char buffer[256];
  sockaddr_in at{};
  socklen_t length = sizeof at;
  ssize_t size =
      recvfrom(fd_.get(), buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&at), &length);
  if (from != nullptr) *from = TextOf(at);
  return size <= 0 ? "" : std::string(buffer, static_cast<size_t>(size));
}

std::string Exchange(int netns, const std::string& address, uint16_t port, Peer& listener,
                     std::string* seen_from) {
  Peer client = Peer::ConnectTcp(netns, address, port);
  if (!client.valid()) return "no connection to " + address + ":" + std::to_string(port);
  Peer server = listener.Accept(seen_from);
  server.Send("answer");
  return client.Receive();
}

void SimulatedHost::SetUp() {
  SKIFF_REQUIRE(test::MissingRoot());
  before_ = sys::OpenOwnNamespace("net").value();
  ASSERT_EQ(unshare(CLONE_NEWNET), 0);
  host_ = sys::OpenOwnNamespace("net").value();
  ASSERT_TRUE(SetLoopbackUp(host()).ok());
}

void SimulatedHost::TearDown() {
  if (before_.valid()) sys::EnterNamespaceOrAbort(before_.get(), CLONE_NEWNET);
}

Result<SimulatedTask> SimulatedHost::TryTask(const std::string& eni_id,
                                             std::vector<PublishedPort> ports) {
  NetworkPlan plan{.eni_id = eni_id, .ports = std::move(ports), .mtu = kEthernetMtu};
  UniqueFd netns = TRY(sys::MakeNetworkNamespace());
  Network network = TRY(Network::Open(data_root()));
  Attachment attachment = TRY(network.Attach(plan, netns.get()));
  return SimulatedTask{std::move(plan), std::move(netns), std::move(attachment)};
}

SimulatedTask SimulatedHost::MakeTask(const std::string& eni_id, std::vector<PublishedPort> ports) {
  Result<SimulatedTask> made = TryTask(eni_id, std::move(ports));
  EXPECT_TRUE(made.ok()) << made.error().message();
  return std::move(made).value();
}

UniqueFd SimulatedHost::MakeOutside() {
  UniqueFd outside = sys::MakeNetworkNamespace().value();
  Netlink netlink = Netlink::Open().value();
  EXPECT_TRUE(netlink.CreatePlainVeth("uplink", "eth0", outside.get()).ok());
  AddAddressIn(host(), "uplink", "203.0.113.1", 24);
  AddAddressIn(outside.get(), "eth0", "203.0.113.2", 24);
  return outside;
}

std::vector<std::string> SimulatedHost::Leftovers() {
  std::vector<std::string> found;
  Installation installation = InstallationOf(data_root());
  std::vector<Link> links = Netlink::Open().value().ListLinks().value();
  for (const Link& link : links)
    if (link.name.starts_with(installation.port_prefix)) found.push_back("link " + link.name);
  Result<Subnet> subnet = LoadSubnet(data_root());
  if (subnet.ok()) {
    std::string boot_id = BootId().value();
    LeaseStore leases =
        LeaseStore::Open(data_root(), subnet.value().prefix, std::move(boot_id)).value();
    std::vector<Lease> held = leases.List().value();
    for (const Lease& lease : held) found.push_back("lease " + lease.address.ToString());
  }
  Network network = OpenNetwork();
  std::vector<std::string> elements = network.ListElements().value();
  found.insert(found.end(), elements.begin(), elements.end());
  return found;
}

void SetSysctl(int netns, const std::string& path, const std::string& value) {
  Result<> written = sys::InNetworkNamespace(
      netns, [&] { return sys::WriteControl(AT_FDCWD, "/proc/sys/" + path, value); });
  EXPECT_TRUE(written.ok()) << written.error().message();
}

void AddAddressIn(int netns, const std::string& link, const std::string& address, int length) {
  Netlink inside = sys::InNetworkNamespace(netns, [] { return Netlink::Open(); }).value();
  std::optional<Link> found = inside.FindLink(link).value();
  ASSERT_TRUE(found.has_value()) << link;
  ASSERT_TRUE(inside.AddAddress(found->index, Ipv4Address::Parse(address).value(), length).ok());
  ASSERT_TRUE(inside.SetUp(link).ok());
}

}  // namespace skiff::networking
