// Machines made of network namespaces: each test is a "host" of its own (the test's thread sits in
// a fresh namespace), has tasks attached to it by Network, and may have an outside world behind a
// second link. Nothing of the real machine's network is touched. Single-threaded.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "isolation/sys/process.h"
#include "networking/network.h"
#include "tests/support/temp_dir.h"

namespace skiff::networking {

// A socket of its namespace, for a few bytes at a time. Receiving waits up to kPatience, which only
// a broken network uses up.
class Peer {
 public:
  static Peer ListenTcp(int netns, uint16_t port);
  static Peer BoundUdp(int netns, uint16_t port, const std::string& address = "0.0.0.0");
  static Peer ConnectTcp(int netns, const std::string& address, uint16_t port);

  bool valid() const { return fd_.valid(); }  // false: the connection was not made
  Peer Accept(std::string* from = nullptr);
  void Send(const std::string& text);
  void SendTo(const std::string& text, const std::string& address, uint16_t port);
  std::string Receive(std::string* from = nullptr);  // "" when nothing came

 private:
  explicit Peer(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

// "answer" when a request from `netns` reaches `listener` at address:port and is answered.
std::string Exchange(int netns, const std::string& address, uint16_t port, Peer& listener,
                     std::string* seen_from = nullptr);

struct SimulatedTask {
  NetworkPlan plan;
  UniqueFd netns;
  Attachment attachment;
  std::string address() const { return attachment.address.ToString(); }
};

class SimulatedHost : public testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  int host() const { return host_.get(); }  // the host's own namespace
  Network OpenNetwork() { return Network::Open(data_root()).value(); }
  std::string data_root() const { return root_.path() + "/data"; }

  Result<SimulatedTask> TryTask(const std::string& eni_id, std::vector<PublishedPort> ports = {});
  SimulatedTask MakeTask(const std::string& eni_id, std::vector<PublishedPort> ports = {});
  // A namespace at 203.0.113.2, the host being 203.0.113.1 there. It routes only what it must.
  UniqueFd MakeOutside();
  // Links, leases and firewall elements of the installation, one line each; the bridge and the
  // empty ruleset stay.
  std::vector<std::string> Leftovers();

  test::TempDir root_;
  UniqueFd before_;
  UniqueFd host_;
};

// Puts `value` into a sysctl of the namespace.
void SetSysctl(int netns, const std::string& path, const std::string& value);
void AddAddressIn(int netns, const std::string& link, const std::string& address, int length);

}  // namespace skiff::networking
