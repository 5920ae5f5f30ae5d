// Network devices that a container gets: see oci_container.h. Each test is a host of its own: its
// process is in a fresh network namespace.
#include <fcntl.h>
#include <sys/socket.h>

#include <nlohmann/json.hpp>
#include <tuple>

#include "isolation/sys/namespace_types.h"
#include "networking/netlink.h"
#include "tests/kernel/isolation/oci_container.h"

namespace skiff::isolation::oci {
namespace {

using networking::Netlink;
using nlohmann::json;
using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

const char* MissingIp() { return sys::Exists(AT_FDCWD, "/usr/sbin/ip") ? "" : "iproute2's ip"; }

class OciNetworkTest : public OciRunTest {
 protected:
  void SetUp() override {
    OciRunTest::SetUp();
    if (IsSkipped()) return;
    SKIFF_REQUIRE(MissingIp());
    for (const char* set : {"bounding", "effective", "permitted"})
      config_["process"]["capabilities"][set].push_back("CAP_NET_RAW");  // for ping
    before_ = sys::OpenOwnNamespace("net").value();
    host_network_ = sys::MakeNetworkNamespace().value();
    sys::EnterNamespace(host_network_.get(), sys::kNetworkNamespace).value();
    Netlink netlink = Netlink::Open().value();
    netlink.CreatePlainVeth("dev0", "outer", host_network_.get()).value();
    for (const char* command :
         {"link set dev0 mtu 1400 address 0a:58:0a:4d:00:02",
          "addr add 10.77.0.2/24 brd + label dev0:one dev dev0",
          "addr add fd00:77::2/64 nodad dev dev0", "addr add 10.79.0.2/24 scope link dev dev0",
          "addr add 10.78.0.2/24 valid_lft 5000 preferred_lft 5000 dev dev0"})
      Ip(command);
  }
  void TearDown() override {
    OciRunTest::TearDown();
    if (before_.valid()) sys::EnterNamespace(before_.get(), sys::kNetworkNamespace).value();
  }
  static std::string Ip(const std::string& command) {
    sys::Pipe pipe = sys::MakePipe().value();
    sys::SpawnSpec spec;
    spec.path = "/usr/sbin/ip";
    spec.arguments = {"ip"};
    for (std::string_view word : Split(command, ' ')) spec.arguments.emplace_back(word);
    UniqueFd null = sys::Open(AT_FDCWD, "/dev/null", O_RDWR).value();
    spec.fds = {null.get(), pipe.write_end.get(), pipe.write_end.get()};
    sys::Process process = sys::Spawn(spec).value();
    pipe.write_end.Reset();
    std::string output = sys::ReadAll(pipe.read_end.get(), "ip").value();
    EXPECT_EQ(sys::WaitPidfd(process.pidfd.get(), true).value()->ShellCode(), 0)
        << command << ": " << output;
    return output;
  }
  // What there is to tell of dev0, but for times that run on and states that settle.
  static auto Facts() {
    Netlink netlink = Netlink::Open().value();
    networking::Link link = netlink.FindLink("dev0").value().value();
    std::vector<std::tuple<int, int, int, std::string, std::string>> addresses;
    for (const auto& address : netlink.ListAddressesOf(link.index).value()) {
      if (address.family == AF_INET6 && address.scope != 0) continue;  // the kernel's own
      addresses.emplace_back(address.prefix_length, address.scope, address.IsLasting(),
                             address.label, address.attributes.front().second);
    }
    return std::tuple(link.index, link.master_index, link.is_up, addresses);
  }
  void ExpectUnmoved(const std::string& expected_error) {
    auto before = Facts();
    Finished finished = Script("true");
    EXPECT_NE(finished.code, 0);
    EXPECT_THAT(finished.output, HasSubstr(expected_error));
    EXPECT_EQ(Facts(), before);
  }

  UniqueFd before_;
  UniqueFd host_network_;
};

TEST_F(OciNetworkTest, ADeviceIsInsideWithItsLastingAddressesAndUp) {
  config_["linux"]["netDevices"] = {{"dev0", {{"name", "eth7"}}}};
  config_["linux"]["sysctl"] = {{"net.ipv4.conf.eth7.forwarding", "1"}};
  Begin("sleep 1000");
  std::string look =
      "busybox ip link show eth7; busybox ip addr show eth7; "
      "busybox cat /proc/sys/net/ipv4/conf/eth7/forwarding; echo end";
  std::string inside = Command({"exec", id_, "/bin/busybox", "sh", "-c", look}).output;
  EXPECT_THAT(inside,
              AllOf(ContainsRegex("eth7@if[0-9]+: <[-A-Z,]*UP.* mtu 1400 "),
                    HasSubstr("0a:58:0a:4d:00:02"), HasSubstr("inet6 fd00:77::2/64"),
                    HasSubstr("inet 10.77.0.2/24 brd 10.77.0.255 scope global eth7\n"),
                    Not(HasSubstr("10.78.")), Not(HasSubstr("10.79.")), HasSubstr("\n1\nend\n")));
  EXPECT_FALSE(Netlink::Open().value().FindLink("dev0").value());
  Ip("addr add 10.77.0.1/24 dev outer");
  Ip("link set outer up");
  EXPECT_THAT(Command({"exec", id_, "/bin/busybox", "ping", "-c", "1", "10.77.0.1"}).output,
              HasSubstr("1 packets received"));
  EXPECT_EQ(Command({"delete", "--force", id_}).code, 0);
  // A virtual device goes with its namespace, and its pair with it.
  EXPECT_TRUE(networking::WaitForLinkGone("outer", std::chrono::seconds(20)).value());
}

TEST_F(OciNetworkTest, ANameMayLeaveTheNumberOpenAndAUserNamespaceOwnTheNetwork) {
  config_["linux"]["netDevices"] = {{"dev0", {{"name", "eth%d"}}}};
  config_["linux"]["namespaces"].push_back({{"type", "user"}});
  config_["linux"]["uidMappings"] =
      config_["linux"]["gidMappings"] = {{{"containerID", 0}, {"hostID", 0}, {"size", 65536}}};
  EXPECT_THAT(Script("busybox ip addr show eth0").output,
              AllOf(HasSubstr(",UP"), HasSubstr("10.77.0.2/24")));
}

// As with podman of an ordinary user, whose network is his own namespace's.
TEST_F(OciNetworkTest, RootOfAUserNamespaceMovesItsOwnDevicesAndNobodyElses) {
  for (json& mount : config_["mounts"]) {
    if (mount["destination"] == "/dev/pts") mount["options"] = {"newinstance", "ptmxmode=0666"};
  }
  config_["linux"]["netDevices"] = {{"dev0", {{"name", "eth7"}}}};
  config_["process"]["args"] = {"/bin/busybox", "ip", "addr", "show", "eth7"};
  WriteConfig();
  auto run = [&](const std::vector<std::string>& own_namespaces, const std::string& before) {
    sys::SpawnSpec spec;
    spec.path = "/usr/bin/unshare";
    spec.arguments = {"unshare", "--user", "--map-root-user", "--mount"};
    spec.arguments.insert(spec.arguments.end(), own_namespaces.begin(), own_namespaces.end());
    std::string oci = SKIFF_OCI " --cgroup-manager disabled --root " + StateRoot();
    spec.arguments.insert(
        spec.arguments.end(),
        {"sh", "-c", before + oci + " run --bundle " + bundle_.path() + " " + id_});
    spec.environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"};
    sys::Pipe output = sys::MakePipe().value();
    UniqueFd null = sys::Open(AT_FDCWD, "/dev/null", O_RDONLY).value();
    spec.fds = {null.get(), output.write_end.get(), output.write_end.get()};
    sys::Process process = sys::Spawn(spec).value();
    output.write_end.Reset();
    std::string told = sys::ReadAll(output.read_end.get(), "output").value();
    sys::WaitPidfd(process.pidfd.get(), true).value();
    return told;
  };
  EXPECT_THAT(run({"--net"},
                  "ip link add dev0 type veth peer name outer && ip addr add 10.9.0.1/24 dev dev0 "
                  "&& "),
              HasSubstr("inet 10.9.0.1/24"));
  auto before = Facts();
  EXPECT_THAT(run({}, ""),
              HasSubstr("linux.netDevices: rights over the links' own namespace: setns: operation "
                        "not permitted"));
  EXPECT_EQ(Facts(), before);
}

TEST_F(OciNetworkTest, ADeviceKeepsItsNameAndItsLabel) {
  config_["linux"]["netDevices"] = {{"dev0", json::object()}};
  EXPECT_THAT(Script("busybox ip addr show dev0").output, HasSubstr("scope global dev0:one"));
}

TEST_F(OciNetworkTest, WhenALaterStepFailsTheDeviceIsWhereAndAsItWas) {
  Ip("link add bridge0 type bridge");
  Ip("link set dev0 master bridge0");
  Ip("link set dev0 up");
  config_["linux"]["netDevices"] = {{"dev0", {{"name", "eth7"}}}};
  auto before = Facts();
  config_["process"]["args"] = {"/nowhere"};
  Finished finished = Run();
  EXPECT_EQ(finished.code, 127);
  EXPECT_EQ(Facts(), before);
  WriteConfig();
  EXPECT_EQ(Command({"create", "-b", bundle_.path(), id_}).code, 127);
  EXPECT_EQ(Facts(), before);
  config_["linux"]["sysctl"] = {{"net.ipv4.conf.dev0.forwarding", "1"}};  // its name outside
  ExpectUnmoved("sysctl");
  config_["linux"].erase("sysctl");
  config_["hooks"]["startContainer"] = {{{"path", "/bin/busybox"}, {"args", {"false"}}}};
  ExpectUnmoved("hook startContainer");
  config_.erase("hooks");
  config_["linux"]["netDevices"]["missing"] = json::object();
  ExpectUnmoved("linux.netDevices: link missing: is not there");
}

TEST_F(OciNetworkTest, AnErrorNamesTheDeviceThatStaysWhereItIs) {
  json& devices = config_["linux"]["netDevices"];
  devices = {{"lo", {{"name", "lo7"}}}, {"dev0", json::object()}};
  ExpectUnmoved("linux.netDevices: link lo: move link to lo7: invalid argument");
  devices = {{"dev0", {{"name", "lo"}}}};
  ExpectUnmoved("linux.netDevices: link dev0: the other namespace has a link named lo");
  devices = {{"dev0", json::object()}};
  for (json& entry : config_["linux"]["namespaces"]) {
    if (entry["type"] == "network")
      entry["path"] =
          "/proc/" + std::to_string(getpid()) + "/task/" + std::to_string(getpid()) + "/ns/net";
  }
  ExpectUnmoved("linux.netDevices: the container's network namespace is that of the runtime");
}

TEST_F(OciNetworkTest, ANewNetworkHasItsLoopbackUpAndOneThatIsJoinedIsLeftAlone) {
  EXPECT_THAT(Script("busybox ping -c 1 127.0.0.1").output, HasSubstr("1 packets received"));
  UniqueFd other = sys::MakeNetworkNamespace().value();
  for (json& entry : config_["linux"]["namespaces"]) {
    if (entry["type"] == "network")
      entry["path"] = "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(other.get());
  }
  config_["linux"]["netDevices"] = {{"dev0", json::object()}};
  EXPECT_THAT(Script("busybox ip link show").output,
              AllOf(ContainsRegex("lo: <LOOPBACK> "), HasSubstr("dev0"), Not(HasSubstr("outer"))));
  // Nobody is left inside, and the namespace is there.
  Netlink inside = sys::InNetworkNamespace(other.get(), [] { return Netlink::Open(); }).value();
  EXPECT_TRUE(inside.FindLink("dev0").value());
}

}  // namespace
}  // namespace skiff::isolation::oci
