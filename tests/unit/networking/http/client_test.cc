#include "networking/http/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "networking/http/server.h"

namespace skiff::networking::http {
namespace {

using testing::HasSubstr;

// Counts what it is asked; "/to?ADDRESS" is a redirect there.
class Site {
 public:
  explicit Site(const std::string& address = "127.0.0.1") {
    server_ = Server::Create({}, [this](Request&& request, Server::Respond respond) {
                Response response;
                ++asked_;
                if (request.Path() == "/to") {
                  response.status = 307;
                  response.headers = {{"Location", std::string(request.Query())}};
                }
                respond(std::move(response));
              }).value();
    port_ = server_->ListenTcp(address, 0).value();
    thread_ = std::thread([this] { server_->Run(); });
  }
  ~Site() {
    server_->Stop();
    thread_.join();
  }
  std::string At(const std::string& host) const {
    return "http://" + host + ":" + std::to_string(port_);
  }
  int asked() const { return asked_; }

 private:
  std::unique_ptr<Server> server_;
  uint16_t port_ = 0;
  std::atomic<int> asked_ = 0;
  std::thread thread_;
};

ClientRequest Get(const std::string& url) {
  ClientRequest request;
  request.url = Url::Parse(url).value();
  return request;
}

Leader Public() { return {IpAddress::Parse("203.0.113.1")}; }

TEST(ClientTest, WhoAnswersFirstLeadsAndMayLeadWhereHeCouldStand) {
  Site first;
  Site second("127.0.0.2");
  Client client({});
  std::unique_ptr<Exchange> answer =
      client.Send(Get(first.At("127.0.0.1") + "/to?" + second.At("127.0.0.2") + "/")).value();
  EXPECT_EQ(answer->status(), 200);
  EXPECT_EQ(answer->leader().address, IpAddress::Parse("127.0.0.1"));
  EXPECT_EQ(second.asked(), 1);
  // The addresses of metadata services are nobody's to lead to, and are not connected to.
  Result<std::unique_ptr<Exchange>> refused =
      client.Send(Get(first.At("127.0.0.1") + "/to?http://169.254.169.254/latest/meta-data/"));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), Code::kDenied);
  EXPECT_THAT(refused.error().message(), HasSubstr("it was led to 169.254.169.254"));
}

TEST(ClientTest, FromOutsideNothingLeadsToThisMachine) {
  Site site;
  Client client({});
  // A name, an address, one that a resolver takes for a number, and one that stands for another.
  for (const char* host : {"localhost", "127.0.0.1", "127.1", "2130706433", "[::ffff:127.0.0.1]"}) {
    ClientRequest request = Get(site.At(host) + "/");
    request.led_by = Public();
    Result<std::unique_ptr<Exchange>> refused = client.Send(request);
    ASSERT_FALSE(refused.ok()) << host;
    EXPECT_EQ(refused.error().code(), Code::kDenied) << refused.error().message();
  }
  EXPECT_EQ(site.asked(), 0);
}

TEST(ClientTest, AKeptConnectionIsNoWayAround) {
  Site site;
  Client client({});
  ClientRequest request = Get(site.At("127.0.0.1") + "/");
  EXPECT_TRUE(client.Send(request).ok());
  request.led_by = Public();
  EXPECT_FALSE(client.Send(request).ok());
  EXPECT_EQ(site.asked(), 1);
}

TEST(ClientTest, WhoeverNamedTheFirstAddressLeadsToTheLast) {
  Site first;
  Site second("127.0.0.2");
  ClientSettings settings;
  // As if the first site were outside.
  settings.may_lead = [](const Leader&, const IpAddress& to) {
    return to == IpAddress::Parse("127.0.0.1") ? Result<>() : CheckLead(Public(), to);
  };
  Client client(settings);
  ClientRequest request = Get(first.At("127.0.0.1") + "/to?" + second.At("127.0.0.2") + "/");
  request.led_by = Public();
  EXPECT_FALSE(client.Send(request).ok());
  EXPECT_EQ(first.asked(), 1);
  EXPECT_EQ(second.asked(), 0);
}

TEST(ClientTest, BehindAProxyAddressesAreCheckedAndNamesAreTheProxys) {
  Site proxy;
  ClientSettings settings;
  settings.proxies = ProxySettings::Make(proxy.At("127.0.0.1"), "", "").value();
  Client client(settings);
  std::unique_ptr<Exchange> answer = client.Send(Get("http://registry.invalid/v2/")).value();
  EXPECT_EQ(answer->leader().address, std::nullopt);
  EXPECT_EQ(proxy.asked(), 1);
  for (const char* url : {"http://10.0.0.1/", "http://169.254.169.254/", "http://0xa9fea9fe/"}) {
    ClientRequest request = Get(url);
    request.led_by = answer->leader();
    EXPECT_FALSE(client.Send(request).ok()) << url;
  }
  EXPECT_EQ(proxy.asked(), 1);
}

}  // namespace
}  // namespace skiff::networking::http
