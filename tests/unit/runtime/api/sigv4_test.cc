// The signatures below are botocore's, for a clock that stands at 2026-01-31T12:00:00Z.
#include "runtime/api/sigv4.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skiff::runtime::api {
namespace {

using networking::http::Request;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr int64_t kNow = 1769860800LL * 1'000'000'000;
constexpr int64_t kMinute = 60LL * 1'000'000'000;
constexpr const char* kSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

Request SignedPost() {
  Request request;
  request.method = "POST";
  request.target = "/";
  request.body = "{\"maxResults\": 1}";
  request.headers = {
      {"Host", "127.0.0.1:8770"},
      {"Content-Type", "application/x-amz-json-1.1"},
      {"X-Amz-Target", "AmazonEC2ContainerServiceV20141113.ListClusters"},
      {"X-Spaces", "a   b "},
      {"X-Amz-Date", "20260131T120000Z"},
      {"Authorization",
       "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260131/us-east-1/ecs/aws4_request, "
       "SignedHeaders=content-type;host;x-amz-date;x-amz-target;x-spaces, "
       "Signature=49ee8b2dfb51542dc6de5701c7243bd0b1126931231b7b14694fa6ab51b00666"}};
  return request;
}

Request Presigned() {
  Request request;
  request.method = "GET";
  request.target =
      "/?Action=GetCallerIdentity&Version=2011-06-15&x=a%20b%2Fc&X-Amz-Algorithm=AWS4-HMAC-SHA256"
      "&X-Amz-Credential=AKIDEXAMPLE%2F20260131%2Fus-east-1%2Fsts%2Faws4_request"
      "&X-Amz-Date=20260131T120000Z&X-Amz-Expires=300&X-Amz-SignedHeaders=host"
      "&X-Amz-Signature=c4e0a48105e740bff6e02a8d84b122e5a568e5ed2a3f6ef45c98729fd74ec9e9";
  request.headers = {{"host", "127.0.0.1:8770"}};
  return request;
}

// "" when it holds.
std::string Verify(const Request& request, int64_t now = kNow, const char* secret = kSecret) {
  Result<SignatureClaim> claim = ParseSignature(request);
  if (!claim.ok()) return std::string(claim.error().kind()) + ": " + claim.error().message();
  Result<> verified = VerifySignature(request, claim.value(), secret, now);
  if (verified.ok()) return "";
  return std::string(verified.error().kind()) + ": " + verified.error().message();
}

std::string& Header(Request& request, size_t index) { return request.headers[index].value; }

TEST(SigV4Test, SignatureOfARealClientHolds) {
  EXPECT_EQ(Verify(SignedPost()), "");
  SignatureClaim claim = ParseSignature(SignedPost()).value();
  EXPECT_EQ(claim.access_key, "AKIDEXAMPLE");
  EXPECT_EQ(claim.service, "ecs");
  EXPECT_EQ(claim.region, "us-east-1");
  EXPECT_THAT(claim.signed_headers,
              ElementsAre("content-type", "host", "x-amz-date", "x-amz-target", "x-spaces"));
}

TEST(SigV4Test, PresignedRequestHoldsUntilItExpires) {
  EXPECT_EQ(Verify(Presigned()), "");
  EXPECT_EQ(Verify(Presigned(), kNow + 5 * kMinute), "");
  EXPECT_THAT(Verify(Presigned(), kNow + 6 * kMinute), HasSubstr("Signature expired"));
}

TEST(SigV4Test, AnyChangeIsNoticed) {
  const char* wrong = "InvalidSignatureException: The request signature we calculated";
  Request request = SignedPost();
  request.body += " ";
  EXPECT_THAT(Verify(request), HasSubstr(wrong));
  for (size_t header = 0; header < 4; ++header) {
    request = SignedPost();
    Header(request, header) += "x";
    EXPECT_THAT(Verify(request), HasSubstr(wrong)) << header;
  }
  request = SignedPost();
  request.target = "/?a=b";
  EXPECT_THAT(Verify(request), HasSubstr(wrong));
  request = SignedPost();
  request.method = "PUT";
  EXPECT_THAT(Verify(request), HasSubstr(wrong));
  EXPECT_THAT(Verify(SignedPost(), kNow, "another"), HasSubstr(wrong));
  request = Presigned();
  request.target += "&more=1";
  EXPECT_THAT(Verify(request), HasSubstr(wrong));
}

TEST(SigV4Test, ClockMayBeQuarterOfAnHourOff) {
  EXPECT_EQ(Verify(SignedPost(), kNow + 15 * kMinute), "");
  EXPECT_EQ(Verify(SignedPost(), kNow - 15 * kMinute), "");
  EXPECT_THAT(Verify(SignedPost(), kNow + 16 * kMinute), HasSubstr("Signature expired"));
  EXPECT_THAT(Verify(SignedPost(), kNow - 16 * kMinute), HasSubstr("not yet current"));
}

TEST(SigV4Test, WhatMattersMustBeSigned) {
  Request request = SignedPost();
  request.headers.push_back({"X-Amz-Security-Token", "t"});
  EXPECT_THAT(Verify(request), HasSubstr("'X-Amz-Security-Token' must be a 'SignedHeader'."));
  request = SignedPost();
  std::string& header = Header(request, 5);
  header.replace(header.find("content-type;host;"), 18, "content-type;");
  EXPECT_THAT(Verify(request), HasSubstr("'Host' must be a 'SignedHeader'."));
}

TEST(SigV4Test, IncompleteClaimsAreNamed) {
  Request request = SignedPost();
  request.headers.pop_back();
  EXPECT_EQ(Verify(request), "MissingAuthenticationTokenException: Missing Authentication Token");
  request = SignedPost();
  Header(request, 5) = "Basic dXNlcjpwYXNz";
  EXPECT_THAT(Verify(request), HasSubstr("IncompleteSignatureException"));
  for (const char* gone : {"Credential=", "SignedHeaders=", "Signature="}) {
    request = SignedPost();
    std::string& header = Header(request, 5);
    header.replace(header.find(gone), 3, "xxx");
    EXPECT_THAT(Verify(request), HasSubstr("IncompleteSignatureException")) << gone;
  }
  request = SignedPost();
  std::string& header = Header(request, 5);
  header.replace(header.find("20260131/"), 9, "20260130/");
  EXPECT_THAT(Verify(request), HasSubstr("Date in Credential scope"));
}

}  // namespace
}  // namespace skiff::runtime::api
