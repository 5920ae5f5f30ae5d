#include "runtime/api/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/api/errors.h"
#include "runtime/api/sts.h"

namespace skiff::runtime::api {
namespace {

using networking::http::Peer;
using networking::http::Request;
using networking::http::Response;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kKeys = R"({"keys": [
  {"accessKeyId": "AKIA1", "secretAccessKey": "s1", "arn": "arn:aws:iam::123456789012:user/one",
   "statements": [{"Effect": "Allow", "Action": "ecs:*", "Resource": "*"},
                  {"Effect": "Deny", "Action": ["ecs:Delete*"], "Resource": ["*:cluster/keep"]}]},
  {"accessKeyId": "AKIA2", "secretAccessKey": "s2", "arn": "arn:aws:iam::123456789012:user/two"}]})";

OperationTable Ecs() {
  OperationTable table;
  table.service = "ecs";
  table.target_prefix = "AmazonEC2ContainerServiceV20141113";
  table.operations["Echo"] = {[](const Call& call) -> Result<std::string> {
    auto text = TRY(call.input.FindString("text"));
    if (!text) return Error(Code::kInvalid, "no text").WithKind("ClientException");
    return "{\"said\":\"" + *text + "\",\"by\":\"" + call.caller.arn + "\"}";
  }};
  table.not_offered = {"ExecuteCommand"};
  return table;
}

class RouterTest : public testing::Test {
 protected:
  RouterTest() {
    options_.is_anonymous = true;
    request_.method = "POST";
    request_.target = "/";
    request_.peer = {Peer::Kind::kTcp, "127.0.0.1", true};
    request_.headers = {{"Host", "localhost:8770"},
                        {"X-Amz-Target", "AmazonEC2ContainerServiceV20141113.Echo"}};
    request_.body = R"({"text": "hi"})";
  }
  Response Ask() const {
    return Router(options_, {Ecs(), StsOperations(options_.settings)}).Handle(request_);
  }

  RouterOptions options_;
  Request request_;
};

TEST_F(RouterTest, JsonCallIsRoutedByItsTarget) {
  Response answer = Ask();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, R"({"said":"hi","by":"arn:aws:iam::123456789012:root"})");
  ASSERT_EQ(answer.headers.size(), 2U);
  EXPECT_EQ(answer.headers[0].name, "x-amzn-RequestId");
  EXPECT_EQ(answer.headers[0].value.size(), 36U);
  EXPECT_EQ(answer.headers[1].value, "application/x-amz-json-1.1");
}

TEST_F(RouterTest, ErrorsAreAwsErrors) {
  request_.body = "";
  EXPECT_EQ(Ask().body, R"({"__type":"ClientException","message":"no text"})");
  request_.body = R"({"text": 3})";
  EXPECT_EQ(Ask().status, 400);
  EXPECT_THAT(Ask().body, HasSubstr(R"("__type":"SerializationException")"));
  EXPECT_THAT(Ask().body, HasSubstr("text: expected string"));
  for (const char* body : {"[]", "{", "\"x\""}) {
    request_.body = body;
    EXPECT_THAT(Ask().body, HasSubstr("SerializationException")) << body;
  }
}

TEST_F(RouterTest, OperationsThatAreNotThereSaySo) {
  request_.headers[1].value = "AmazonEC2ContainerServiceV20141113.ExecuteCommand";
  EXPECT_THAT(Ask().body, HasSubstr("UnsupportedFeatureException"));
  EXPECT_THAT(Ask().body, HasSubstr("skiff does not offer ExecuteCommand in this version."));
  for (const char* target : {"AmazonEC2ContainerServiceV20141113.Nothing", "Other.Echo", "Echo"}) {
    request_.headers[1].value = target;
    EXPECT_THAT(Ask().body, HasSubstr("UnknownOperationException")) << target;
  }
}

TEST_F(RouterTest, QueryCallAnswersInXml) {
  request_.headers[1] = {"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"};
  request_.body = "Action=GetCallerIdentity&Version=2011-06-15";
  EXPECT_THAT(Ask().body, HasSubstr("<GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:root"
                                    "</Arn>"));
  request_.body = "Action=AssumeRole";
  EXPECT_THAT(Ask().body, HasSubstr("<Code>UnsupportedFeature</Code>"));
  EXPECT_EQ(Ask().status, 400);
}

TEST_F(RouterTest, WebPagesAndOtherHostsNamesAreRefused) {
  for (const char* host : {"evil.test", "127.evil.test", "localhost.evil.test:8770", ""}) {
    request_.headers[0].value = host;
    EXPECT_EQ(Ask().status, 403) << host;
  }
  for (const char* host : {"localhost", "127.0.0.1:8770", "[::1]:8770"}) {
    request_.headers[0].value = host;
    EXPECT_EQ(Ask().status, 200) << host;
  }
  request_.headers[0].value = "skiff.lan:8770";
  EXPECT_EQ(Ask().status, 403);
  options_.hosts = {"skiff.lan"};
  EXPECT_EQ(Ask().status, 200);
  request_.headers.push_back({"Origin", "http://localhost:8770"});
  EXPECT_EQ(Ask().status, 403);
}

TEST_F(RouterTest, AnonymousIsForLoopbackAndTheUnixSocketNeedsNoSignature) {
  request_.peer = {Peer::Kind::kTcp, "192.0.2.1", false};
  EXPECT_THAT(Ask().body, HasSubstr("AccessDeniedException"));
  options_.is_anonymous = false;
  request_.peer = {Peer::Kind::kTcp, "127.0.0.1", true};
  EXPECT_THAT(Ask().body, HasSubstr("MissingAuthenticationTokenException"));
  request_.peer = {Peer::Kind::kUnix, "", true};
  EXPECT_EQ(Ask().status, 200);
}

TEST_F(RouterTest, UnknownKeyIsRefused) {
  options_.is_anonymous = false;
  options_.keys = KeySet::Decode(kKeys, "keys").value();
  request_.headers.push_back({"X-Amz-Date", "20260131T120000Z"});
  request_.headers.push_back(
      {"Authorization",
       "AWS4-HMAC-SHA256 Credential=AKIA9/20260131/us-east-1/ecs/aws4_request, "
       "SignedHeaders=host;x-amz-date;x-amz-target, Signature=00"});
  EXPECT_THAT(Ask().body, HasSubstr("UnrecognizedClientException"));
}

TEST_F(RouterTest, ResetIsOffUnlessAllowed) {
  int resets = 0;
  options_.reset = [&]() -> Result<> {
    ++resets;
    return {};
  };
  request_.target = "/_skiff/reset";
  EXPECT_EQ(Ask().status, 403);
  EXPECT_EQ(resets, 0);
  options_.allow_reset = true;
  EXPECT_EQ(Ask().status, 200);
  EXPECT_EQ(resets, 1);
  options_.is_anonymous = false;
  EXPECT_EQ(Ask().status, 403) << "not signed";
  EXPECT_EQ(resets, 1);
}

TEST_F(RouterTest, HealthAndNothingElseIsThereToGet) {
  request_.method = "GET";
  request_.target = "/healthz";
  EXPECT_EQ(Ask().body, "ok\n");
  for (const char* path : {"/", "/metrics", "/etc/passwd"}) {
    request_.target = path;
    EXPECT_EQ(Ask().status, 404) << path;
  }
}

TEST(KeySetTest, DenyWinsAndNothingIsAllowedUnsaid) {
  KeySet keys = KeySet::Decode(kKeys, "keys").value();
  const auto& one = keys.Find("AKIA1")->statements;
  EXPECT_TRUE(IsAllowed(one, "ecs:DeleteCluster", {"arn:x:cluster/other"}));
  EXPECT_FALSE(IsAllowed(one, "ecs:DeleteCluster", {"arn:x:cluster/other", "arn:x:cluster/keep"}));
  EXPECT_TRUE(IsAllowed(one, "ecs:DescribeClusters", {"arn:x:cluster/keep"}));
  EXPECT_FALSE(IsAllowed(one, "logs:CreateLogGroup", {"*"}));
  EXPECT_FALSE(IsAllowed(keys.Find("AKIA2")->statements, "ecs:DescribeClusters", {"*"}));
  EXPECT_EQ(keys.Find("AKIA"), nullptr);
}

TEST(KeySetTest, MistakesAreNamed) {
  auto error = [](const std::string& keys) {
    return KeySet::Decode("{\"keys\": [" + keys + "]}", "keys.json").error().message();
  };
  EXPECT_THAT(error(R"({"accessKeyId": "A", "secretAccessKey": "", "arn": "x"})"),
              HasSubstr("keys[0].secretAccessKey: must not be empty"));
  EXPECT_THAT(error(R"({"accessKeyId": "A", "secretAccessKey": "s", "arn": "x", "Statement": []})"),
              HasSubstr("keys[0].Statement: unknown member"));
  EXPECT_THAT(error(R"({"accessKeyId": "A", "secretAccessKey": "s", "arn": "x", "statements":
                        [{"Effect": "allow", "Action": "*", "Resource": "*"}]})"),
              HasSubstr("statements[0].Effect: expected Allow or Deny"));
  std::string key = R"({"accessKeyId": "A", "secretAccessKey": "s", "arn": "x"})";
  EXPECT_THAT(error(key + "," + key), HasSubstr("keys[1]: accessKeyId is there twice"));
}

TEST(KeySetTest, WildcardsMatchAsInPolicies) {
  EXPECT_TRUE(MatchesWildcard("ecs:*Tasks", "ecs:DescribeTasks", false));
  EXPECT_TRUE(MatchesWildcard("*a*b", "xaxbaab", false));
  EXPECT_TRUE(MatchesWildcard("a?c", "abc", false));
  EXPECT_FALSE(MatchesWildcard("a?c", "ac", false));
  EXPECT_FALSE(MatchesWildcard("", "x", false));
  EXPECT_TRUE(MatchesWildcard("*", "", false));
  EXPECT_TRUE(MatchesWildcard("ECS:run*", "ecs:RunTask", true));
  EXPECT_FALSE(MatchesWildcard("ECS:run*", "ecs:RunTask", false));
}

TEST(ApiErrorTest, EveryErrorHasANameAndAStatus) {
  WireError named = WireErrorOf(Error(Code::kInternal, "x").WithKind("ClusterNotFoundException"));
  EXPECT_EQ(named.type, "ClusterNotFoundException");
  EXPECT_EQ(named.status, 400);
  EXPECT_EQ(WireErrorOf(Error(Code::kInvalid, "x")).type, "InvalidParameterException");
  EXPECT_EQ(WireErrorOf(Error(Code::kTimeout, "x")).status, 500);
  EXPECT_EQ(WireErrorOf(Error(Code::kInvalid, "x").WithKind("Misspelt")).type, "InternalFailure");
}

}  // namespace
}  // namespace skiff::runtime::api
