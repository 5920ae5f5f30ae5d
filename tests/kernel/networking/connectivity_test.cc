// What reaches what: packets between the host, its tasks and an outside world.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "isolation/sys/file.h"
#include "tests/kernel/networking/simulated_net.h"

namespace skiff::networking {
namespace {

class ConnectivityTest : public SimulatedHost {};

constexpr const char* kHostOutside = "203.0.113.1";

TEST_F(ConnectivityTest, TwoTasksListenOnPort80AndBothAnswerTheHost) {
  SimulatedTask first = MakeTask("eni-1");
  SimulatedTask second = MakeTask("eni-2");
  Peer first_listener = Peer::ListenTcp(first.netns.get(), 80);
  Peer second_listener = Peer::ListenTcp(second.netns.get(), 80);
  EXPECT_NE(first.address(), second.address());
  EXPECT_EQ(Exchange(host(), first.address(), 80, first_listener), "answer");
  EXPECT_EQ(Exchange(host(), second.address(), 80, second_listener), "answer");
}

TEST_F(ConnectivityTest, TasksReachEachOtherByTheirOwnAddresses) {
  SimulatedTask first = MakeTask("eni-1");
  SimulatedTask second = MakeTask("eni-2");
  Peer listener = Peer::ListenTcp(second.netns.get(), 6379);
  std::string seen_from;
  EXPECT_EQ(Exchange(first.netns.get(), second.address(), 6379, listener, &seen_from), "answer");
  EXPECT_EQ(seen_from, first.address());
}

TEST_F(ConnectivityTest, ATaskTalksToItselfByLoopbackAndByItsAddress) {
  SimulatedTask task = MakeTask("eni-1");
  Peer listener = Peer::ListenTcp(task.netns.get(), 80);
  EXPECT_EQ(Exchange(task.netns.get(), "127.0.0.1", 80, listener), "answer");
  EXPECT_EQ(Exchange(task.netns.get(), task.address(), 80, listener), "answer");
}

TEST_F(ConnectivityTest, ATaskReachesTheOutsideByTheHostsAddress) {
  UniqueFd outside = MakeOutside();
  SimulatedTask task = MakeTask("eni-1");
  Peer listener = Peer::ListenTcp(outside.get(), 443);
  std::string seen_from;
  EXPECT_EQ(Exchange(task.netns.get(), "203.0.113.2", 443, listener, &seen_from), "answer");
  EXPECT_EQ(seen_from, kHostOutside);
}

TEST_F(ConnectivityTest, APublishedPortAnswersFromOutside) {
  UniqueFd outside = MakeOutside();
  SimulatedTask task = MakeTask("eni-1", {{8080, Protocol::kTcp, 80}});
  Peer listener = Peer::ListenTcp(task.netns.get(), 80);
  std::string seen_from;
  EXPECT_EQ(Exchange(outside.get(), kHostOutside, 8080, listener, &seen_from), "answer");
  EXPECT_EQ(seen_from, "203.0.113.2");
}

TEST_F(ConnectivityTest, APublishedPortAnswersOnTheHostItselfAndOnItsLoopback) {
  UniqueFd outside = MakeOutside();
  SimulatedTask task = MakeTask("eni-1", {{8080, Protocol::kTcp, 80}});
  Peer listener = Peer::ListenTcp(task.netns.get(), 80);
  EXPECT_EQ(Exchange(host(), kHostOutside, 8080, listener), "answer");
  EXPECT_EQ(Exchange(host(), "127.0.0.1", 8080, listener), "answer");
}

TEST_F(ConnectivityTest, APublishedPortAnswersTheTaskItselfAndItsNeighbour) {
  UniqueFd outside = MakeOutside();
  SimulatedTask task = MakeTask("eni-1", {{8080, Protocol::kTcp, 80}});
  SimulatedTask neighbour = MakeTask("eni-2");
  Peer listener = Peer::ListenTcp(task.netns.get(), 80);
  EXPECT_EQ(Exchange(neighbour.netns.get(), kHostOutside, 8080, listener), "answer");
  EXPECT_EQ(Exchange(task.netns.get(), kHostOutside, 8080, listener), "answer");
}

TEST_F(ConnectivityTest, UdpPortsArePublishedApartFromTcp) {
  UniqueFd outside = MakeOutside();
  SimulatedTask tcp = MakeTask("eni-1", {{53, Protocol::kTcp, 53}});
  SimulatedTask udp = MakeTask("eni-2", {{53, Protocol::kUdp, 5353}});
  Peer tcp_listener = Peer::ListenTcp(tcp.netns.get(), 53);
  Peer udp_listener = Peer::BoundUdp(udp.netns.get(), 5353);
  Peer client = Peer::BoundUdp(outside.get(), 4000);
  EXPECT_EQ(Exchange(outside.get(), kHostOutside, 53, tcp_listener), "answer");
  client.SendTo("question", kHostOutside, 53);
  EXPECT_EQ(udp_listener.Receive(), "question");
}

// Datagrams arrive in the order they were sent: the second one shows that the first was dropped.
TEST_F(ConnectivityTest, OutsideReachesNothingThatIsNotPublished) {
  UniqueFd outside = MakeOutside();
  SimulatedTask task = MakeTask("eni-1", {{5000, Protocol::kUdp, 5000}});
  Netlink netlink = sys::InNetworkNamespace(outside.get(), [] { return Netlink::Open(); }).value();
  int uplink = netlink.FindLink("eth0").value()->index;
  ASSERT_TRUE(netlink.AddDefaultRoute(uplink, Ipv4Address::Parse(kHostOutside).value()).ok());
  Peer server = Peer::BoundUdp(task.netns.get(), 5000);
  Peer client = Peer::BoundUdp(outside.get(), 4000);
  client.SendTo("straight to the task", task.address(), 5000);
  client.SendTo("by the published port", kHostOutside, 5000);
  EXPECT_EQ(server.Receive(), "by the published port");
}

TEST_F(ConnectivityTest, ATaskReachesNoServiceOfTheHost) {
  SimulatedTask task = MakeTask("eni-1");
  std::string gateway = task.attachment.subnet.gateway.ToString();
  Peer service = Peer::BoundUdp(host(), 9999);
  Peer stranger = Peer::BoundUdp(task.netns.get(), 4000);
  Peer friend_of_host = Peer::BoundUdp(task.netns.get(), 5000);
  service.SendTo("hello", task.address(), 5000);
  ASSERT_EQ(friend_of_host.Receive(), "hello");
  stranger.SendTo("uninvited", gateway, 9999);
  friend_of_host.SendTo("an answer", gateway, 9999);
  EXPECT_EQ(service.Receive(), "an answer");
}

TEST_F(ConnectivityTest, ATaskReachesNoMetadataServiceOfTheHostsCloud) {
  UniqueFd outside = MakeOutside();
  SimulatedTask task = MakeTask("eni-1");
  AddAddressIn(outside.get(), "lo", "169.254.169.254", 32);
  Netlink netlink = Netlink::Open().value();
  int uplink = netlink.FindLink("uplink").value()->index;
  // The host itself reaches it, so that only the firewall can be what stops the task.
  ASSERT_TRUE(netlink.AddDefaultRoute(uplink, Ipv4Address::Parse("203.0.113.2").value()).ok());
  Peer metadata = Peer::BoundUdp(outside.get(), 80);
  Peer from_task = Peer::BoundUdp(task.netns.get(), 4000);
  Peer from_host = Peer::BoundUdp(host(), 4000);
  from_task.SendTo("credentials?", "169.254.169.254", 80);
  from_host.SendTo("the host", "169.254.169.254", 80);
  EXPECT_EQ(metadata.Receive(), "the host");
}

TEST_F(ConnectivityTest, PacketsWithAnotherTasksAddressNeverArrive) {
  SimulatedTask liar = MakeTask("eni-liar");
  SimulatedTask victim = MakeTask("eni-victim");
  SimulatedTask target = MakeTask("eni-target");
  Peer receiver = Peer::BoundUdp(target.netns.get(), 5000);
  Peer honest = Peer::BoundUdp(liar.netns.get(), 4000, liar.address());
  honest.SendTo("first", target.address(), 5000);  // so that the target's MAC is known
  ASSERT_EQ(receiver.Receive(), "first");
  AddAddressIn(liar.netns.get(), "eth0", victim.address(), 20);
  Peer lying = Peer::BoundUdp(liar.netns.get(), 4001, victim.address());
  lying.SendTo("I am the victim", target.address(), 5000);
  honest.SendTo("I am myself", target.address(), 5000);
  std::string from;
  EXPECT_EQ(receiver.Receive(&from), "I am myself");
  EXPECT_EQ(from, liar.address());
}

TEST_F(ConnectivityTest, SpoofedPacketsDoNotReachTheHostEither) {
  SimulatedTask task = MakeTask("eni-1");
  Peer service = Peer::BoundUdp(host(), 9999);
  Peer honest = Peer::BoundUdp(task.netns.get(), 5000, task.address());
  service.SendTo("hello", task.address(), 5000);
  ASSERT_EQ(honest.Receive(), "hello");
  AddAddressIn(task.netns.get(), "eth0", "198.51.100.7", 32);
  Peer lying = Peer::BoundUdp(task.netns.get(), 5001, "198.51.100.7");
  std::string gateway = task.attachment.subnet.gateway.ToString();
  lying.SendTo("from elsewhere", gateway, 9999);
  honest.SendTo("from myself", gateway, 9999);
  EXPECT_EQ(service.Receive(), "from myself");
}

TEST_F(ConnectivityTest, UnprivilegedProgramsMayPingAndUseLowPorts) {
  SimulatedTask task = MakeTask("eni-1");
  Result<std::string> ports = sys::InNetworkNamespace(task.netns.get(), [] {
    return sys::ReadFile(AT_FDCWD, "/proc/sys/net/ipv4/ip_unprivileged_port_start");
  });
  EXPECT_EQ(ports.value(), "0\n");
  Result<std::string> ping = sys::InNetworkNamespace(task.netns.get(), [] {
    return sys::ReadFile(AT_FDCWD, "/proc/sys/net/ipv4/ping_group_range");
  });
  EXPECT_EQ(ping.value(), "0\t2147483647\n");
}

TEST_F(ConnectivityTest, TwoInstallationsKeepApart) {
  SimulatedTask here = MakeTask("eni-1");
  Network other = Network::Open(root_.path() + "/other").value();
  UniqueFd netns = sys::MakeNetworkNamespace().value();
  NetworkPlan plan{.eni_id = "eni-1", .ports = {}, .mtu = kEthernetMtu};
  Result<Attachment> there = other.Attach(plan, netns.get());
  ASSERT_TRUE(there.ok()) << there.error().message();
  EXPECT_FALSE(there.value().subnet.prefix.Overlaps(here.attachment.subnet.prefix));
  EXPECT_NE(there.value().host_interface, here.attachment.host_interface);
  ASSERT_TRUE(other.RemoveSubnet().ok());
  Peer listener = Peer::ListenTcp(here.netns.get(), 80);
  EXPECT_EQ(Exchange(host(), here.address(), 80, listener), "answer");
}

}  // namespace
}  // namespace skiff::networking
